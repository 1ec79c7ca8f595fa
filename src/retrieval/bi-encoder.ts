import type { EncoderFolder } from '../networks/encoder/folder.js';
import {
  readSentenceTransformer,
  type SentenceTransformerFolder,
  type Similarity,
} from '../networks/encoder/sentence-transformer.js';
import { ZrankError } from '../error.js';
import { locate } from '../models/locate.js';
import { aBoolean, aFunction, anAbortSignal, aPositiveInteger, checkOptions, oneOf } from '../options.js';
import { splitThreads } from '../runtime/engine.js';
import { Lifetime } from '../runtime/lifetime.js';
import { DenseEmbedder } from './dense-embedder.js';
import type { Embedder } from './embedder.js';
import { type EncoderFingerprint, fingerprintOf } from './fingerprint.js';
import { StaticEmbedder } from './static-embedder.js';
import { TransformerEmbedder } from './transformer-embedder.js';

export interface BiEncoderOptions {
  /** Whether a model of the hub that is not in Hugging Face's cache is fetched; else it is an error. @default false */
  download?: boolean;
  /** Called while a model is downloaded; in bytes. */
  onLoadProgress?: (progress: { phase: 'download'; completed: number; total: number }) => void;
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
  download: aBoolean,
  onLoadProgress: aFunction,
  maxLength: aPositiveInteger,
  workers: aPositiveInteger,
  threads: aPositiveInteger,
  maxBatchTokens: aPositiveInteger,
  maxQueueTokens: aPositiveInteger,
};
const encodeRules = { kind: oneOf('query', 'document'), signal: anAbortSignal, onProgress: aFunction };

/** What its folder says of every embedding, whatever computes it. */
type Declared = Omit<SentenceTransformerFolder, 'network' | 'dense'>;

/**
 * A model that turns texts into embeddings, so that near ones are about the same. Use from one thread; other threads
 * load their own, which shares the weights with this one.
 */
export class BiEncoder implements AsyncDisposable {
  readonly #embedder: Embedder;
  readonly #declared: Declared;
  /** What an index remembers of the encoder that filled it. */
  readonly fingerprint: EncoderFingerprint;
  readonly #lifetime: Lifetime;

  private constructor(embedder: Embedder, declared: Declared, fingerprint: EncoderFingerprint) {
    this.#embedder = embedder;
    this.#declared = declared;
    this.fingerprint = fingerprint;
    this.#lifetime = new Lifetime('bi-encoder', () => embedder.close());
  }

  /**
   * Loads a model, given as Reranker.load() takes it, in the sentence-transformers layout: a Transformer with an ONNX
   * file (onnx/model.onnx) and Pooling, or a StaticEmbedding, then perhaps Dense and Normalize. Throws a ZrankError that
   * says what is wrong with the folder, ARCHITECTURE_UNSUPPORTED for what it declares and zrank does not compute, and
   * MODEL_NOT_DOWNLOADED.
   */
  static async load(model: string, options: BiEncoderOptions = {}): Promise<BiEncoder> {
    if (typeof model !== 'string' || model === '')
      throw ZrankError.argument('the model', 'a folder or the name of a model', model);
    checkOptions('BiEncoder.load()', options, loadRules);
    const { download, onLoadProgress } = options;
    const onProgress =
      onLoadProgress &&
      ((bytes: { completed: number; total: number }) => onLoadProgress({ phase: 'download', ...bytes }));
    const { folder, name } = await locate(model, { download, onProgress });
    const read = await readSentenceTransformer(folder);
    const { network, dense, ...declared } = read;
    const maxLength = network.kind === 'static' ? undefined : checkMaxLength(options.maxLength, network.encoder);
    const fingerprint = await fingerprintOf(name, read, maxLength);
    const pooled = await openPooled(read, options, maxLength);
    const embedder = dense.length > 0 ? await DenseEmbedder.open(pooled, dense, declared.normalize) : pooled;
    return new BiEncoder(embedder, declared, fingerprint);
  }

  /** How many numbers an embedding has. */
  get dimensions(): number {
    return Math.min(this.#embedder.dimensions, this.#declared.truncateDim);
  }

  /** What its embeddings are compared by, where the folder says so. */
  get similarity(): Similarity | undefined {
    return this.#declared.similarity;
  }

  /** Whether embeddings have unit length, so that their dot product is their cosine. */
  get isNormalized(): boolean {
    return this.#declared.normalize && this.dimensions === this.#embedder.dimensions;
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
    const prompt = this.#declared.prompts[kind ?? 'default'];
    const embeddings = await this.#embedder.embed(
      texts.map((text) => prompt + text),
      {
        signal,
        onProgress: onProgress && ((completed) => onProgress({ completed, total })),
      },
    );
    onProgress?.({ completed: total, total });
    const { dimensions } = this;
    const width = this.#embedder.dimensions;
    return texts.map((_, i) => embeddings.subarray(i * width, i * width + dimensions));
  }
}

function checkMaxLength(given: number | undefined, { maxLength, maxPositions }: EncoderFolder): number {
  if (given !== undefined && given > maxPositions)
    throw ZrankError.argument('maxLength', `at most ${maxPositions}, the positions of this model,`, given);
  return given ?? maxLength;
}

/** What makes the pooled embeddings, which pass through Dense modules before they are normalized. */
function openPooled(
  { network, dense, normalize }: SentenceTransformerFolder,
  options: BiEncoderOptions,
  maxLength = Infinity,
): Promise<Embedder> {
  const isLast = dense.length === 0;
  if (network.kind === 'static') return StaticEmbedder.open(network, isLast && normalize);
  const { maxBatchTokens = 512, maxQueueTokens = 2 ** 22 } = options;
  const limits = { maxLength, maxBatchTokens, maxQueueTokens };
  return TransformerEmbedder.open(network, { ...splitThreads(options), ...limits, normalize: isLast && normalize });
}

function checkTexts(texts: readonly string[]): void {
  if (!Array.isArray(texts)) throw ZrankError.argument('the texts', 'an array of strings', texts);
  const wrong = texts.findIndex((text) => typeof text !== 'string');
  if (wrong >= 0) throw ZrankError.argument(`text ${wrong}`, 'a string', texts[wrong]);
}
