// node bench/bulk/throughput.mjs [--model zrank-tiny] [--queries 200] [--documents 50] [--words 120] [--rounds 3]: the
// rate of two workers of `zrank bulk`, a thread each, beside that of one process whose pool has two workers, on the same
// texts, in turns. Loading is not counted. It needs redis-server on the path.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { Queue } from 'bullmq';
import { FolderStore, Scorer, submit } from '../../dist/bulk/bullmq.js';
import { Reranker } from '../../dist/index.js';
import { seededRandom } from '../../dist/random.js';

const { values } = parseArgs({
  options: {
    model: { type: 'string', default: 'zrank-tiny' },
    queries: { type: 'string', default: '200' },
    documents: { type: 'string', default: '50' },
    words: { type: 'string', default: '120' },
    rounds: { type: 'string', default: '3' },
    port: { type: 'string', default: '6397' },
  },
});
const { model } = values;
const random = seededRandom(1);
const vocabulary = 'bread paper bag fresh river water court contract rate tax loop array cell blood oil train'.split(
  ' ',
);
const text = (words) => Array.from({ length: words }, () => vocabulary[Math.floor(random() * 16)]).join(' ');
const queries = Array.from({ length: Number(values.queries) }, (_, q) => ({
  id: `q${q}`,
  text: text(8),
  documents: Array.from({ length: Number(values.documents) }, (_, d) => ({ id: `d${d}`, text: text(+values.words) })),
}));
const pairs = queries.length * Number(values.documents);
const folder = await mkdtemp(join(tmpdir(), 'zrank-bulk-'));
const redisArgs = ['--port', values.port, '--bind', '127.0.0.1', '--dir', folder, '--appendonly', 'yes', '--save', ''];
const redis = spawn('redis-server', redisArgs, { stdio: ['ignore', 'pipe', 'ignore'] });
process.once('exit', () => redis.kill('SIGKILL'));
for await (const line of createInterface({ input: redis.stdout })) if (/Ready to accept/.test(line)) break;
redis.stdout.resume();
const url = `redis://127.0.0.1:${values.port}`;
const zrankPath = fileURLToPath(new URL('../../dist/cli/zrank.js', import.meta.url));
const scorer = await Scorer.open(model);

/** Pairs a second of two workers, from the first shard's beginning to the last one's end. */
async function bulk(name) {
  const queue = new Queue(name, { connection: { url } });
  const settings = { model: scorer.model, precision: 'fp32' };
  const args = ['bulk', 'work', '--redis', url, '--queue', name, '--threads', '1', '--model', model];
  const workers = [1, 2].map(() => spawn(process.execPath, [zrankPath, ...args], { stdio: 'ignore' }));
  // A first job loads the models.
  const warm = { name: `${name}-warm`, settings, shardTokens: 1000 };
  await submit(queue, new FolderStore(folder), queries.slice(0, 10), warm);
  await untilEmpty(queue);
  const { manifest } = await submit(queue, new FolderStore(folder), queries, { name, settings, shardTokens: 10_000 });
  await untilEmpty(queue);
  const jobs = (await queue.getCompleted()).filter((job) => job.name === name);
  if (jobs.length !== manifest.shards.length) throw new Error(`${jobs.length} of ${manifest.shards.length} shards`);
  await queue.close();
  for (const worker of workers) worker.kill('SIGTERM');
  await Promise.all(workers.map((worker) => once(worker, 'exit')));
  const first = Math.min(...jobs.map(({ processedOn }) => processedOn));
  return (1000 * pairs) / (Math.max(...jobs.map(({ finishedOn }) => finishedOn)) - first);
}

async function untilEmpty(queue) {
  for (;;) {
    const counts = await queue.getJobCounts('wait', 'prioritized', 'active', 'delayed');
    if (Object.values(counts).every((count) => count === 0)) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

/** Pairs a second of one process, eight queries at a time. */
async function pool() {
  const reranker = await Reranker.load(model, { workers: 2, precision: 'fp32' });
  await reranker.rank(
    queries[0].text,
    queries[0].documents.map((document) => document.text),
  );
  const began = performance.now();
  const waiting = queries.values();
  const work = async () => {
    for (const { text, documents } of waiting)
      await reranker.rank(
        text,
        documents.map((document) => document.text),
      );
  };
  await Promise.all(Array.from({ length: 8 }, work));
  const rate = (1000 * pairs) / (performance.now() - began);
  await reranker.close();
  return rate;
}

const ratios = [];
for (let round = 1; round <= Number(values.rounds); round++) {
  const [alone, together] = [await pool(), await bulk(`round-${round}`)];
  ratios.push(together / alone);
  console.log(
    `${round}: pool ${alone.toFixed(0)} pairs/s, two workers ${together.toFixed(0)}, ratio ${(together / alone).toFixed(3)}`,
  );
}
ratios.sort((a, b) => a - b);
console.log(`${model}, ${pairs} pairs: median ratio ${ratios[ratios.length >> 1].toFixed(3)}`);
await scorer.close();
redis.kill('SIGKILL');
await rm(folder, { recursive: true, force: true });
