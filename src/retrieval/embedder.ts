import type { RunOptions } from '../runtime/engine.js';

/** Turns texts, prompts included, into their embeddings. */
export interface Embedder {
  readonly dimensions: number;
  /**
   * Returns the embeddings [texts, dimensions], row by row, in the order of the texts. `onProgress` hears of texts
   * done.
   */
  embed(texts: readonly string[], options: RunOptions): Promise<Float32Array>;
  close(): Promise<void>;
}
