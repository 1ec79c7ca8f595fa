import { throwIfAborted, ZrankError } from './error.js';
import {
  aBoolean,
  aFunction,
  anAbortSignal,
  aPositiveInteger,
  aPositiveNumber,
  aString,
  checkOptions,
  oneOf,
} from './options.js';
import { locate } from './models/locate.js';
import { rankOrder } from './ranking/rank-order.js';
import type { EngineCounters } from './addon.js';
import type { CrossEncoder } from './networks/cross-encoder.js';
import { readCrossEncoder } from './networks/network.js';
import {
  defaultBatchTokens,
  type Device,
  type GatedUnits,
  type GpuAttention,
  type Placed,
  type Placement,
  type Precision,
} from './devices/device.js';
import { deviceNames, isDevice, place } from './devices/placement.js';
import { Engine, splitThreads } from './runtime/engine.js';
import { Lifetime } from './runtime/lifetime.js';
import type { Priority } from './runtime/work.js';
import { toProbability } from './scoring/probability.js';
import {
  chunkCharacters,
  chunksOf,
  type EncodedPrompt,
  type EncodeOptions,
  type Pair,
} from './tokenization/pair-encoder.js';

/** Settings of one call; what is not given is as the reranker was loaded. */
export interface CallOptions {
  /**
   * What makes a document relevant, in words. It enters the prompt as the checkpoint's template provides; where that
   * has no place for it, as ZeroEntropy recommends, inside the query's turn. Blank means none.
   */
  instruction?: string;
  /** Longest prompt in tokens. @default the least of the tokenizer's model_max_length and max_position_embeddings */
  maxLength?: number;
  /**
   * A longer prompt has its document cut, the template's end kept, and fails with QUERY_TOO_LONG where the query leaves
   * no room; BERT-like cross-encoders cut the longer of the two, as in sentence-transformers. `error`: the call fails
   * with PROMPT_TOO_LONG. @default 'document'
   */
  truncation?: 'document' | 'error';
  /**
   * Whether strings such as `<|im_end|>` inside queries and documents become those special tokens, as everywhere in
   * Hugging Face, or stay text, so that a document cannot end its own turn. @default 'parse'
   */
  specialTokens?: 'parse' | 'text';
  /**
   * Calls that wait at once share the tokens that are computed, whatever their size: a call of few documents does not
   * wait for all of one of many. One of `high` priority gets four times the share of a `normal` one, one of `low` a
   * quarter.
   * @default 'normal'
   */
  priority?: Priority;
  /** Ends the call with ABORTED. A batch that runs already is finished, its scores are dropped. */
  signal?: AbortSignal;
  /** Called as documents are scored. */
  onProgress?: (progress: { completed: number; total: number }) => void;
}

export interface RankOptions extends CallOptions {
  /** How many hits to return. @default all */
  topN?: number;
  /** Put each hit's document into it. @default false */
  returnDocuments?: boolean;
}

