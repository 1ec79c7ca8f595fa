import { aFunction, anAbortSignal, aPositiveInteger, aString, checkOptions } from '../options.js';
import type { BeirDataset, BeirDocument } from '../evaluation/beir.js';
import type { Run } from '../evaluation/run.js';
import type { RetrievedDocument } from './document-index.js';
import { RetrieveAndRerank, type RerankedDocument, type RetrieveAndRerankOptions } from './pipeline.js';

export type BenchmarkStage = 'index' | 'retrieve' | 'rerank';

export interface BenchmarkOptions {
  /** Ends the call with ABORTED. */
  signal?: AbortSignal;
  /** Called as documents are indexed, whose number is not known before the end, and as queries are answered. */
  onProgress?: (progress: { stage: BenchmarkStage; completed: number; total?: number }) => void;
  /** Queries that are reranked side by side, so that batches fill. @default 8 */
  concurrency?: number;
  /** What makes a document relevant, in words, as Reranker.rank() takes it. */
  instruction?: string;
}

export interface Benchmark {
  documents: number;
  /** Pairs of query and document that were scored. */
  pairs: number;
  /** Each query's candidates after reranking, best first, in the order of the queries. */
  hits: ReadonlyMap<string, readonly RerankedDocument<BeirDocument>[]>;
  /** The candidates by the retriever's score. */
  before: Run;
  /** The same candidates by the reranker's logit. */
  after: Run;
  /** Wall-clock time of each stage. */
  seconds: Readonly<Record<BenchmarkStage, number>>;
}

const rules = { signal: anAbortSignal, onProgress: aFunction, concurrency: aPositiveInteger, instruction: aString };

/**
 * Indexes a dataset's corpus, retrieves candidates for each of its queries and reranks them. Both runs hold the
 * candidates only; give them to evaluate() and compare().
 *
 * @param pipeline an empty retriever, a reranker, and the number of candidates
 * @throws ZrankError what the dataset, the retriever and the reranker throw
 */
export async function benchmark(
  dataset: BeirDataset,
  pipeline: RetrieveAndRerankOptions,
  options: BenchmarkOptions = {},
): Promise<Benchmark> {
  checkOptions('benchmark()', options, rules);
  const { signal, onProgress, concurrency = 8, instruction } = options;
  const call = signal && { signal };
  const road = new RetrieveAndRerank<BeirDocument>(pipeline);
  const queries = [...dataset.queries];
  const total = queries.length;
  const clock = stopwatch();

  const documents = await road.index(dataset.documents(), {
    ...call,
    onProgress: ({ indexed }) => onProgress?.({ stage: 'index', completed: indexed }),
  });
  const index = clock();

  const retrieved = new Map<string, RetrievedDocument<BeirDocument>[]>();
  for (const [id, text] of queries) {
    retrieved.set(id, await road.retrieve(text, call));
    onProgress?.({ stage: 'retrieve', completed: retrieved.size, total });
  }
  const retrieve = clock();

  // Every query has its place before its hits come, in whatever order.
  const hits = new Map<string, RerankedDocument<BeirDocument>[]>(queries.map(([id]) => [id, []]));
  const failure = new AbortController();
  const rerankCall = {
    signal: AbortSignal.any([failure.signal, ...(signal ? [signal] : [])]),
    ...(instruction !== undefined && { instruction }),
  };
  let completed = 0;
  const waiting = queries.values();
  const lanes = Array.from({ length: Math.min(concurrency, total) }, async () => {
    for (const [id, text] of waiting) {
      hits.set(id, await road.rerank(text, retrieved.get(id)!, rerankCall));
      onProgress?.({ stage: 'rerank', completed: ++completed, total });
    }
  });
  try {
    await Promise.all(lanes);
  } catch (error) {
    failure.abort(error);
    await Promise.allSettled(lanes);
    throw error;
  }
  return {
    documents,
    pairs: [...hits.values()].reduce((sum, { length }) => sum + length, 0),
    hits,
    before: toRun(hits, ({ retrievalScore }) => retrievalScore),
    after: toRun(hits, ({ logit }) => logit),
    seconds: { index, retrieve, rerank: clock() },
  };
}

function toRun(hits: Benchmark['hits'], score: (hit: RerankedDocument<BeirDocument>) => number): Run {
  return new Map([...hits].map(([query, found]) => [query, new Map(found.map((hit) => [hit.id, score(hit)]))]));
}

/** Seconds since the last call. */
function stopwatch(): () => number {
  let last = performance.now();
  return () => {
    const now = performance.now();
    const seconds = (now - last) / 1000;
    last = now;
    return seconds;
  };
}
