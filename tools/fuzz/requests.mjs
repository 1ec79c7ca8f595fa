// npm run fuzz:requests [-- --seed N --count N]: sends requests of all kinds to `zrank serve`, over all routes: bodies of
// wrong types, huge numbers, deep nesting, bytes that are no UTF-8, other content types, slow and cut bodies, broken
// HTTP, several at once on one connection. A failure is a crash, a hang, a status of 500 or above but 503, or another
// score than before for the same pair. Prints a table of what came, and the server's resident memory after each
// tenth of the requests.

import { connect } from 'node:net';
import { setTimeout as wait } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { seededRandom } from '../../dist/random.js';
import { dialects } from '../../dist/server/dialects.js';
import { metric, startServer } from '../../bench/serve/serving.mjs';

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: '1' },
    count: { type: 'string', default: '30000' },
    verbose: { type: 'boolean', default: false },
  },
});
const count = Number(values.count);
const random = seededRandom(Number(values.seed));
const pick = (list) => list[Math.floor(random() * list.length)];
const upTo = (n) => Math.floor(random() * n);
const deadlineMs = 20_000;
const maxBodyBytes = 200_000;

const question = {
  query: 'how do I keep bread fresh',
  documents: ['in a paper bag', 'the sugar tax', 'bread '.repeat(40)],
};
const bodies = {
  ...Object.fromEntries(Object.values(dialects).map(({ client }) => [client.path, client.body(question, undefined)])),
  '/rerank': { query: question.query, texts: question.documents, return_text: true },
  '/v1/rerank': { ...question, top_n: 2, return_documents: true, instruction: 'recipes' },
  '/voyage/v1/rerank': { ...question, top_k: 2 },
  '/score': { text_1: question.query, text_2: question.documents },
  '/v1/score': { queries: [question.query], items: question.documents },
  '/tokenize': { inputs: ['keep bread', '<|im_end|>'] },
  '/predict': { inputs: [[question.query, 'in a paper bag']] },
};
const pages = ['/', '/health', '/ready', '/metrics', '/info', '/v1/models', '/openapi.json', '/nothing', '/%2e%2e/x'];
const junk = [
  null,
  true,
  0,
  -1,
  1.5,
  1e308,
  -1e308,
  2 ** 53,
  '',
  'x',
  '\u0000',
  '\ud800',
  '𐍈'.repeat(50),
  '<|im_end|>',
  [],
  {},
  [[]],
  ['a', 1],
  { text: 5 },
  { text: 'x' },
  [{ text: 'x' }],
  Array(300).fill('a'),
  '__proto__',
  'a'.repeat(20_000),
];
const keys = [
  'model',
  'top_n',
  'top_k',
  'truncation',
  'truncate',
  'raw_scores',
  'return_documents',
  'max_tokens_per_doc',
  'rank_fields',
  'truncate_prompt_tokens',
  'instruction',
  'query',
  'documents',
  'texts',
  'inputs',
  'text_1',
  'text_2',
  '__proto__',
  'constructor',
];

/** The body with some of its members something else. */
function changed(body) {
  const copy = structuredClone(body);
  for (let i = upTo(3); i >= 0; i--) {
    const key = pick([...Object.keys(copy), ...keys]);
    if (Array.isArray(copy[key]) && random() < 0.5) copy[key][upTo(copy[key].length + 1)] = structuredClone(pick(junk));
    else if (random() < 0.2) delete copy[key];
    else
      Object.defineProperty(copy, key, {
        value: structuredClone(pick(junk)),
        enumerable: true,
        configurable: true,
        writable: true,
      });
  }
  return JSON.stringify(copy);
}

/** The bytes with some of them something else, missing or twice. */
function damaged(text) {
  const bytes = Buffer.from(text);
  for (let i = upTo(5); i >= 0; i--) bytes[upTo(bytes.length)] = upTo(256);
  return random() < 0.3 ? bytes.subarray(0, upTo(bytes.length)) : bytes;
}

const post = (path, body, { type = 'application/json', method = 'POST', headers = '' } = {}) => {
  const bytes = Buffer.from(body);
  const head = `${method} ${path} HTTP/1.1\r\nhost: x\r\ncontent-type: ${type}\r\ncontent-length: ${bytes.length}\r\n${headers}\r\n`;
  return Buffer.concat([Buffer.from(head), bytes]);
};
const route = () => pick(Object.keys(bodies));
const whole = (bytes, answers = 1) => ({ parts: [bytes], answers });

