import { resolve } from 'node:path';
import { readSentenceTransformer, type Prompts } from '../networks/encoder/sentence-transformer.js';
import { ZrankError } from '../error.js';
import { aFunction, anAbortSignal, aPositiveInteger, checkOptions, oneOf } from '../options.js';
import { splitThreads } from '../runtime/engine.js';
import { Lifetime } from '../runtime/lifetime.js';
import type { Embedder } from './embedder.js';
import { StaticEmbedder } from './static-embedder.js';
import { TransformerEmbedder } from './transformer-embedder.js';

export interface BiEncoderOptions {
  /** Longest text in tokens, the prompt included; the rest is cut. @default max_seq_length of the model */
  maxLength?: number;
  /** CPU threads that run batches side by side. @default one a core */
  workers?: number;
  /** CPU threads in all. @default the number of cores, at least `workers` */
  threads?: number;
  /** Tokens a batch computes, padding included. @default 512 */
  maxBatchTokens?: number;
  /** A call that would make more tokens than this wait fails at once with QUEUE_FULL. @default 4194304 */
  maxQueueTokens?: number;
}

export interface EncodeTextsOptions {
  /**
   * What the texts are: decides which of the model's prompts stands before each. @default neither, which takes the
   * prompt that default_prompt_name names
   */
  kind?: 'query' | 'document';
  /** Ends the call with ABORTED. */
  signal?: AbortSignal;
  /** Called as texts are encoded. */
  onProgress?: (progress: { completed: number; total: number }) => void;
}

const loadRules = {
  maxLength: aPositiveInteger,
  workers: aPositiveInteger,
  threads: aPositiveInteger,
  maxBatchTokens: aPositiveInteger,
  maxQueueTokens: aPositiveInteger,
};
const encodeRules = { kind: oneOf('query', 'document'), signal: anAbortSignal, onProgress: aFunction };

/**
 * A model that turns texts into embeddings, so that near ones are about the same. Use from one thread; other threads
 * load their own, which shares the weights with this one.
 */
export class BiEncoder implements AsyncDisposable {
  readonly #embedder: Embedder;
  readonly #prompts: Prompts;
  readonly #lifetime: Lifetime;

  private constructor(embedder: Embedder, prompts: Prompts) {
    this.#embedder = embedder;
    this.#prompts = prompts;
    this.#lifetime = new Lifetime('bi-encoder', () => embedder.close());
  }

  /**
   * Loads a folder in the sentence-transformers layout: a Transformer with an ONNX file (onnx/model.onnx) and Pooling,
   * or a StaticEmbedding, and perhaps Normalize. Throws a ZrankError that says what is wrong with the folder.
   */
  static async load(folder: string, options: BiEncoderOptions = {}): Promise<BiEncoder> {
    if (typeof folder !== 'string' || folder === '') throw ZrankError.argument('the model folder', 'a path', folder);
    checkOptions('BiEncoder.load()', options, loadRules);
    const { network, normalize, prompts } = await readSentenceTransformer(resolve(folder));
    if (network.kind === 'static') return new BiEncoder(await StaticEmbedder.open(network, normalize), prompts);

    const { maxLength = network.encoder.maxLength, maxBatchTokens = 512, maxQueueTokens = 2 ** 22 } = options;
    const { maxPositions } = network.encoder;
    if (maxLength > maxPositions)
      throw ZrankError.argument('maxLength', `at most ${maxPositions}, the positions of this model,`, maxLength);
    const split = splitThreads(options);
    return new BiEncoder(
      await TransformerEmbedder.open(network, { ...split, maxLength, maxBatchTokens, maxQueueTokens, normalize }),
      prompts,
    );
  }

  /** How many numbers an embedding has. */
  get dimensions(): number {
    return this.#embedder.dimensions;
  }

  /**
   * Encodes texts. Returns an embedding [dimensions] a text, in their order; all are views of one buffer, row after
   * row. Throws SCORE_NOT_FINITE where an embedding is not made of finite numbers.
   */
  async encode(texts: readonly string[], options: EncodeTextsOptions = {}): Promise<Float32Array[]> {
    checkOptions('encode()', options, encodeRules);
    checkTexts(texts);
    return this.#lifetime.run(() => this.#encode(texts, options));
  }

  /** Waits for the calls in flight and frees what the model holds. Later calls fail with CLOSED. */
  close(): Promise<void> {
    return this.#lifetime.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #encode(texts: readonly string[], { kind, signal, onProgress }: EncodeTextsOptions): Promise<Float32Array[]> {
    const total = texts.length;
    const prompt = this.#prompts[kind ?? 'default'];
    const embeddings = await this.#embedder.embed(
      texts.map((text) => prompt + text),
      {
        signal,
        onProgress: onProgress && ((completed) => onProgress({ completed, total })),
      },
    );
    onProgress?.({ completed: total, total });
    return texts.map((_, i) => embeddings.subarray(i * this.dimensions, (i + 1) * this.dimensions));
  }
}

function checkTexts(texts: readonly string[]): void {
  if (!Array.isArray(texts)) throw ZrankError.argument('the texts', 'an array of strings', texts);
  const wrong = texts.findIndex((text) => typeof text !== 'string');
  if (wrong >= 0) throw ZrankError.argument(`text ${wrong}`, 'a string', texts[wrong]);
}
