import type { TransformerNetwork } from '../networks/encoder/sentence-transformer.js';
import { throwIfAborted } from '../error.js';
import { Engine, type EngineOptions, type RunOptions } from '../runtime/engine.js';
import { paddedWork, type WorkLimits } from '../runtime/work.js';
import { chunkCharacters, chunksOf, type EncodedPrompt } from '../tokenization/pair-encoder.js';
import { SequenceEncoder } from '../tokenization/sequence-encoder.js';
import { Tokenizer } from '../tokenization/tokenizer.js';
import type { Embedder } from './embedder.js';

export interface TransformerEmbedderOptions extends EngineOptions, WorkLimits {
  /** Longest text in tokens; what is longer is cut. */
  maxLength: number;
  normalize: boolean;
}

/** A corpus runs in windows of this many characters: batches are formed within one while the next is tokenized. */
const windowCharacters = 2 ** 20;

/** An encoder whose token embeddings are pooled, on the native engine. */
export class TransformerEmbedder implements Embedder {
  readonly #encoder: SequenceEncoder;
  readonly #engine: Engine;
  readonly #options: TransformerEmbedderOptions;
  #dimensions = 0;

  private constructor(encoder: SequenceEncoder, engine: Engine, options: TransformerEmbedderOptions) {
    this.#encoder = encoder;
    this.#engine = engine;
    this.#options = options;
  }

  static async open(
    { encoder, pooling }: TransformerNetwork,
    options: TransformerEmbedderOptions,
  ): Promise<TransformerEmbedder> {
    const { onnxPath, padId } = encoder;
    const { normalize } = options;
    const engine = await Engine.open(
      { replicas: [{ kind: 'padded-encoder', graphPath: onnxPath, pooling, normalize, padId }], files: [onnxPath] },
      options,
    );
    const embedder = new TransformerEmbedder(new SequenceEncoder(new Tokenizer(encoder.tokenizer)), engine, options);
    try {
      // No file need say how wide a row is, and exporters leave it open: a first run shows it, and that the graph runs.
      embedder.#dimensions = (await embedder.#run(await embedder.#tokenize(['.']), {})).length;
    } catch (error) {
      await engine.close();
      throw error;
    }
    return embedder;
  }

  get dimensions(): number {
    return this.#dimensions;
  }

  async embed(texts: readonly string[], { signal, onProgress }: RunOptions): Promise<Float32Array> {
    const embeddings = new Float32Array(texts.length * this.#dimensions);
    let start = 0;
    let running: Promise<void> = Promise.resolve();
    for (const window of chunksOf(texts, windowCharacters)) {
      const tokenizing = this.#tokenize(window, signal);
      // Its error is thrown below, once nothing runs any more.
      tokenizing.catch(() => {});
      await running;
      const first = start;
      const run = this.#run(await tokenizing, {
        signal,
        onProgress: onProgress && ((done) => onProgress(first + done)),
      });
      running = run.then((rows) => embeddings.set(rows, first * this.#dimensions));
      start += window.length;
    }
    await running;
    return embeddings;
  }

  close(): Promise<void> {
    return this.#engine.close();
  }

  async #tokenize(texts: readonly string[], signal?: AbortSignal): Promise<EncodedPrompt[]> {
    const { maxLength } = this.#options;
    const sequences: EncodedPrompt[] = [];
    for (const chunk of chunksOf(texts, chunkCharacters)) {
      throwIfAborted(signal);
      sequences.push(
        ...(await this.#encoder.encode(chunk, { maxLength, truncation: 'document', specialTokens: 'parse' })),
      );
    }
    return sequences;
  }

  #run(sequences: readonly EncodedPrompt[], options: RunOptions): Promise<Float32Array> {
    return this.#engine.run(paddedWork(sequences, this.#options), options);
  }
}
