import { ZrankError } from '../error.js';
import { aPositiveInteger, aPositiveNumber, checkOptions, type Rule } from '../options.js';
import { checkNewIds, checkSearch } from './check.js';
import {
  type CorpusDocument,
  knownIds,
  type Retrieved,
  type Retriever,
  type RetrieverCallOptions,
} from './retriever.js';

export interface HybridOptions {
  /** Those whose rankings are fused. */
  retrievers: readonly Retriever[];
  /** The constant of reciprocal rank fusion. @default 60 */
  k?: number;
  /** How many documents of each ranking are fused, at least as many as a search asks for. @default 100 */
  depth?: number;
}

const someRetrievers: Rule = {
  expected: 'an array of at least one retriever',
  test: (value) => Array.isArray(value) && value.length > 0,
};
const rules = { retrievers: someRetrievers, k: aPositiveNumber, depth: aPositiveInteger };

/** Several retrievers as one, by reciprocal rank fusion. */
export class HybridRetriever implements Retriever {
  readonly #retrievers: readonly Retriever[];
  readonly #k: number;
  readonly #depth: number;

  constructor(options: HybridOptions) {
    checkOptions('HybridRetriever', options, rules);
    if (!options.retrievers)
      throw ZrankError.argument('retrievers of HybridRetriever', someRetrievers.expected, options.retrievers);
    this.#retrievers = [...options.retrievers];
    this.#k = options.k ?? 60;
    this.#depth = options.depth ?? 100;
  }

  get size(): number {
    return this.#retrievers[0]!.size;
  }

  /** A promise where one of its retrievers gives one. */
  has(id: string): boolean | Promise<boolean> {
    const known = this.#retrievers.map((retriever) => retriever.has(id));
    if (known.every((answer) => typeof answer === 'boolean')) return known.every(Boolean);
    return Promise.all(known).then((answers) => answers.every(Boolean));
  }

  /** Adds documents to each retriever that lacks them; one whose index was loaded from a file may hold them already. */
  async add(documents: readonly CorpusDocument[], options: RetrieverCallOptions = {}): Promise<void> {
    const ids = documents.map(({ id }) => id);
    const known = await knownIds(ids, this);
    checkNewIds(ids, (id) => known.has(id));
    const done: { retriever: Retriever; ids: string[] }[] = [];
    try {
      for (const retriever of this.#retrievers) {
        const held = await knownIds(ids, retriever);
        const missing = documents.filter(({ id }) => !held.has(id));
        await retriever.add(missing, options);
        done.push({ retriever, ids: missing.map(({ id }) => id) });
      }
    } catch (error) {
      for (const { retriever, ids } of done) await retriever.remove(ids);
      throw error;
    }
  }

  async remove(ids: readonly string[]): Promise<void> {
    for (const retriever of this.#retrievers) await retriever.remove(ids);
  }

  async search(query: string, k: number, options: RetrieverCallOptions = {}): Promise<Retrieved[]> {
    checkSearch(query, k);
    const depth = Math.max(k, this.#depth);
    const rankings = await Promise.all(this.#retrievers.map((retriever) => retriever.search(query, depth, options)));
    return reciprocalRankFusion(rankings, this.#k).slice(0, k);
  }
}

/**
 * Fuses rankings: a document's score is the sum of 1 / (k + rank) over the rankings that hold it, ranks counted from 1.
 * Of equal scores the one seen first, ranking by ranking, stands first. Cormack, Clarke and Büttcher, SIGIR 2009, with
 * their k of 60.
 */
export function reciprocalRankFusion(rankings: readonly (readonly Retrieved[])[], k = 60): Retrieved[] {
  const scores = new Map<string, number>();
  for (const ranking of rankings) {
    ranking.forEach(({ id }, index) => scores.set(id, (scores.get(id) ?? 0) + 1 / (k + index + 1)));
  }
  return [...scores].map(([id, score]) => ({ id, score })).sort((a, b) => b.score - a.score);
}