export interface LoadOptions extends Pick<CallOptions, 'maxLength' | 'truncation' | 'specialTokens'> {
  /** Where the model runs; `cuda:0,1` runs it on two GPUs, which share the work. @default 'auto' */
  device?: Device;
  /**
   * Precision of the matrix products. `auto` is bf16 for weights stored in bf16, as in sentence-transformers, where the
   * processor has instructions for it, else fp32. `bf16` too is fp32 where it has none. `int8`, on the CPU alone, is
   * faster and less exact: 8-bit weights and activations in blocks of 128. @default 'auto'
   */
  precision?: 'auto' | Precision;
  /**
   * How a GPU computes attention: `fused` is GroupQueryAttention over padded sequences, `paged` PagedAttention without
   * padding (CUDA), `plain` is written from plain operators. `tiled` is zrank's own, where a shared query is neither laid
   * out nor computed twice (CUDA, fp16 and bf16); it has not run on a GPU yet. A form that computes wrongly on the
   * device is not taken. @default 'auto', fused else plain
   */
  attention?: 'auto' | GpuAttention;
  /**
   * How a GPU computes silu(gate) * up: `fused` is a kernel of zrank's own (CUDA, fp16 and bf16), which has not run on a
   * GPU yet, `plain` two of ONNX Runtime's operators. @default 'auto', plain
   */
  gatedUnits?: 'auto' | GatedUnits;
  /**
   * Where weights that are converted, for int8 or for a GPU, are kept. @default zrank in XDG_CACHE_HOME, else in
   * ~/.cache
   */
  cacheFolder?: string;
  /** Whether a model of the hub that is not in Hugging Face's cache is fetched; else it is an error. @default false */
  download?: boolean;
  /**
   * Called while a model is downloaded, and while its weights are converted, which happens once a model and precision;
   * in bytes.
   */
  onLoadProgress?: (progress: LoadProgress) => void;
  /** score = sigmoid(logit / temperature). @default 5 where one token's logit is the score, else 1 */
  temperature?: number;
  /** CPU threads that run batches side by side. @default one a core, at most `threads` */
  workers?: number;
  /** CPU threads in all. @default the number of cores, at least `workers` */
  threads?: number;
  /**
   * Tokens a batch computes; what prompts share counts once. @default 2048; on CUDA 16384, or what fits the free memory
   */
  maxBatchTokens?: number;
  /** A call that would make more tokens than this wait fails at once with QUEUE_FULL. @default 4194304 */
  maxQueueTokens?: number;
  /**
   * ONNX Runtime writes a trace of its operators to this path, with the time added; it is complete after close().
   * @default none
   */
  profilePrefix?: string;
}

export interface LoadProgress {
  phase: 'download' | 'convert';
  /** Bytes. */
  completed: number;
  total: number;
}

/** A document as rank() takes it. */
export type Document = string | { readonly text: string };

export interface Hit<D extends Document = Document> {
  /** Index of the document in the list that was given. */
  index: number;
  /** Between 0 and 1: sigmoid(logit / temperature). */
  score: number;
  /** The model's raw score. */
  logit: number;
  /** Tokens of the complete prompt, as scored. */
  tokens: number;
  /** Whether the document, or a BERT-like cross-encoder's query, was cut to maxLength. */
  truncated: boolean;
  document?: D;
}

const callRules = {
  instruction: aString,
  maxLength: aPositiveInteger,
  truncation: oneOf('document', 'error'),
  specialTokens: oneOf('parse', 'text'),
  priority: oneOf('low', 'normal', 'high'),
  signal: anAbortSignal,
  onProgress: aFunction,
};
const rankRules = { ...callRules, topN: aPositiveInteger, returnDocuments: aBoolean };
const loadRules = {
  maxLength: aPositiveInteger,
  truncation: callRules.truncation,
  specialTokens: callRules.specialTokens,
  device: { expected: deviceNames, test: isDevice },
  precision: oneOf('auto', 'fp32', 'bf16', 'fp16', 'int8'),
  attention: oneOf('auto', 'fused', 'paged', 'tiled', 'plain'),
  gatedUnits: oneOf('auto', 'fused', 'plain'),
  cacheFolder: aString,
  download: aBoolean,
  onLoadProgress: aFunction,
  temperature: aPositiveNumber,
  workers: aPositiveInteger,
  threads: aPositiveInteger,
  maxBatchTokens: aPositiveInteger,
  maxQueueTokens: aPositiveInteger,
  profilePrefix: aString,
};

/**
 * A cross-encoder that scores how well documents answer a query. Use from one thread; other threads load their own,
 * which shares the weights with this one.
 */
export class Reranker implements AsyncDisposable {
  readonly #crossEncoder: CrossEncoder;
  readonly #placement: Placement;
  readonly #engine: Engine;
  readonly #defaults: Required<
    Pick<
      LoadOptions,
      'maxLength' | 'truncation' | 'specialTokens' | 'temperature' | 'maxBatchTokens' | 'maxQueueTokens'
    >
  >;
  readonly #lifetime: Lifetime;

