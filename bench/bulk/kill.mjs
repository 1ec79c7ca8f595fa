// node bench/bulk/kill.mjs [--pairs 100000] [--workers 3] [--kills 20] [--redis-kills 2] [--seed 1]: `zrank bulk` on
// generated texts, with a Redis of its own (redis-server on the path, AOF). First one worker without disturbance, then
// several of which one after the other gets SIGKILL at random, and Redis too. Both collected files must be equal byte
// for byte, and shards given out again no more often than workers or Redis were killed. Prints figures as JSON; exit
// code 1 for a failure.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { Queue } from 'bullmq';
import { seededRandom } from '../../dist/random.js';

const { values } = parseArgs({
  options: {
    pairs: { type: 'string', default: '100000' },
    workers: { type: 'string', default: '3' },
    kills: { type: 'string', default: '20' },
    'redis-kills': { type: 'string', default: '2' },
    'shard-tokens': { type: 'string', default: '10000' },
    seed: { type: 'string', default: '1' },
  },
});
const [pairs, workers, kills, redisKills] = ['pairs', 'workers', 'kills', 'redis-kills'].map((name) => +values[name]);
const random = seededRandom(Number(values.seed));
const zrankPath = fileURLToPath(new URL('../../dist/cli/zrank.js', import.meta.url));
const folder = await mkdtemp(join(tmpdir(), 'zrank-bulk-'));
const file = (name) => join(folder, name);
/** Whatever becomes of this process. */
const children = new Set();
process.once('exit', () => {
  for (const child of children) child.kill('SIGKILL');
});

function start(command, args, options) {
  const child = spawn(command, args, options);
  children.add(child);
  child.once('exit', () => children.delete(child));
  return child;
}

async function zrank(...args) {
  const child = start(process.execPath, [zrankPath, 'bulk', ...args], { stdio: ['ignore', 'ignore', 'pipe'] });
  let stderr = '';
  child.stderr.on('data', (chunk) => (stderr += chunk));
  const [code] = await once(child, 'close');
  if (code !== 0) throw new Error(`zrank bulk ${args.join(' ')}: ${stderr}`);
}

async function freePort() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  return port;
}

async function writeTexts() {
  const words = 'bread paper bag fresh river water court contract rate tax loop array cell blood oil train'.split(' ');
  const text = (count) => Array.from({ length: count }, () => words[Math.floor(random() * words.length)]).join(' ');
  const perQuery = 50;
  const documents = 2000;
  const queries = Math.ceil(pairs / perQuery);
  const lines = (count, make) => Array.from({ length: count }, (_, i) => make(i)).join('');
  await writeFile(
    file('queries.jsonl'),
    lines(queries, (i) => `${JSON.stringify({ _id: `q${i}`, text: text(5) })}\n`),
  );
  await writeFile(
    file('corpus.jsonl'),
    lines(documents, (i) => `${JSON.stringify({ _id: `d${i}`, text: text(3 + Math.floor(random() * 20)) })}\n`),
  );
  const candidates = (query) => {
    const first = Math.floor(random() * documents);
    return lines(Math.min(perQuery, pairs - query * perQuery), (i) => {
      return `q${query} Q0 d${(first + 7 * i) % documents} ${i + 1} ${perQuery - i} generated\n`;
    });
  };
  await writeFile(file('candidates.trec'), lines(queries, candidates));
}

const port = await freePort();
const redisUrl = `redis://127.0.0.1:${port}`;
async function startRedis() {
  const args = ['--port', String(port), '--bind', '127.0.0.1', '--dir', folder, '--appendonly', 'yes', '--save', ''];
  const child = start('redis-server', args, { stdio: ['ignore', 'pipe', 'ignore'] });
  for await (const line of createInterface({ input: child.stdout })) if (/Ready to accept/.test(line)) break;
  child.stdout.resume();
  return child;
}

