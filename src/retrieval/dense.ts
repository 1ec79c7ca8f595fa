import { throwIfAborted, ZrankError } from '../error.js';
import { checkNewIds, checkSearch } from './check.js';
import {
  type CorpusDocument,
  type Retrieved,
  type Retriever,
  type RetrieverCallOptions,
  searchableText,
} from './retriever.js';
import { VectorIndex } from './vector-index.js';

/** What turns texts into vectors; a BiEncoder is one. */
export interface Encoder {
  /** Length of a vector. */
  readonly dimensions: number;
  /** A vector for each text, in their order. */
  encode(
    texts: readonly string[],
    options: { kind: 'query' | 'document'; signal?: AbortSignal },
  ): Promise<Float32Array[]>;
}

export interface DenseOptions {
  encoder: Encoder;
  /** Where the vectors are kept. @default a new exact index by cosine */
  index?: VectorIndex;
}

/** Search by the nearness of embeddings. */
export class DenseRetriever implements Retriever {
  readonly #encoder: Encoder;
  /** The index behind it, to save it for instance. */
  readonly index: VectorIndex;

  constructor({ encoder, index = new VectorIndex({ dimensions: encoder.dimensions }) }: DenseOptions) {
    if (index.dimensions !== encoder.dimensions) {
      throw ZrankError.argument(
        'the index',
        `vectors of ${encoder.dimensions} dimensions, as the encoder makes them,`,
        index.dimensions,
      );
    }
    this.#encoder = encoder;
    this.index = index;
  }

  get size(): number {
    return this.index.size;
  }

  has(id: string): boolean {
    return this.index.has(id);
  }

  async add(documents: readonly CorpusDocument[], { signal }: RetrieverCallOptions = {}): Promise<void> {
    const ids = documents.map(({ id }) => id);
    checkNewIds(ids, (id) => this.index.has(id));
    const vectors = await this.#encoder.encode(documents.map(searchableText), {
      kind: 'document',
      ...(signal && { signal }),
    });
    throwIfAborted(signal);
    await this.index.add(ids, vectors);
  }

  async remove(ids: readonly string[]): Promise<void> {
    await this.index.remove(ids);
  }

  async search(query: string, k: number, { signal }: RetrieverCallOptions = {}): Promise<Retrieved[]> {
    checkSearch(query, k);
    const [vector] = await this.#encoder.encode([query], { kind: 'query', ...(signal && { signal }) });
    throwIfAborted(signal);
    return this.index.search(vector!, k);
  }
}
