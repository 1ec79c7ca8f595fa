import { ZrankError } from '../error.js';
import { anAbortSignal, aPositiveInteger, aString, checkOptions, type Rule } from '../options.js';
import type { Hit, RankOptions } from '../reranker-options.js';
import { DocumentIndex, type IndexOptions, type RetrievedDocument } from './document-index.js';
import { type CorpusDocument, type Retriever, searchableText } from './retriever.js';

/** What scores the candidates; a Reranker is one. */
export interface CandidateRanker {
  rank(query: string, documents: readonly string[], options?: RankOptions): Promise<Hit[]>;
}

export const defaultCandidates = 50;

export interface RetrieveAndRerankOptions {
  retriever: Retriever;
  reranker: CandidateRanker;
  /** How many documents are retrieved and scored for a query. @default 50 */
  candidates?: number;
}

export interface SearchOptions {
  /** How many documents are retrieved and scored. @default as the pipeline was made */
  candidates?: number;
  /** How many hits to return. @default all candidates */
  topN?: number;
  /** What makes a document relevant, in words, as Reranker.rank() takes it. */
  instruction?: string;
  /** Which documents are searched, as the retriever takes it; INVALID_ARGUMENT where it takes none. */
  filter?: unknown;
  /** Ends the call with ABORTED. */
  signal?: AbortSignal;
}

export interface RerankedDocument<D extends CorpusDocument = CorpusDocument> extends RetrievedDocument<D> {
  /** After reranking, counted from 1. */
  rank: number;
  /** The reranker's, between 0 and 1. */
  score: number;
  /** The reranker's raw score. */
  logit: number;
  /** Whether the reranker saw only a beginning of the document, or of the query. */
  truncated: boolean;
}

const constructorRules: Record<string, Rule> = {
  retriever: { expected: 'a retriever', test: (value) => typeof (value as Retriever | null)?.search === 'function' },
  reranker: { expected: 'a reranker', test: (value) => typeof (value as CandidateRanker | null)?.rank === 'function' },
  candidates: aPositiveInteger,
};
const anyValue: Rule = { expected: 'anything', test: () => true };
const searchRules = {
  filter: anyValue,
  candidates: aPositiveInteger,
  topN: aPositiveInteger,
  instruction: aString,
  signal: anAbortSignal,
};

/** Finds candidates with a fast retriever and puts them in the order of a reranker's scores. */
export class RetrieveAndRerank<D extends CorpusDocument = CorpusDocument> {
  readonly #documents: DocumentIndex<D>;
  readonly #reranker: CandidateRanker;
  readonly #candidates: number;

  constructor(options: RetrieveAndRerankOptions) {
    checkOptions('RetrieveAndRerank', options, constructorRules);
    const { retriever, reranker, candidates = defaultCandidates } = options;
    if (!retriever) throw ZrankError.argument('retriever of RetrieveAndRerank', 'a retriever', retriever);
    if (!reranker) throw ZrankError.argument('reranker of RetrieveAndRerank', 'a reranker', reranker);
    this.#documents = new DocumentIndex<D>(retriever);
    this.#reranker = reranker;
    this.#candidates = candidates;
  }

  /** How many documents are indexed. */
  get size(): number {
    return this.#documents.size;
  }

  /** As DocumentIndex.index(). */
  index(corpus: Iterable<D> | AsyncIterable<D>, options: IndexOptions = {}): Promise<number> {
    return this.#documents.index(corpus, options);
  }

  /** As DocumentIndex.remove(). */
  remove(ids: readonly string[]): Promise<void> {
    return this.#documents.remove(ids);
  }

  /**
   * The best documents for the query, best first; equal scores keep the retriever's order.
   *
   * @throws ZrankError DATA_INVALID where nothing is indexed; what the retriever and the reranker throw
   */
  async search(query: string, options: SearchOptions = {}): Promise<RerankedDocument<D>[]> {
    return this.rerank(query, await this.retrieve(query, options), options);
  }

  /** The first half of search(): the candidates, in the retriever's order. */
  async retrieve(query: string, options: SearchOptions = {}): Promise<RetrievedDocument<D>[]> {
    checkOptions('retrieve()', options, searchRules);
    const { candidates = this.#candidates, filter, signal } = options;
    return this.#documents.search(query, candidates, { filter, ...(signal && { signal }) });
  }

  /** The second half of search(): scores candidates and orders them by it. */
  async rerank(
    query: string,
    retrieved: readonly RetrievedDocument<D>[],
    options: SearchOptions = {},
  ): Promise<RerankedDocument<D>[]> {
    checkOptions('rerank()', options, searchRules);
    const { topN, instruction, signal } = options;
    const texts = retrieved.map(({ document }) => searchableText(document));
    const hits = await this.#reranker.rank(query, texts, {
      ...(topN !== undefined && { topN }),
      ...(instruction !== undefined && { instruction }),
      ...(signal && { signal }),
    });
    return hits.map(({ index, score, logit, truncated }, i) => ({
      ...retrieved[index]!,
      rank: i + 1,
      score,
      logit,
      truncated,
    }));
  }
}
