// Measures NDCG@10 before and after reranking, on the embedded datasets. The same from the shell: npx zrank eval
// data/domains
import { benchmark, BiEncoder, compare, DenseRetriever, evaluate, openBeir, Reranker } from 'zrank';

const model = process.argv[2] ?? 'models/zrank-tiny';
const retrieverModel = process.argv[3] ?? 'models/zrank-tiny-retriever';
const options = { measures: ['ndcg@10'] };

await using encoder = await BiEncoder.load(retrieverModel);
await using reranker = await Reranker.load(model);

for (const name of ['finance', 'legal', 'code']) {
  const dataset = await openBeir(`data/domains/${name}`);
  const { before, after } = await benchmark(dataset, {
    retriever: new DenseRetriever({ encoder }),
    reranker,
    candidates: 10,
  });
  const result = compare(evaluate(dataset.qrels, before, options), evaluate(dataset.qrels, after, options), 'ndcg@10');
  const { low, high } = result.interval;
  console.log(
    `${name.padEnd(8)} NDCG@10 ${result.before.toFixed(3)} before, ${result.after.toFixed(3)} after: ` +
      `change ${result.change.toFixed(3)}, 95 % interval ${low.toFixed(3)} to ${high.toFixed(3)}`,
  );
}
