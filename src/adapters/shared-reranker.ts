import { type LoadOptions, type RankOptions, Reranker } from '../index.js';

/** Options of rank() for every call, and what it is called on. */
export interface AdapterOptions extends Omit<RankOptions, 'returnDocuments'> {
  /** A folder is loaded at the first call. */
  reranker: Reranker | string;
  load?: LoadOptions;
}

/** What an adapter ranks with: a Reranker, which stays the caller's, or a folder, which is loaded at the first call. */
export class SharedReranker {
  readonly #given: Reranker | string;
  readonly #load: LoadOptions | undefined;
  #loaded: Promise<Reranker> | undefined;

  constructor(given: Reranker | string, load?: LoadOptions) {
    this.#given = given;
    this.#load = load;
  }

  /** Throws what Reranker.load() throws; the next call tries again. */
  async get(): Promise<Reranker> {
    if (typeof this.#given !== 'string') return this.#given;
    this.#loaded ??= Reranker.load(this.#given, this.#load);
    try {
      return await this.#loaded;
    } catch (error) {
      this.#loaded = undefined;
      throw error;
    }
  }

  /** Frees what was loaded here. */
  async close(): Promise<void> {
    const loaded = this.#loaded;
    this.#loaded = undefined;
    await (await loaded?.catch(() => undefined))?.close();
  }
}
