// What calls cost each other: one of many documents and small ones that come while it runs, against the same calls in
// turn. Prints the latency of the small ones, and the ratio of processor seconds: 1 where sharing costs nothing.
// node bench/sharing.mjs MODEL [DOCUMENTS] [ROUNDS]

import { setTimeout } from 'node:timers/promises';
import { Reranker } from 'zrank';

const [model, documentCount = '1000', rounds = '5'] = process.argv.slice(2);
const reranker = await Reranker.load(model);
const documents = Array.from({ length: Number(documentCount) }, (_, i) =>
  `keep bread fresh, ${i}, in a bag `.repeat(12),
);
const smallCalls = 40;

const large = () => reranker.rank('how do I keep bread fresh', documents);

/** Milliseconds until a call of one document is answered. */
async function small(i) {
  const start = performance.now();
  await reranker.rank(`sugar tax ${i}`, ['the parliament debates a tax on sugar']);
  return performance.now() - start;
}

async function inTurn() {
  await large();
  const latencies = [];
  for (let i = 0; i < smallCalls; ++i) latencies.push(await small(i));
  return latencies;
}

async function atOnce() {
  const running = [large()];
  for (let i = 0; i < smallCalls; ++i) {
    await setTimeout(50);
    running.push(small(i));
  }
  return (await Promise.all(running)).slice(1);
}

/** What work() returns, and the processor seconds that it takes. */
async function timed(work) {
  const start = process.cpuUsage();
  const latencies = await work();
  const { user, system } = process.cpuUsage(start);
  return { latencies, seconds: (user + system) / 1e6 };
}

const median = (values) => values.toSorted((a, b) => a - b)[values.length >> 1];
const largest = (values) => Math.max(...values).toFixed(0);

await inTurn();
const ratios = [];
for (let round = 0; round < Number(rounds); ++round) {
  const alone = await timed(inTurn);
  const shared = await timed(atOnce);
  ratios.push(shared.seconds / alone.seconds);
  console.log(
    `small call, median and largest: ${median(alone.latencies).toFixed(0)} and ${largest(alone.latencies)} ms in turn, ` +
      `${median(shared.latencies).toFixed(0)} and ${largest(shared.latencies)} ms at once; ` +
      `processor seconds ${alone.seconds.toFixed(2)} and ${shared.seconds.toFixed(2)}`,
  );
}
console.log(`processor seconds at once / in turn, median: ${median(ratios).toFixed(3)}`);
await reranker.close();