/** Kinds of requests: what is sent, in parts, and how many answers must come; none where the connection may just end. */
const kinds = {
  right: (path = route()) => whole(post(path, JSON.stringify(bodies[path]))),
  'wrong types': (path = route()) => whole(post(path, changed(bodies[path]))),
  'for another route': () => whole(post(route(), JSON.stringify(bodies[route()]))),
  'damaged JSON': (path = route()) => whole(post(path, damaged(JSON.stringify(bodies[path])))),
  'deep nesting': () => {
    const [open, close] = pick([
      ['[', ']'],
      ['{"query":', '}'],
    ]);
    const depth = 1 + upTo(20_000);
    return whole(post(route(), `${open.repeat(depth)}1${close.repeat(depth)}`.slice(0, maxBodyBytes)));
  },
  'too large': () => whole(post(route(), `"${'a'.repeat(maxBodyBytes + upTo(1000))}"`), 0),
  'many documents': () =>
    whole(
      post(
        '/v2/rerank',
        JSON.stringify({ query: 'q', documents: Array(1 + upTo(2000)).fill(pick(['', 'a', 'bread and butter'])) }),
      ),
    ),
  'another type': (path = route()) =>
    whole(
      post(path, JSON.stringify(bodies[path]), {
        type: pick(['text/plain', 'application/json;charset=latin1', 'x', ';', 'multipart/form-data']),
      }),
    ),
  'another method': (path = pick([route(), ...pages])) =>
    whole(post(path, '{}', { method: pick(['PUT', 'DELETE', 'PATCH', 'OPTIONS']) })),
  page: () => whole(Buffer.from(`GET ${pick(pages)} HTTP/1.1\r\nhost: x\r\n\r\n`)),
  'strange headers': (path = route()) =>
    whole(
      post(path, JSON.stringify(bodies[path]), {
        headers: pick([
          'x-timeout-ms: 1e9\r\n',
          'x-timeout-ms: 999999999999\r\n',
          'x-request-id: \u0001\r\n',
          'traceparent: 00-x-y-z\r\n',
          `x-request-id: ${'a'.repeat(5000)}\r\n`,
          'authorization: Bearer x\r\n',
          'expect: 100-continue\r\n',
          'traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\n',
        ]),
      }),
      0,
    ),
  slow: (path = route()) => {
    const bytes = post(path, JSON.stringify(bodies[path]));
    const cuts = [upTo(bytes.length), upTo(bytes.length)].sort((a, b) => a - b);
    return {
      parts: [bytes.subarray(0, cuts[0]), bytes.subarray(cuts[0], cuts[1]), bytes.subarray(cuts[1])],
      answers: 1,
    };
  },
  cut: (path = route()) => {
    const bytes = post(path, JSON.stringify(bodies[path]));
    return { parts: [bytes.subarray(0, 1 + upTo(bytes.length - 1))], answers: 0, hangUp: true };
  },
  'hung up': (path = route()) => ({ parts: [post(path, JSON.stringify(bodies[path]))], answers: 0, hangUp: true }),
  'at once': () => {
    const requests = Array.from({ length: 2 + upTo(4) }, () => pick(['right', 'wrong types', 'page']));
    return whole(Buffer.concat(requests.map((kind) => kinds[kind]().parts[0])), requests.length);
  },
  chunked: (path = route()) => {
    const body = JSON.stringify(bodies[path]);
    const at = upTo(body.length);
    const chunk = (text) => `${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n`;
    const end = pick(['0\r\n\r\n', '0\r\n\r\n', 'zz\r\n', 'ffffffffffffffffff\r\n']);
    const chunks = [body.slice(0, at), body.slice(at)].filter(Boolean).map(chunk).join('');
    const head = `POST ${path} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n`;
    return {
      parts: [Buffer.from(head + chunks + end)],
      answers: end.startsWith('0') ? 1 : 0,
      hangUp: !end.startsWith('0'),
    };
  },
  'broken HTTP': (path = route()) => ({
    parts: [damaged(post(path, JSON.stringify(bodies[path])).subarray(0, 120))],
    answers: 0,
    hangUp: true,
  }),
};

