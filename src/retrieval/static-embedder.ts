import type { StaticNetwork } from '../networks/encoder/sentence-transformer.js';
import { readTensor } from '../checkpoint/tensor.js';
import { throwIfAborted, ZrankError } from '../error.js';
import type { RunOptions } from '../runtime/engine.js';
import { chunkCharacters, chunksOf } from '../tokenization/pair-encoder.js';
import { Tokenizer } from '../tokenization/tokenizer.js';
import { type Embedder, finishRow } from './embedder.js';

/**
 * A table of token embeddings: a text's embedding is the mean of its tokens', without special tokens
 * (sentence_transformer/modules/static_embedding.py). A text without tokens has a row of zeros.
 */
export class StaticEmbedder implements Embedder {
  readonly dimensions: number;
  readonly #tokenizer: Tokenizer;
  /** [vocabulary, dimensions] */
  readonly #table: Float32Array;
  readonly #normalize: boolean;

  private constructor(tokenizer: Tokenizer, table: Float32Array, dimensions: number, normalize: boolean) {
    this.#tokenizer = tokenizer;
    this.#table = table;
    this.dimensions = dimensions;
    this.#normalize = normalize;
  }

  static async open({ tokenizer, embeddings }: StaticNetwork, normalize: boolean): Promise<StaticEmbedder> {
    return new StaticEmbedder(new Tokenizer(tokenizer), await readTensor(embeddings), embeddings.shape[1]!, normalize);
  }

  async embed(texts: readonly string[], { signal, onProgress }: RunOptions): Promise<Float32Array> {
    const embeddings = new Float32Array(texts.length * this.dimensions);
    let done = 0;
    for (const chunk of chunksOf(texts, chunkCharacters)) {
      throwIfAborted(signal);
      for (const ids of await this.#tokenizer.encode(chunk)) {
        const start = this.dimensions * done++;
        this.#embedInto(ids, embeddings.subarray(start, start + this.dimensions));
      }
      onProgress?.(done);
    }
    return embeddings;
  }

  async close(): Promise<void> {}

  #embedInto(ids: readonly number[], row: Float32Array): void {
    for (const id of ids) {
      const start = id * this.dimensions;
      if (start >= this.#table.length) {
        throw new ZrankError(
          'DATA_INVALID',
          `the tokenizer gave the token ${id}, the table has ${this.#table.length / this.dimensions} embeddings`,
        );
      }
      for (let i = 0; i < row.length; i++) row[i]! += this.#table[start + i]!;
    }
    for (let i = 0; i < row.length; i++) row[i]! /= ids.length || 1;
    finishRow(row, this.#normalize);
  }
}
