// Finds candidates with a fast bi-encoder, then puts them in the reranker's order.
import { BiEncoder, DenseRetriever, openBeir, Reranker, RetrieveAndRerank } from 'zrank';

const model = process.argv[2] ?? 'models/zrank-small';
const retrieverModel = process.argv[3] ?? 'models/zrank-tiny-retriever';
const query = 'IndexError: list index out of range';

await using encoder = await BiEncoder.load(retrieverModel);
await using reranker = await Reranker.load(model);
const pipeline = new RetrieveAndRerank({ retriever: new DenseRetriever({ encoder }), reranker, candidates: 10 });

const dataset = await openBeir('data/domains/code');
const indexed = await pipeline.index(dataset.documents());
const hits = await pipeline.search(query);

const show = (position: number, score: number, text: string) =>
  console.log(`${String(position).padStart(2)}. ${score.toFixed(4)}  ${text.slice(0, 90)}…`);
console.log(`${indexed} documents, query: ${query}\n\nbefore, by the bi-encoder`);
for (const hit of hits.toSorted((a, b) => a.retrievalRank - b.retrievalRank))
  show(hit.retrievalRank, hit.retrievalScore, hit.document.text);
console.log('\nafter, by the reranker');
for (const hit of hits) show(hit.rank, hit.score, hit.document.text);
