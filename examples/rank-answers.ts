// Ranks several answers to one question, best first.
import { Reranker } from 'zrank';

const model = process.argv[2] ?? 'models/zrank-small';
const query = 'list index out of range';
const answers = [
  'A list is an ordered collection of items; write it in square brackets, with commas between the items.',
  'The error means that the index is not below the length of the list: check len(items) before you read items[i].',
  'Use sorted(items) to get a sorted copy of a list, or items.sort() to sort it in place.',
  'A KeyError means that a dictionary does not have the key; read it with get() to have a default instead.',
  'range(10) counts from 0 to 9: the end of a range is left out.',
];

await using reranker = await Reranker.load(model);
const hits = await reranker.rank(query, answers, { returnDocuments: true });

console.log(query);
hits.forEach(({ score, index, document }, i) =>
  console.log(`${i + 1}. ${score.toFixed(4)}  (answer ${index + 1})  ${document}`),
);
