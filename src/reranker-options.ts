import { aScoreCache, type ScoreCacheSetting } from './cache/options.js';
import type { Device, GatedUnits, GpuAttention, Precision, Products } from './devices/device.js';
import { deviceNames, isDevice } from './devices/placement.js';
import {
  aBoolean,
  aFunction,
  anAbortSignal,
  aPositiveInteger,
  aPositiveNumber,
  aString,
  aTimeout,
  oneOf,
} from './options.js';
import type { CallTiming } from './runtime/call-statistics.js';
import type { Priority } from './runtime/work.js';

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
  /** Whether scores are taken from the reranker's cache and kept there, where it was loaded with one. @default true */
  cache?: boolean;
  /** Ends the call with ABORTED. A batch that runs already is finished, its scores are dropped. */
  signal?: AbortSignal;
  /** Ends the call with TIMEOUT after so many milliseconds, wherever it is; as with `signal`. @default none */
  timeoutMs?: number;
  /** Called as documents are scored. */
  onProgress?: (progress: { completed: number; total: number }) => void;
  /** Called once the call has all scores. */
  onTiming?: (timing: CallTiming) => void;
}

export interface RankOptions extends CallOptions {
  /** How many hits to return. @default all */
  topN?: number;
  /** Put each hit's document into it. @default false */
  returnDocuments?: boolean;
  /**
   * Longest document in tokens, beside the query and the template, which `maxLength` counts too; a longer one is as a
   * prompt above `maxLength`. @default as many as maxLength leaves
   */
  maxDocumentTokens?: number;
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
   * What multiplies matrices on a GPU: `tuned` is cuBLASLt, whose candidates are timed once a shape (CUDA, fp16 and
   * bf16), which has not run on a GPU yet, `plain` ONNX Runtime's operator. @default 'auto', plain
   */
  products?: 'auto' | Products;
  /**
   * Where weights that are converted, for int8 or for a GPU, are kept, and scores. @default zrank in XDG_CACHE_HOME, else in
   * ~/.cache
   */
  cacheFolder?: string;
  /**
   * Keeps scores, so that a prompt that comes again is not computed again: in `memory` (64 MiB of this object), or on
   * `disk` too, in a file in `cacheFolder` of up to 1 GiB that processes share; or of the sizes given. The file needs
   * Node.js 22.13, or the package @photostructure/sqlite. @default none
   */
  cache?: ScoreCacheSetting;
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
  /** A call of more documents or pairs fails at once with REQUEST_TOO_LARGE. @default any number */
  maxDocuments?: number;
  /**
   * A call of more tokens fails with REQUEST_TOO_LARGE: at once where the lengths of its texts say so, else while they
   * are tokenized. @default maxQueueTokens
   */
  maxRequestTokens?: number;
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

export const callRules = {
  instruction: aString,
  maxLength: aPositiveInteger,
  truncation: oneOf('document', 'error'),
  specialTokens: oneOf('parse', 'text'),
  priority: oneOf('low', 'normal', 'high'),
  cache: aBoolean,
  signal: anAbortSignal,
  timeoutMs: aTimeout,
  onProgress: aFunction,
  onTiming: aFunction,
};
export const rankRules = {
  ...callRules,
  topN: aPositiveInteger,
  returnDocuments: aBoolean,
  maxDocumentTokens: aPositiveInteger,
};
export const loadRules = {
  maxLength: aPositiveInteger,
  truncation: callRules.truncation,
  specialTokens: callRules.specialTokens,
  device: { expected: deviceNames, test: isDevice },
  precision: oneOf('auto', 'fp32', 'bf16', 'fp16', 'int8'),
  attention: oneOf('auto', 'fused', 'paged', 'tiled', 'plain'),
  gatedUnits: oneOf('auto', 'fused', 'plain'),
  products: oneOf('auto', 'tuned', 'plain'),
  cache: aScoreCache,
  cacheFolder: aString,
  download: aBoolean,
  onLoadProgress: aFunction,
  temperature: aPositiveNumber,
  workers: aPositiveInteger,
  threads: aPositiveInteger,
  maxBatchTokens: aPositiveInteger,
  maxQueueTokens: aPositiveInteger,
  maxDocuments: aPositiveInteger,
  maxRequestTokens: aPositiveInteger,
  profilePrefix: aString,
};
