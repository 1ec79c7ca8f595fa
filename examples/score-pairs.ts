// Scores pairs of a query and a document: the relevant one should come out higher.
import { Reranker, toProbability } from 'zrank';

const model = process.argv[2] ?? 'models/zrank-small';
const query = 'how do I keep bread fresh';
const relevant = 'Bread keeps fresh for days in a paper bag at room temperature; freeze what you will not eat soon.';
const irrelevant = 'The price of bread rose by eight percent last year.';

await using reranker = await Reranker.load(model);
const logits = await reranker.predict([
  [query, relevant],
  [query, irrelevant],
]);

for (const [document, logit] of [
  [relevant, logits[0]!],
  [irrelevant, logits[1]!],
] as const) {
  console.log(`${toProbability(logit).toFixed(4)}  (logit ${logit.toFixed(3)})  ${document}`);
}
