// Measures NDCG@10 before and after reranking, on the embedded datasets. The same from the shell:
// npx zrank eval data/domains --candidates 10
import { BiEncoder, DenseRetriever, evaluateReranking, findDatasets, openBeir, Reranker } from 'zrank';

await using encoder = await BiEncoder.load(process.argv[3] ?? 'models/zrank-tiny-retriever');
await using reranker = await Reranker.load(process.argv[2] ?? 'models/zrank-small');

for (const { name, folder } of await findDatasets('data/domains')) {
  const pipeline = { retriever: new DenseRetriever({ encoder }), reranker, candidates: 10 };
  const { comparisons } = await evaluateReranking(await openBeir(folder), pipeline, { measures: ['ndcg@10'] });
  for (const { before, after, change, interval } of comparisons) {
    console.log(
      `${name.padEnd(8)} NDCG@10 ${before.toFixed(3)} before, ${after.toFixed(3)} after: ` +
        `change ${change.toFixed(3)}, 95 % interval ${interval.low.toFixed(3)} to ${interval.high.toFixed(3)}`,
    );
  }
}
