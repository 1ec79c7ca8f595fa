// Logits of a reranker by zrank: node score.mjs MODEL. Reads lines of JSON, { "query": string, "documents": string[] },
// and answers each with a line, the array of logits.
import { createInterface } from 'node:readline';
import { Reranker } from 'zrank';

const reranker = await Reranker.load(process.argv[2], { device: 'cpu', precision: 'fp32' });
for await (const line of createInterface({ input: process.stdin })) {
  const { query, documents } = JSON.parse(line);
  const logits = await reranker.predict(documents.map((document) => [query, document]));
  process.stdout.write(`${JSON.stringify([...logits])}\n`);
}
await reranker.close();
