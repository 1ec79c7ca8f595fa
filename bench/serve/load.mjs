// npm run bench:serve [-- --model FOLDER --calls N --documents N --concurrency 1,8,32,256 --rounds N]: what HTTP costs.
// `zrank serve` in a process of its own on loopback against rank() in this one: the same calls at the same concurrency, in
// turn, round by round. Prints throughput and latency of both and their ratios (the median over the rounds); then
// requests a second of 1 query and 5 short documents, beside a Fastify route that only parses and echoes.

import { fork } from 'node:child_process';
import { once } from 'node:events';
import { Agent, request } from 'node:http';
import { cpus } from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { fastify } from 'fastify';
import { medianSorted, quantileSorted } from 'simple-statistics';
import { Reranker } from 'zrank';
import { seededRandom } from '../../dist/random.js';
import { startServer } from './serving.mjs';

if (process.argv[2] === 'echo') await serveEcho();

const { values } = parseArgs({
  options: {
    model: { type: 'string', default: fileURLToPath(new URL('../../models/zrank-tiny', import.meta.url)) },
    calls: { type: 'string', default: '16' },
    documents: { type: 'string', default: '100' },
    tokens: { type: 'string', default: '300-500' },
    concurrency: { type: 'string', default: '1,8,32,256' },
    rounds: { type: 'string', default: '5' },
    small: { type: 'string', default: '2000' },
  },
});
const random = seededRandom(1);
const [fewest, most = fewest] = values.tokens.split('-').map(Number);
const rounds = Number(values.rounds);

const words =
  'the of and to in for is on that by this with you it not or be are from at as your all have new more an was'.split(
    ' ',
  );
const text = (tokens) => Array.from({ length: tokens }, () => words[Math.floor(random() * words.length)]).join(' ');
const call = (documents, least, most) => ({
  query: text(15),
  documents: Array.from({ length: documents }, () => text(least + Math.floor(random() * (most - least + 1)))),
});

/** Runs the calls, so many at a time: {seconds, latencies}, the latter ascending in milliseconds. */
async function timed(calls, concurrency, run) {
  const latencies = [];
  const queue = [...calls];
  const worker = async () => {
    for (let next = queue.pop(); next !== undefined; next = queue.pop()) {
      const start = performance.now();
      await run(next);
      latencies.push(performance.now() - start);
    }
  };
  const start = performance.now();
  await Promise.all(Array.from({ length: concurrency }, worker));
  return { seconds: (performance.now() - start) / 1000, latencies: latencies.sort((a, b) => a - b) };
}

const agent = new Agent({ keepAlive: true, maxSockets: Infinity });
function post(url, body) {
  return new Promise((resolve, reject) => {
    const bytes = Buffer.from(JSON.stringify(body));
    const headers = { 'content-type': 'application/json', 'content-length': bytes.length };
    const sent = request(url, { method: 'POST', agent, headers }, async (response) => {
      const chunks = await response.toArray();
      const answer = JSON.parse(Buffer.concat(chunks).toString());
      if (response.statusCode === 200) resolve(answer);
      else reject(new Error(`${url} answered ${response.statusCode}: ${JSON.stringify(answer)}`));
    });
    sent.on('error', reject);
    sent.end(bytes);
  });
}

const median = (list) => medianSorted([...list].sort((a, b) => a - b));
const p = (quantile, latencies) => quantileSorted(latencies, quantile);
const ms = (value) => `${value.toFixed(value < 10 ? 2 : 0)} ms`.padStart(9);

const server = await startServer(['--no-log', '--model', values.model, '--max-queue-tokens', '100000000']);
const reranker = await Reranker.load(values.model, { specialTokens: 'text', maxQueueTokens: 100_000_000 });
const inProcess = ({ query, documents }) => reranker.rank(query, documents);
const overHttp = (body) => post(`${server.url}/v2/rerank`, body);
const [cpu] = cpus();
console.log(`${cpu.model}, ${cpus().length} cores, ${reranker.precision}, ${values.model}`);
console.log(`${values.documents} documents of ${values.tokens} words a call, ${rounds} rounds`);

for (const concurrency of values.concurrency.split(',').map(Number)) {
  const count = Math.max(Number(values.calls), concurrency);
  const results = { inProcess: [], overHttp: [] };
  const ratios = { throughput: [], p99: [] };
  for (let round = 0; round < rounds; round++) {
    const calls = Array.from({ length: count }, () => call(Number(values.documents), fewest, most));
    const order = round % 2 ? ['overHttp', 'inProcess'] : ['inProcess', 'overHttp'];
    for (const name of order) results[name].push(await timed(calls, concurrency, { inProcess, overHttp }[name]));
    const [own, http] = [results.inProcess.at(-1), results.overHttp.at(-1)];
    ratios.throughput.push(own.seconds / http.seconds);
    ratios.p99.push(p(0.99, http.latencies) / p(0.99, own.latencies));
  }
  console.log(`concurrency ${concurrency}, ${count} calls a round`);
  for (const [name, runs] of Object.entries(results)) {
    const rate = median(runs.map(({ seconds }) => (count * Number(values.documents)) / seconds));
    const [p50, p99] = [0.5, 0.99].map((quantile) => median(runs.map(({ latencies }) => p(quantile, latencies))));
    console.log(`  ${name.padEnd(10)} ${rate.toFixed(0).padStart(7)} documents/s  p50 ${ms(p50)}  p99 ${ms(p99)}`);
  }
  console.log(
    `  HTTP has ${median(ratios.throughput).toFixed(3)} of the throughput and ${median(ratios.p99).toFixed(2)} times the p99`,
  );
}

const echo = fork(fileURLToPath(import.meta.url), ['echo']);
const [echoUrl] = await once(echo, 'message');
const small = Array.from({ length: Number(values.small) }, () => call(5, 5, 12));
const rates = { echo: [], zrank: [], inProcess: [] };
for (let round = 0; round < rounds; round++) {
  const runs = { echo: (body) => post(`${echoUrl}/v2/rerank`, body), zrank: overHttp, inProcess };
  for (const [name, run] of Object.entries(runs))
    rates[name].push(small.length / (await timed(small, 16, run)).seconds);
}
const rate = (name) => `${median(rates[name]).toFixed(0)} requests/s`;
console.log(`1 query, 5 short documents, concurrency 16`);
console.log(`  zrank serve ${rate('zrank')}, a Fastify echo ${rate('echo')}, rank() in process ${rate('inProcess')}`);
echo.kill();
server.child.kill('SIGTERM');
await server.exit;
await reranker.close();
agent.destroy();

/** A Fastify route that parses and echoes, until it is killed. */
async function serveEcho() {
  const app = fastify({ bodyLimit: 2 ** 25 });
  app.post('/v2/rerank', async ({ body }) => body);
  process.send(await app.listen({ host: '127.0.0.1', port: 0 }));
  await new Promise(() => {});
}
