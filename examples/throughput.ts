// How many pairs are scored in a second: one call a pair, and all pairs in one call. npx zrank bench measures it with
// care.
import { openBeir, Reranker, type Pair } from 'zrank';

const model = process.argv[2] ?? 'models/zrank-small';
const dataset = await openBeir('data/domains/finance');
const documents: string[] = [];
for await (const { text } of dataset.documents()) documents.push(text);
const queries = [...dataset.queries.values()].slice(0, 4);
const pairs = queries.flatMap((query) => documents.map((document): Pair => [query, document]));

await using reranker = await Reranker.load(model);
await reranker.predict(pairs.slice(0, 8)); // warms up

async function measure(name: string, run: () => Promise<unknown>): Promise<void> {
  const start = performance.now();
  await run();
  const seconds = (performance.now() - start) / 1000;
  const rate = (pairs.length / seconds).toFixed(0);
  console.log(`${name.padEnd(16)} ${pairs.length} pairs in ${seconds.toFixed(2)} s, ${rate} a second`);
}

await measure('one by one', async () => {
  for (const pair of pairs) await reranker.predict([pair]);
});
await measure('in one call', () => reranker.predict(pairs));
