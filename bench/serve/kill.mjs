// node bench/serve/kill.mjs [--times 20] [--clients 16]: SIGTERM to `zrank serve` under load, over and over. Every request
// that the server received must have its answer, at the client, and the server must exit with 0. Prints a line a time.

import { Agent, request } from 'node:http';
import { setTimeout as wait } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { seededRandom } from '../../dist/random.js';
import { startServer } from './serving.mjs';

const { values } = parseArgs({
  options: { times: { type: 'string', default: '20' }, clients: { type: 'string', default: '16' } },
});
const random = seededRandom(1);

/** Resolves to the status, or to undefined where the connection ended before a whole answer. */
function post(url, agent, body) {
  return new Promise((resolve) => {
    const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) };
    const sent = request(`${url}/v2/rerank`, { method: 'POST', agent, headers }, (response) => {
      response.resume();
      response.on('close', () => resolve(response.complete ? response.statusCode : undefined));
    });
    sent.on('error', () => resolve(undefined));
    sent.end(body);
  });
}

let failures = 0;
for (let time = 1; time <= Number(values.times); time++) {
  const server = await startServer(['--no-log']);
  const agent = new Agent({ keepAlive: true, maxSockets: Number(values.clients) });
  const statuses = {};
  let stopping = false;
  const client = async () => {
    for (;;) {
      const documents = Array(1 + Math.floor(random() * 60)).fill(
        'keep bread in a paper bag '.repeat(1 + random() * 9),
      );
      const status = await post(server.url, agent, JSON.stringify({ query: 'fresh bread', documents }));
      if (status === undefined && stopping) return;
      statuses[status] = (statuses[status] ?? 0) + 1;
    }
  };
  const clients = Array.from({ length: Number(values.clients) }, client);
  await wait(300 + random() * 1200);
  stopping = true;
  const started = performance.now();
  server.child.kill('SIGTERM');
  const { code, signal } = await server.exit;
  const ms = Math.round(performance.now() - started);
  await Promise.all(clients);
  agent.destroy();
  const [, received, answered] = /stopped: (\d+) requests received, (\d+) answered/.exec(server.stderr()) ?? [];
  const complete = Object.values(statuses).reduce((sum, count) => sum + count, 0);
  const isRight =
    code === 0 &&
    Number(received) === complete &&
    received === answered &&
    Object.keys(statuses).every((status) => status === '200' || status === '503');
  if (!isRight) failures++;
  console.log(
    `${time}: exit ${code ?? signal} after ${ms} ms, ${received} received, ${answered} answered, ${complete} at the clients ${JSON.stringify(statuses)}${isRight ? '' : ' FAILURE'}`,
  );
}
console.log(`${values.times} times SIGTERM under load: ${failures} failures`);
process.exitCode = failures > 0 ? 1 : 0;
