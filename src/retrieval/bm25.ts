import { setImmediate as nextTurn } from 'node:timers/promises';
import MiniSearch from 'minisearch';
import { throwIfAborted, ZrankError } from '../error.js';
import { aFunction, checkOptions, oneOf, type Rule } from '../options.js';
import { checkKnownIds, checkNewIds, checkSearch } from './check.js';
import {
  type CorpusDocument,
  type Retrieved,
  type Retriever,
  type RetrieverCallOptions,
  searchableText,
} from './retriever.js';
import { type Stemmer, stemmerOf, stemmers } from './stemmer.js';
import { words } from './words.js';

export interface Bm25Options {
  /** How soon the gain of a repeated word levels off. @default 1.5 */
  k1?: number;
  /** How much long documents are held back, 0 to 1. @default 0.75 */
  b?: number;
  /** Words that are not searched, in lower case. @default `englishStopWords` */
  stopWords?: readonly string[];
  /**
   * Takes words of one stem for one word: the language whose Snowball stemmer cuts them. @default none, words are whole
   */
  stemmer?: Stemmer;
  /** Cuts a text into words. @default words of all scripts; docs/retrieval.md says which */
  tokenize?: (text: string) => string[];
}

/** Lucene's list, which bm25s uses too. */
export const englishStopWords: readonly string[] = (
  'a an and are as at be but by for if in into is it no not of on or such that the their then there these they ' +
  'this to was will with'
).split(' ');

const atLeastZero: Rule = {
  expected: 'a number of at least 0',
  test: (value) => typeof value === 'number' && value >= 0 && value < Infinity,
};
const rules = {
  k1: atLeastZero,
  b: {
    expected: 'a number from 0 to 1',
    test: (value: unknown) => typeof value === 'number' && value >= 0 && value <= 1,
  },
  stopWords: {
    expected: 'an array of strings',
    test: (value: unknown) => Array.isArray(value) && value.every((word) => typeof word === 'string'),
  },
  stemmer: oneOf(...stemmers),
  tokenize: aFunction,
};

/** Documents are added in turns of this many, so that the event loop is not held up for long. */
const documentsPerTurn = 64;

/**
 * Word search by BM25 (Robertson et al., TREC-3, 1994) on MiniSearch, with Lucene's idf ln(1 + (N - n + 0.5) / (n +
 * 0.5)) and the parameters of bm25s; MiniSearch takes the number of different words for a document's length. In memory;
 * a search visits every document that shares a word with the query.
 */
export class Bm25 implements Retriever {
  readonly #index: MiniSearch<CorpusDocument>;
  /** Ids of calls to add() that are under way. */
  readonly #pending = new Set<string>();

  constructor(options: Bm25Options = {}) {
    checkOptions('Bm25', options, rules);
    const { k1 = 1.5, b = 0.75, stemmer, tokenize = words } = options;
    const stopWords = new Set(options.stopWords ?? englishStopWords);
    this.#index = new MiniSearch<CorpusDocument>({
      fields: ['text'],
      extractField: (document, field) => (field === 'id' ? document.id : searchableText(document)),
      tokenize: (text) => tokenize(text).filter((word) => !stopWords.has(word)),
      processTerm: stemmer === undefined ? (word) => word : stemmerOf(stemmer),
      // d = 0 turns BM25+ into BM25.
      searchOptions: { bm25: { k: k1, b, d: 0 } },
    });
  }

  get size(): number {
    return this.#index.documentCount;
  }

  has(id: string): boolean {
    return this.#index.has(id);
  }

  async add(documents: readonly CorpusDocument[], { signal }: RetrieverCallOptions = {}): Promise<void> {
    const ids = documents.map(({ id }) => id);
    checkNewIds(ids, (id) => this.#index.has(id) || this.#pending.has(id));
    const added: string[] = [];
    for (const id of ids) this.#pending.add(id);
    try {
      for (const document of documents) {
        if (added.length % documentsPerTurn === documentsPerTurn - 1) await nextTurn();
        throwIfAborted(signal);
        if (typeof document.text !== 'string')
          throw ZrankError.argument(`the text of document ${document.id}`, 'a string', document.text);
        this.#index.add(document);
        added.push(document.id);
      }
    } catch (error) {
      this.#index.discardAll(added);
      throw error;
    } finally {
      for (const id of ids) this.#pending.delete(id);
    }
  }

  async remove(ids: readonly string[]): Promise<void> {
    checkKnownIds(ids, (id) => this.#index.has(id));
    this.#index.discardAll(ids);
  }

  /** Documents that share no word with the query are never found, so there may be fewer than k. */
  async search(query: string, k: number, { signal }: RetrieverCallOptions = {}): Promise<Retrieved[]> {
    checkSearch(query, k);
    throwIfAborted(signal);
    // MiniSearch multiplies BM25's sum with the number of the query's words that were found.
    return this.#index
      .search(query)
      .map(({ id, score, queryTerms }) => ({ id: id as string, score: score / queryTerms.length }))
      .sort((a, b) => b.score - a.score)
      .slice(0, k);
  }
}