/** How often each shard was computed, as workers tell. */
const computed = new Map();
let redeliveries = 0;
function startWorker(queue) {
  const args = ['bulk', 'work', '--redis', redisUrl, '--queue', queue, '--until-empty'];
  args.push('--stalled-after', '3', '--threads', '1', '--tries', '20');
  const child = start(process.execPath, [zrankPath, ...args], { stdio: ['ignore', 'ignore', 'pipe'] });
  createInterface({ input: child.stderr }).on('line', (line) => {
    const [, shard, what] = /shard (\w+): (was there|\d+ pairs)/.exec(line) ?? [];
    if (what === 'was there') redeliveries++;
    else if (shard !== undefined) computed.set(shard, (computed.get(shard) ?? 0) + 1);
    if (/error|TypeError|failed/.test(line)) console.error(line);
  });
  return child;
}

async function submit(name) {
  const inputs = ['--queries', 'queries.jsonl', '--corpus', 'corpus.jsonl', '--candidates', 'candidates.trec'];
  const paths = inputs.map((text) => (text.startsWith('--') ? text : file(text)));
  const settings = ['--precision', 'fp32', '--shard-tokens', values['shard-tokens']];
  await zrank(
    'submit',
    ...paths,
    ...settings,
    '--name',
    name,
    '--store',
    file('store'),
    '--redis',
    redisUrl,
    '--queue',
    name,
  );
}

async function collected(name) {
  await zrank('collect', '--name', name, '--store', file('store'), '--out', file(`${name}.trec`));
  return readFile(file(`${name}.trec`));
}

let redis = await startRedis();
await writeTexts();

await submit('alone');
let began = performance.now();
const [aloneCode] = await once(startWorker('alone'), 'exit');
const aloneSeconds = (performance.now() - began) / 1000;
const expected = await collected('alone');
const shards = computed.size;
computed.clear();
redeliveries = 0;

await submit('disturbed');
began = performance.now();
let workerKills = 0;
let isDone = false;
/** A worker that is there until the queue is empty: another takes the place of one that was killed. */
const running = new Array(workers);
const seats = running.fill(undefined).map(async (_, seat) => {
  for (;;) {
    running[seat] = startWorker('disturbed');
    const [code, signal] = await once(running[seat], 'exit');
    if (signal !== 'SIGKILL') return code;
  }
});
const all = Promise.all(seats).then((codes) => {
  isDone = true;
  return codes;
});
/** Each kill when so many of the shards are computed. */
const order = [...Array(kills).fill('worker'), ...Array(redisKills).fill('redis')]
  .map((what) => ({ what, after: Math.floor(shards * 0.9 * random()) }))
  .sort((a, b) => a.after - b.after);
let redisKilled = 0;
for (const { what, after } of order) {
  while (computed.size < after && !isDone) await wait(20);
  if (isDone) break;
  // In the middle of a shard rather than at its end.
  await wait(500 * random());
  if (what === 'worker') {
    if (running[Math.floor(random() * workers)].kill('SIGKILL')) workerKills++;
  } else {
    redis.kill('SIGKILL');
    await once(redis, 'exit');
    redisKilled++;
    await wait(300);
    redis = await startRedis();
  }
}
const codes = await all;
const disturbedSeconds = (performance.now() - began) / 1000;
const found = await collected('disturbed');
const isEqual = expected.equals(found);
const queue = new Queue('disturbed', { connection: { url: redisUrl } });
/** How often each shard was given to a worker, whatever became of that. */
const starts = (await queue.getCompleted()).map(({ attemptsStarted }) => attemptsStarted);
await queue.close();
const times = [...computed.values()].reduce((sum, count) => sum + count, 0);
const figures = {
  pairs,
  shards,
  workers,
  workerKills,
  redisKills: redisKilled,
  isEqual,
  lines: expected.toString().split('\n').length - 1,
  starts: starts.reduce((sum, count) => sum + count, 0),
  mostStartsOfOneShard: Math.max(...starts),
  // Of a worker that lives to say so.
  computations: times,
  redeliveries,
  exitCodes: [aloneCode, ...codes],
  aloneSeconds: Math.round(aloneSeconds * 10) / 10,
  disturbedSeconds: Math.round(disturbedSeconds * 10) / 10,
};
console.log(JSON.stringify(figures));
redis.kill('SIGKILL');
await rm(folder, { recursive: true, force: true });
const isRight =
  isEqual &&
  figures.lines === pairs &&
  figures.exitCodes.every((code) => code === 0) &&
  starts.length === shards &&
  figures.starts <= shards + workerKills + redisKilled * workers;
process.exit(isRight ? 0 : 1);