  private constructor(crossEncoder: CrossEncoder, placed: Placed, engine: Engine, options: LoadOptions) {
    this.#crossEncoder = crossEncoder;
    this.#placement = placed.placement;
    this.#engine = engine;
    const memory = placed.shareMemory?.(options.maxBatchTokens);
    this.#lifetime = new Lifetime('reranker', () => engine.close().finally(() => memory?.release()));
    this.#defaults = {
      maxLength: options.maxLength ?? crossEncoder.maxLength,
      truncation: options.truncation ?? 'document',
      specialTokens: options.specialTokens ?? 'parse',
      temperature: options.temperature ?? crossEncoder.temperature,
      maxBatchTokens: options.maxBatchTokens ?? memory?.batchTokens ?? defaultBatchTokens,
      maxQueueTokens: options.maxQueueTokens ?? 2 ** 22,
    };
  }

  /**
   * Loads a model: a folder in the Hugging Face / sentence-transformers layout, one of the hub in Hugging Face's cache
   * (`owner/name`, perhaps `@revision`), or one by a short name (`zerank-2`, `zrank-tiny`). Weights are mapped, not
   * read, so this takes well under a second. Throws a ZrankError that says what is wrong with the folder, or
   * MODEL_NOT_DOWNLOADED.
   */
  static async load(model: string, options: LoadOptions = {}): Promise<Reranker> {
    if (typeof model !== 'string' || model === '')
      throw ZrankError.argument('the model', 'a folder or the name of a model', model);
    checkOptions('Reranker.load()', options, loadRules);
    const { download, onLoadProgress } = options;
    const progress = (phase: LoadProgress['phase']) =>
      onLoadProgress && ((bytes: Omit<LoadProgress, 'phase'>) => onLoadProgress({ phase, ...bytes }));
    const { folder } = await locate(model, { download, onProgress: progress('download') });
    const crossEncoder = await readCrossEncoder(folder);
    checkMaxLength(options.maxLength, crossEncoder);
    const placed = await place(crossEncoder.network, options.device ?? 'auto', {
      precision: options.precision ?? 'auto',
      attention: options.attention ?? 'auto',
      gatedUnits: options.gatedUnits ?? 'auto',
      maxLength: options.maxLength ?? crossEncoder.maxLength,
      cacheFolder: options.cacheFolder,
      onProgress: progress('convert'),
    });
    const threads = { ...splitThreads(options), profilePrefix: options.profilePrefix };
    const engine = await Engine.open(placed.model, threads);
    try {
      return new Reranker(crossEncoder, placed, engine, options);
    } catch (error) {
      await engine.close();
      throw error;
    }
  }

  /** The default of maxLength. */
  get maxLength(): number {
    return this.#defaults.maxLength;
  }

  /** The precision of the network's matrix products. */
  get precision(): Precision {
    return this.placement.precision;
  }

  /** Where the model runs and how, and what was rejected for it. */
  get placement(): Placement {
    return this.#placement;
  }

  /** What the engine behind this model has computed, for everyone in the process who shares it. */
  counters(): EngineCounters {
    this.#lifetime.assertOpen();
    return this.#engine.counters();
  }

  /**
   * Scores pairs of query and document (or prompts that are complete already, as strings). Returns their raw logits
   * [pairs], in the order of the pairs.
   */
  async predict(pairs: readonly Pair[], options: CallOptions = {}): Promise<Float32Array> {
    checkOptions('predict()', options, callRules);
    checkPairs(pairs);
    return (await this.#score([...pairs], options)).logits;
  }

  /** Ranks documents by how well they answer the query, best first; equal scores keep the documents' order. */
  async rank<D extends Document>(query: string, documents: readonly D[], options: RankOptions = {}): Promise<Hit<D>[]> {
    checkOptions('rank()', options, rankRules);
    if (typeof query !== 'string') throw ZrankError.argument('the query', 'a string', query);
    if (!Array.isArray(documents)) throw ZrankError.argument('the documents', 'an array', documents);
    // The caller may change its list while the documents are scored.
    const given = [...documents];
    const pairs = given.map((document, i): Pair => [query, documentText(document, i)]);
    const { prompts, logits } = await this.#score(pairs, options);
    return rankOrder(logits)
      .slice(0, options.topN)
      .map((index) => {
        const logit = logits[index]!;
        const prompt = prompts[index]!;
        return {
          index,
          score: toProbability(logit, this.#defaults.temperature),
          logit,
          tokens: prompt.ids.length,
          truncated: prompt.truncated,
          ...(options.returnDocuments && { document: given[index]! }),
        };
      });
  }

  /** Waits for the calls in flight and frees what the model holds. Later calls fail with CLOSED. */
  close(): Promise<void> {
    return this.#lifetime.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #score(pairs: readonly Pair[], options: CallOptions): Promise<{ prompts: EncodedPrompt[]; logits: Float32Array }> {
    return this.#lifetime.run(() => this.#encodeAndRun(pairs, options));
  }

  async #encodeAndRun(pairs: readonly Pair[], options: CallOptions) {
    const { signal, onProgress, priority } = options;
    checkMaxLength(options.maxLength, this.#crossEncoder);
    const prompts: EncodedPrompt[] = [];
    const release = this.#engine.reserve(fewestTokens(pairs), this.#defaults.maxQueueTokens);
    try {
      for (const chunk of chunksOf(pairs, chunkCharacters)) {
        throwIfAborted(signal);
        const encoded = await this.#crossEncoder.encoder.encode(chunk, this.#encodeOptions(options));
        for (const prompt of encoded) prompts.push(prompt);
      }
    } finally {
      release();
    }
    if (prompts.length === 0) return { prompts, logits: new Float32Array(0) };
    if (prompts.some(({ ids }) => ids.length === 0)) {
      throw new ZrankError('INVALID_ARGUMENT', 'expected a prompt of at least one token but received an empty one');
    }
    const total = prompts.length;
    const logits = await this.#engine.run(this.#crossEncoder.work(pairs, prompts, { ...this.#defaults, priority }), {
      signal,
      onProgress: onProgress && ((completed) => onProgress({ completed, total })),
    });
    if (logits.length !== total) {
      throw new ZrankError(
        'ARCHITECTURE_UNSUPPORTED',
        `a reranker gives one logit a pair, this model gives ${logits.length / total}`,
      );
    }
    onProgress?.({ completed: total, total });
    return { prompts, logits };
  }

  #encodeOptions(options: CallOptions): EncodeOptions {
    return {
      instruction: options.instruction,
      maxLength: options.maxLength ?? this.#defaults.maxLength,
      truncation: options.truncation ?? this.#defaults.truncation,
      specialTokens: options.specialTokens ?? this.#defaults.specialTokens,
    };
  }
}