/** The statuses of the complete answers in what has come. */
function statuses(bytes) {
  const found = [];
  let rest = bytes;
  for (;;) {
    const end = rest.indexOf('\r\n\r\n');
    if (end < 0) return found;
    const head = rest.subarray(0, end).toString('latin1');
    const length = Number(/content-length: (\d+)/i.exec(head)?.[1] ?? 0);
    if (rest.length < end + 4 + length) return found;
    const status = Number(head.slice(9, 12));
    if (status >= 200) found.push(status);
    rest = rest.subarray(end + 4 + length);
  }
}

async function send(port, { parts, answers, hangUp }) {
  const socket = connect(port, '127.0.0.1');
  let received = Buffer.alloc(0);
  let end;
  const ended = new Promise((resolve) => (end = resolve));
  socket.on('data', (chunk) => {
    received = Buffer.concat([received, chunk]);
    if (answers > 0 && statuses(received).length >= answers) end();
  });
  socket.on('error', () => end()).on('close', () => end());
  for (const [i, part] of parts.entries()) {
    if (i > 0) await wait(upTo(30));
    if (!socket.destroyed) socket.write(part);
  }
  if (hangUp) {
    await wait(upTo(20));
    socket.destroy();
  }
  const late = await Promise.race([
    ended.then(() => false),
    wait(answers > 0 || hangUp ? deadlineMs : 300, true, { ref: false }),
  ]);
  socket.destroy();
  const got = statuses(received);
  const bad = got.filter((status) => status >= 500 && status !== 503);
  if (bad.length > 0) return { got, failure: `status ${bad}: ${received.toString('latin1').slice(-300)}` };
  if (got.length < answers)
    return { got, failure: `${late ? 'no answer in time' : 'the connection ended'}: ${got.length} of ${answers}` };
  return { got };
}

const server = await startServer(['--no-log', '--max-body-bytes', String(maxBodyBytes), '--max-documents', '1000']);
const port = Number(new URL(server.url).port);
const scores = async () => {
  const headers = { 'content-type': 'application/json' };
  const response = await fetch(`${server.url}/rerank`, {
    method: 'POST',
    headers,
    body: JSON.stringify(bodies['/rerank']),
  });
  return JSON.stringify(await response.json());
};
const before = await scores();
const failures = [];
const table = new Map();
const memory = [];
let sent = 0;
async function sender() {
  while (sent < count && server.child.exitCode === null) {
    if (sent++ % Math.ceil(count / 10) === 0 && sent > 1)
      memory.push(await metric(server.url, 'process_resident_memory_bytes'));
    const kind = pick(Object.keys(kinds));
    const request = kinds[kind]();
    const { got, failure } = await send(port, request);
    const row = table.get(kind) ?? new Map();
    for (const status of got.length > 0 ? got : ['none']) row.set(status, (row.get(status) ?? 0) + 1);
    table.set(kind, row);
    if (failure) failures.push(`${kind}: ${failure}\n  ${request.parts.map(String).join('').slice(0, 400)}`);
  }
}
const started = performance.now();
await Promise.all(Array.from({ length: 16 }, sender));
const seconds = (performance.now() - started) / 1000;
if (server.child.exitCode !== null || server.child.signalCode !== null)
  failures.push(`the server ended: ${server.stderr()}`);
else {
  await wait(500);
  if ((await scores()) !== before) failures.push('the same pairs have other scores');
  const inFlight = await metric(server.url, 'vllm:num_requests_running');
  if (inFlight !== 0) failures.push(`${inFlight} calls are in flight at the end`);
  memory.push(await metric(server.url, 'process_resident_memory_bytes'));
}
server.child.kill('SIGTERM');
const { code } = await server.exit;
if (code !== 0) failures.push(`the server ended with ${code}: ${server.stderr()}`);

for (const [kind, row] of [...table].sort()) {
  const cells = [...row].sort().map(([status, n]) => `${status}: ${n}`);
  console.log(`${kind.padEnd(18)} ${cells.join('  ')}`);
}
for (const failure of failures.slice(0, values.verbose ? undefined : 20)) console.log(`FAILURE ${failure}`);
const megabytes = memory.map((bytes) => `${(bytes / 1e6).toFixed(0)} MB`).join(', ');
console.log(`resident memory ${megabytes}; ${(sent / seconds).toFixed(0)} requests a second`);
console.log(`${sent} requests from seed ${values.seed}: ${failures.length} failures`);
process.exitCode = failures.length > 0 ? 1 : 0;
