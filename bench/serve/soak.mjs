// node bench/serve/soak.mjs [--seconds 600] [--clients 16]: mixed load on `zrank serve`: calls of all sizes in all
// dialects, a third of which the client breaks off. Prints the server's resident memory as it goes, by how much the last
// quarter differs from the second one, which is after warm-up, and what is in flight at the end, which must be nothing.

import { setTimeout as wait } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { medianSorted } from 'simple-statistics';
import { seededRandom } from '../../dist/random.js';
import { dialects } from '../../dist/server/dialects.js';
import { metric, startServer } from './serving.mjs';

const { values } = parseArgs({
  options: { seconds: { type: 'string', default: '600' }, clients: { type: 'string', default: '16' } },
});
const milliseconds = 1000 * Number(values.seconds);
const random = seededRandom(1);
const names = Object.keys(dialects);
const server = await startServer(['--no-log', '--max-queue-tokens', '200000']);
const started = performance.now();
const counts = {};

async function client() {
  while (performance.now() - started < milliseconds) {
    const { client } = dialects[names[Math.floor(random() * names.length)]];
    const length = Math.ceil(10 ** (random() * 2));
    const documents = Array.from(
      { length: Math.ceil(10 ** (random() * 2)) },
      (_, i) => `${'keep bread in a bag '.repeat(length)}${i}`,
    );
    const signal = random() < 1 / 3 ? AbortSignal.timeout(Math.ceil(random() * 200)) : undefined;
    const outcome = await fetch(`${server.url}${client.path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(client.body({ query: 'how do I keep bread fresh', documents }, undefined)),
      signal,
    }).then(
      (response) =>
        response.arrayBuffer().then(
          () => response.status,
          () => 'broken off',
        ),
      (error) => (error.name === 'TimeoutError' ? 'broken off' : error.message),
    );
    counts[outcome] = (counts[outcome] ?? 0) + 1;
  }
}

const samples = [];
const clients = Promise.all(Array.from({ length: Number(values.clients) }, client));
while (performance.now() - started < milliseconds) {
  await wait(Math.min(5000, milliseconds / 40));
  samples.push(await metric(server.url, 'process_resident_memory_bytes'));
  if (samples.length % 10 === 0)
    console.log(`${((performance.now() - started) / 1000).toFixed(0)} s: ${(samples.at(-1) / 1e6).toFixed(0)} MB`);
}
await clients;
await wait(500);
const inFlight = await metric(server.url, 'vllm:num_requests_running');
const waiting = await metric(server.url, 'zrank_queue_tokens');
server.child.kill('SIGTERM');
const { code } = await server.exit;

const quarter = (n) => samples.slice((n * samples.length) / 4, ((n + 1) * samples.length) / 4).sort((a, b) => a - b);
const [early, late] = [medianSorted(quarter(1)), medianSorted(quarter(3))];
console.log(JSON.stringify(counts));
console.log(
  `resident memory: ${(early / 1e6).toFixed(0)} MB, then ${(late / 1e6).toFixed(0)} MB: ${(100 * (late / early - 1)).toFixed(1)} %`,
);
console.log(`in flight at the end: ${inFlight} calls, ${waiting} tokens; exit ${code}`);
const statuses = Object.keys(counts).filter((status) => !['200', '429', 'broken off'].includes(status));
process.exitCode =
  inFlight === 0 && waiting === 0 && code === 0 && statuses.length === 0 && late < 1.05 * early ? 0 : 1;
