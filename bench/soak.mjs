// npm run soak [-- --seconds N --json]: what a server does for a year, for some minutes. Calls of random sizes, aborts,
// models that come and go in several precisions, worker threads that end in the middle. Prints the resident memory as
// it goes and, at the end, its slope after warm-up by least squares, and whether the process ends by itself.

import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { Worker } from 'node:worker_threads';
import { linearRegression } from 'simple-statistics';
import { Reranker } from 'zrank';
import { seededRandom } from '../dist/random.js';

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '600' },
    model: { type: 'string', default: fileURLToPath(new URL('../models/zrank-tiny', import.meta.url)) },
    only: { type: 'string', default: 'rank,abort,load,worker' },
    json: { type: 'boolean', default: false },
  },
});
const seconds = Number(values.seconds);
const kinds = values.only.split(',');
const started = performance.now();
const elapsed = () => (performance.now() - started) / 1000;

const random = seededRandom(1);
const words = 'keep bread fresh in a paper bag while parliament debates the new tax on sugar until late at night'.split(
  ' ',
);
const text = (length) => Array.from({ length }, () => words[Math.floor(random() * words.length)]).join(' ');
const documents = () => {
  const length = Math.ceil(10 ** (random() * 2.4));
  return Array.from({ length: Math.ceil(10 ** (random() * 1.8)) }, () => text(Math.ceil(length * (0.5 + random()))));
};

const main = await Reranker.load(values.model, { device: 'cpu' });
const counts = { rank: 0, abort: 0, load: 0, worker: 0 };
const steps = {
  rank: () => main.rank(text(8), documents()),
  abort: async () => {
    const signal = AbortSignal.timeout(Math.ceil(random() * 100));
    await main.rank(text(8), [...documents(), ...documents()], { signal }).catch((error) => {
      if (error.code !== 'ABORTED') throw error;
    });
  },
  load: async () => {
    const precision = ['auto', 'fp32', 'bf16'][Math.floor(random() * 3)];
    const threads = 1 + Math.floor(random() * 2);
    const reranker = await Reranker.load(values.model, { device: 'cpu', precision, threads });
    if (random() < 0.7) await reranker.rank(text(8), documents());
    await reranker.close();
  },
  worker: async () => {
    const script = `
      const { Reranker } = await import(${JSON.stringify(import.meta.resolve('zrank'))});
      const reranker = await Reranker.load(${JSON.stringify(values.model)}, { device: 'cpu' });
      for (;;) await reranker.rank('how do I keep bread fresh', Array(20).fill('in a paper bag '.repeat(9)));`;
    const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(script)}`));
    await new Promise((resolve) => setTimeout(resolve, random() * 1500));
    await worker.terminate();
  },
};

const samples = [];
const threads = () => readdirSync('/proc/self/task').length;
const sampler = setInterval(() => {
  samples.push([elapsed() / 60, process.memoryUsage.rss() / 1e6]);
  if (!values.json && samples.length % 20 === 0) {
    const { rss, heapTotal, external } = process.memoryUsage();
    const megabytes = (bytes) => `${(bytes / 1e6).toFixed(0)} MB`;
    const parts = `${megabytes(heapTotal)} JavaScript's heap, ${megabytes(external)} external`;
    process.stderr.write(`${elapsed().toFixed(0)} s: ${megabytes(rss)} (${parts}), ${threads()} threads\n`);
  }
}, 500);

/** Each kind on its own, side by side, as the users of a server are. */
await Promise.all(
  kinds.map(async (kind) => {
    while (elapsed() < seconds) {
      await steps[kind]();
      counts[kind]++;
      // Half of the time nobody calls.
      await new Promise((resolve) => setTimeout(resolve, random() * 20));
    }
  }),
);
clearInterval(sampler);
// The heaps of ONNX Runtime, of malloc and of the threads' isolates meet their largest batches in the first minutes.
const settled = samples.filter(([minutes]) => minutes * 60 > seconds / 3);
const before = process.memoryUsage.rss() / 1e6;
await main.close();
const result = {
  seconds,
  counts,
  rssMegabytes: { least: Math.min(...settled.map(([, rss]) => rss)), most: Math.max(...settled.map(([, rss]) => rss)) },
  slopeMegabytesPerMinute: linearRegression(settled).m,
  rssAtEnd: before,
  rssAfterClose: process.memoryUsage.rss() / 1e6,
  threadsAtEnd: threads(),
};
process.stdout.write(`${values.json ? JSON.stringify(result) : JSON.stringify(result, null, 2)}\n`);
