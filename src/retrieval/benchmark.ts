import { isCallFailure, type ZrankError } from '../error.js';
import { aBoolean, aFunction, anAbortSignal, aPositiveInteger, aString, checkOptions } from '../options.js';
import type { BeirDataset, BeirDocument } from '../evaluation/beir.js';
import type { Run } from '../evaluation/run.js';
import {
  defaultCandidates,
  RetrieveAndRerank,
  type RerankedDocument,
  type RetrieveAndRerankOptions,
} from './pipeline.js';

export type BenchmarkStage = 'index' | 'retrieve' | 'rerank';

export interface BenchmarkOptions {
  /** Ends the call with ABORTED. */
  signal?: AbortSignal;
  /** Called as documents are indexed, whose number is not known before the end, and as queries are answered. */
  onProgress?: (progress: { stage: BenchmarkStage; completed: number; total?: number }) => void;
  /** Queries that are retrieved and then reranked side by side, so that batches fill. @default 8 */
  concurrency?: number;
  /** What makes a document relevant, in words, as Reranker.rank() takes it. */
  instruction?: string;
  /** Takes the document whose id is the query's for no candidate, as BEIR does. @default false */
  ignoreIdenticalIds?: boolean;
}

export interface Benchmark {
  documents: number;
  /** Pairs of query and document that were scored. */
  pairs: number;
  /** The queries that could not be answered, such as one that is too long, and why; neither run has them. */
  failed: ReadonlyMap<string, ZrankError>;
  /** Each answered query's candidates after reranking, best first, in the order of the queries. */
  hits: ReadonlyMap<string, readonly RerankedDocument<BeirDocument>[]>;
  /** The candidates by the retriever's score. */
  before: Run;
  /** The same candidates by the reranker's logit. */
  after: Run;
  /** Wall-clock time of each stage. */
  seconds: Readonly<Record<BenchmarkStage, number>>;
}

export const benchmarkRules = {
  signal: anAbortSignal,
  onProgress: aFunction,
  concurrency: aPositiveInteger,
  instruction: aString,
  ignoreIdenticalIds: aBoolean,
};

/**
 * Indexes a dataset's corpus, retrieves candidates for each of its queries and reranks them. Both runs hold the
 * candidates only. A query that fails does not keep the others from being answered.
 *
 * @param pipeline an empty retriever, a reranker, and the number of candidates
 * @throws ZrankError what the dataset throws; ABORTED, CLOSED; where no query can be answered, why the first cannot
 */
export async function benchmark(
  dataset: BeirDataset,
  pipeline: RetrieveAndRerankOptions,
  options: BenchmarkOptions = {},
): Promise<Benchmark> {
  checkOptions('benchmark()', options, benchmarkRules);
  const { signal, onProgress, concurrency = 8, instruction, ignoreIdenticalIds = false } = options;
  const { candidates = defaultCandidates } = pipeline;
  const search = new RetrieveAndRerank<BeirDocument>(pipeline);
  const total = dataset.queries.size;
  const seconds = stopwatch();

  const documents = await search.index(dataset.documents(), {
    ...(signal && { signal }),
    onProgress: ({ indexed }) => onProgress?.({ stage: 'index', completed: indexed }),
  });
  const index = seconds();

  const failed = new Map<string, ZrankError>();
  /** A result for each query that does not fail, in their order. Any other error aborts the rest. */
  const eachQuery = async <T>(
    stage: BenchmarkStage,
    waiting: IterableIterator<string>,
    work: (text: string, id: string, signal: AbortSignal) => Promise<T>,
  ): Promise<Map<string, T>> => {
    const failure = new AbortController();
    const results = new Map<string, T>();
    const workers = Array.from({ length: Math.min(concurrency, total) }, async () => {
      // One each: Node.js warns of more than ten listeners on a signal.
      const abort = AbortSignal.any([failure.signal, ...(signal ? [signal] : [])]);
      for (const id of waiting) {
        try {
          results.set(id, await work(dataset.queries.get(id)!, id, abort));
        } catch (error) {
          if (!isCallFailure(error)) throw error;
          failed.set(id, error);
        }
        onProgress?.({ stage, completed: results.size + failed.size, total });
      }
    });
    try {
      await Promise.all(workers);
    } catch (error) {
      failure.abort(error);
      await Promise.allSettled(workers);
      throw error;
    }
    return inOrder(dataset.queries.keys(), results);
  };
  const retrieved = await eachQuery('retrieve', dataset.queries.keys(), async (text, query, signal) => {
    if (!ignoreIdenticalIds) return search.retrieve(text, { signal });
    const found = await search.retrieve(text, { candidates: candidates + 1, signal });
    return found.filter(({ id }) => id !== query).slice(0, candidates);
  });
  const retrieve = seconds();
  const hits = await eachQuery('rerank', retrieved.keys(), (text, id, signal) =>
    search.rerank(text, retrieved.get(id)!, { signal, ...(instruction !== undefined && { instruction }) }),
  );
  const failures = inOrder(dataset.queries.keys(), failed);
  const [reason] = failures.values();
  if (reason && hits.size === 0) throw reason;
  return {
    documents,
    pairs: [...hits.values()].reduce((sum, { length }) => sum + length, 0),
    failed: failures,
    hits,
    before: toRun(hits, ({ retrievalScore }) => retrievalScore),
    after: toRun(hits, ({ logit }) => logit),
    seconds: { index, retrieve, rerank: seconds() },
  };
}

/** The entries of a map in the order of keys, those that it has. */
function inOrder<T>(keys: Iterable<string>, map: ReadonlyMap<string, T>): Map<string, T> {
  return new Map([...keys].filter((key) => map.has(key)).map((key) => [key, map.get(key)!]));
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