/** Fewer tokens than nearly any texts of this length have, queries aside: calls share those. */
function fewestTokens(pairs: readonly Pair[]): number {
  const charactersPerToken = 8;
  const characters = pairs.reduce((sum, pair) => sum + (typeof pair === 'string' ? pair : pair[1]).length, 0);
  return pairs.length + Math.ceil(characters / charactersPerToken);
}

function checkMaxLength(maxLength: number | undefined, { maxPositions }: CrossEncoder): void {
  if (maxLength === undefined || maxLength <= maxPositions) return;
  throw ZrankError.argument('maxLength', `at most ${maxPositions}, the positions of this model,`, maxLength);
}

function checkPairs(pairs: readonly Pair[]): void {
  if (!Array.isArray(pairs)) throw ZrankError.argument('the pairs', 'an array of [query, document]', pairs);
  pairs.forEach((pair: unknown, i) => {
    if (typeof pair === 'string') return;
    const isPair = Array.isArray(pair) && pair.length === 2 && pair.every((text) => typeof text === 'string');
    if (!isPair) throw ZrankError.argument(`pair ${i}`, '[query, document], two strings,', pair);
  });
}

function documentText(document: unknown, index: number): string {
  if (typeof document === 'string') return document;
  const text = (document as { text?: unknown } | null | undefined)?.text;
  if (typeof text === 'string') return text;
  throw ZrankError.argument(`document ${index}`, 'a string or an object with the string `text`', document);
}
