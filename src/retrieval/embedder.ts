import { ZrankError } from '../error.js';
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

/**
 * Checks a row that was computed here, and gives it unit length where asked for, as torch.nn.functional.normalize does.
 * Throws SCORE_NOT_FINITE.
 */
export function finishRow(row: Float32Array, normalize: boolean): void {
  const squares = row.reduce((sum, x) => sum + x * x, 0);
  if (!Number.isFinite(squares)) throw new ZrankError('SCORE_NOT_FINITE', 'the model gave a number that is not finite');
  if (!normalize) return;
  // torch divides by no less than this.
  const length = Math.max(Math.sqrt(squares), 1e-12);
  for (let i = 0; i < row.length; i++) row[i]! /= length;
}
