import { throwIfAborted, ZrankError } from '../error.js';
import { aFunction, anAbortSignal, aPositiveInteger, checkOptions, oneOf } from '../options.js';
import { checkNewIds } from './check.js';
import { type CorpusDocument, knownIds, type Retriever, type RetrieverCallOptions } from './retriever.js';

export interface IndexOptions {
  /** Ends the call with ABORTED; the batches that were indexed before stay. */
  signal?: AbortSignal;
  /** Called after each batch with the number of documents that this call has indexed. */
  onProgress?: (progress: { indexed: number }) => void;
  /** Documents that go to the retriever at once. @default 256 */
  batchSize?: number;
  /**
   * What to do with documents that the retriever holds already, as after loading its index from a file: `error`, or
   * `keep` what it holds and take the document. @default 'error'
   */
  known?: 'error' | 'keep';
}

export interface RetrievedDocument<D extends CorpusDocument = CorpusDocument> {
  id: string;
  /** As it was given to index(), or as the retriever keeps it. */
  document: D;
  /** Counted from 1. */
  retrievalRank: number;
  /** The retriever's score. */
  retrievalScore: number;
}

const indexRules = {
  signal: anAbortSignal,
  onProgress: aFunction,
  batchSize: aPositiveInteger,
  known: oneOf('error', 'keep'),
};

/** A retriever with the documents behind its ids, where it does not keep them itself. */
export class DocumentIndex<D extends CorpusDocument = CorpusDocument> {
  readonly #retriever: Retriever;
  readonly #documents = new Map<string, D>();

  /** @param retriever an empty one, or one whose documents index() is given with `known: 'keep'` */
  constructor(retriever: Retriever) {
    this.#retriever = retriever;
  }

  /** How many documents it holds. */
  get size(): number {
    return this.#retriever.documents === undefined ? this.#documents.size : this.#retriever.size;
  }

  /**
   * Adds a corpus, batch by batch as it is read. Where it fails, the batches before stay indexed.
   *
   * @returns the number of documents that were added
   * @throws ZrankError DUPLICATE_ID; DATA_INVALID for an empty corpus; ABORTED; what the corpus and the retriever throw
   */
  async index(corpus: Iterable<D> | AsyncIterable<D>, options: IndexOptions = {}): Promise<number> {
    checkOptions('index()', options, indexRules);
    const { signal, onProgress, batchSize = 256, known = 'error' } = options;
    let indexed = 0;
    let batch: D[] = [];
    const flush = async (): Promise<void> => {
      await this.#add(batch, known, signal);
      indexed += batch.length;
      batch = [];
      onProgress?.({ indexed });
    };
    for await (const document of corpus) {
      throwIfAborted(signal);
      if (typeof document?.text !== 'string')
        throw ZrankError.argument(
          `document ${indexed + batch.length} of the corpus`,
          'an object with the strings `id` and `text`',
          document,
        );
      batch.push(document);
      if (batch.length === batchSize) await flush();
    }
    if (batch.length > 0) await flush();
    if (indexed === 0) throw new ZrankError('DATA_INVALID', 'the corpus is empty');
    return indexed;
  }

  /** @throws ZrankError UNKNOWN_ID */
  async remove(ids: readonly string[]): Promise<void> {
    await this.#retriever.remove(ids);
    for (const id of ids) this.#documents.delete(id);
  }

  /**
   * The at most k best documents, best first.
   *
   * @throws ZrankError DATA_INVALID where nothing is indexed; UNKNOWN_ID where the retriever holds other documents
   */
  async search(query: string, k: number, options: RetrieverCallOptions = {}): Promise<RetrievedDocument<D>[]> {
    if (this.size === 0) throw new ZrankError('DATA_INVALID', 'there is nothing to search: no document is indexed');
    if (options.filter !== undefined && !this.#retriever.takesFilters)
      throw ZrankError.argument('the filter', 'none, since this retriever takes none,', options.filter);
    const retrieved = await this.#retriever.search(query, k, options);
    const ids = retrieved.map(({ id }) => id);
    const documents =
      ((await this.#retriever.documents?.(ids, options)) as (D | undefined)[] | undefined) ??
      ids.map((id) => this.#documents.get(id));
    return retrieved.map(({ id, score }, index) => {
      const document = documents[index];
      if (document === undefined)
        throw new ZrankError('UNKNOWN_ID', `the retriever found document ${id}, which was not indexed here`);
      return { id, document, retrievalRank: index + 1, retrievalScore: score };
    });
  }

  async #add(batch: readonly D[], known: 'error' | 'keep', signal: AbortSignal | undefined): Promise<void> {
    checkNewIds(
      batch.map(({ id }) => id),
      (id) => this.#documents.has(id),
    );
    const addToRetriever = async () => {
      const held =
        known === 'keep' &&
        (await knownIds(
          batch.map(({ id }) => id),
          this.#retriever,
        ));
      const unknown = held ? batch.filter(({ id }) => !held.has(id)) : batch;
      if (unknown.length > 0) await this.#retriever.add(unknown, signal && { signal });
    };
    if (this.#retriever.documents !== undefined) return addToRetriever();
    // The documents stand first, so that a search never finds an id without one.
    for (const document of batch) this.#documents.set(document.id, document);
    try {
      await addToRetriever();
    } catch (error) {
      for (const { id } of batch) this.#documents.delete(id);
      throw error;
    }
  }
}
