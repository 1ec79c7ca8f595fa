import { encoderModel, type EncoderFolder } from '../networks/encoder/folder.js';
import type { TransformerNetwork } from '../networks/encoder/sentence-transformer.js';
import { checkVocabulary } from '../networks/vocabulary.js';
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
  readonly #tokenizer: Tokenizer;
  readonly #vocabularySize: number;
  readonly #encoder: SequenceEncoder;
  readonly #engine: Engine;
  readonly #options: TransformerEmbedderOptions;
  #dimensions = 0;

  private constructor(folder: EncoderFolder, engine: Engine, options: TransformerEmbedderOptions) {
    this.#tokenizer = new Tokenizer(folder.tokenizer);
    this.#encoder = new SequenceEncoder(this.#tokenizer);
    this.#vocabularySize = folder.vocabularySize;
    this.#engine = engine;
    this.#options = options;
  }

  static async open(
    { encoder, pooling }: TransformerNetwork,
    options: TransformerEmbedderOptions,
  ): Promise<TransformerEmbedder> {
    const engine = await Engine.open(encoderModel(encoder, { pooling, normalize: options.normalize }), options);
    const embedder = new TransformerEmbedder(encoder, engine, options);
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
      const options = { maxLength, truncation: 'document', specialTokens: 'parse' } as const;
      const encoded = await this.#encoder.encode(chunk, options);
      checkVocabulary(encoded, this.#vocabularySize, this.#tokenizer);
      sequences.push(...encoded);
    }
    return sequences;
  }

  #run(sequences: readonly EncodedPrompt[], options: RunOptions): Promise<Float32Array> {
    return this.#engine.run([paddedWork(sequences, this.#options)], options);
  }
}
