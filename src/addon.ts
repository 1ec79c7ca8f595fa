import { ZrankError, errorCodes, type ErrorCode } from './error.js';

/** The contract of the native addon (native/binding/addon.cc). Arguments are checked before they get here. */
export interface Addon {
  /**
   * Opens libonnxruntime, once a process: later calls tell of the one that is open, whatever the path.
   *
   * @param logLevel an OrtLoggingLevel, 0 for verbose to 4 for fatal
   */
  openRuntime(libraryPath: string, logLevel: number): OnnxRuntime;
  /**
   * The folder in which ONNX Runtime looks from now on for the libraries of its providers; before that, where its own
   * library lies. Throws DEVICE_UNAVAILABLE on a system that cannot change it.
   */
  setProviderFolder(folder: string): void;
  /** The one that is open. */
  runtime(): OnnxRuntime | undefined;
  /** The path of a library that this process has open under a name. */
  loadedLibrary(name: string): string | undefined;
  /**
   * Opens a library by path or name, for those opened after it to find under its soname, and returns its path. Throws
   * DEVICE_UNAVAILABLE with the loader's words.
   */
  openLibrary(name: string): string;
  /** Throws INVALID_ARGUMENT where ZRANK_CPU_TARGET names no target. */
  kernels(): Kernels;
  /** Throws DEVICE_UNAVAILABLE with the loader's words where the provider of a GPU cannot be loaded. */
  checkDevice(kind: DeviceKind, index: number): void;
  /**
   * The GPUs of NVIDIA's driver, as CUDA numbers them in this process. Throws DEVICE_UNAVAILABLE with the loader's or
   * the driver's words where there is none.
   *
   * @param libraryPath the driver's library, `libcuda.so.1` by default
   */
  cudaDevices(libraryPath?: string): CudaDevice[];
  /** The newest CUDA that the driver serves, 13000 for 13.0; throws as cudaDevices() does. */
  cudaDriverVersion(libraryPath?: string): number;
  /** The engine of the process for `key`, made if there is none. */
  openEngine(options: NativeEngineOptions): Promise<NativeEngine>;
  /** Runs the next batch of an engine on this thread; false where none is left. Blocks: for worker threads. */
  drain(engineId: number): boolean;
  /** The next block of a pending run() of this thread that announced it; nothing where that has ended. */
  append(ticket: number, block: NativeBlock): void;
  /** Ends a pending run() of this thread with ABORTED. */
  cancel(ticket: number): void;
  /**
   * This thread exits: ends its calls and sends its workers home. With `wholeProcess`, runs in flight are stopped too.
   */
  abandon(wholeProcess: boolean): void;
  contract(): Contract;
}

export const deviceKinds = ['cpu', 'cuda', 'webgpu'] as const;
export type DeviceKind = (typeof deviceKinds)[number];

/** zrank's own kernels for this processor. */
export interface Kernels {
  /**
   * The family of instructions in use, the best of this processor that ZRANK_CPU_TARGET allows; 'none' where ONNX
   * Runtime computes.
   */
  target: string;
  /** What it multiplies. */
  arithmetics: CpuPrecision[];
  /** Those of all families that this processor has, and those that it lacks. */
  instructionSets: string[];
  missingInstructionSets: string[];
}

/** What both sides must agree on though no compiler sees both (native/core/contract.h); a test compares. */
export interface Contract {
  devices: string[];
  models: string[];
  arithmetics: string[];
  poolings: string[];
  errorCodes: string[];
  graph: { inputs: string[]; pagedInputs: string[]; tiledInputs: string[]; output: string };
  operators: { domain: string; names: string[]; cudaNames: string[]; attributes: string[]; cudaAttributes: string[] };
  sizes: {
    int8Block: number;
    headDimMultiple: number;
    pagedBlock: number;
    minPaddedLength: number;
    paddedLengthSteps: number;
  };
}

/** Arithmetics of matrix products on the CPU. Everything else is in fp32. */
export const cpuPrecisions = ['fp32', 'bf16', 'int8'] as const;
export type CpuPrecision = (typeof cpuPrecisions)[number];

/**
 * How token embeddings become one embedding; the names of sentence-transformers
 * (sentence_transformer/modules/pooling.py). native/core/contract.h says what each computes.
 */
export const poolingModes = ['cls', 'max', 'mean', 'mean_sqrt_len_tokens', 'weightedmean', 'lasttoken'] as const;
export type Pooling = (typeof poolingModes)[number];

export interface OnnxRuntime {
  path: string;
  version: string;
  /** Execution providers that were compiled in; that of CUDA is a library of its own, which may not be there. */
  providers: string[];
}

export interface CudaDevice {
  index: number;
  name: string;
  /** Of the hardware's generation: '9.0' for an H100 or H200. */
  computeCapability: string;
  /** Bytes. */
  totalMemory: number;
  /** Bytes; only of a device that a session of this process uses. */
  freeMemory?: number;
}

export interface NativeEngineOptions {
  key: string;
  /** One a GPU, or the one of the CPU. */
  replicas: readonly NativeModel[];
  /** On GPUs the engine drains its queue with threads of its own, on the CPU its callers do. */
  onGpus: boolean;
  /** Batches that run side by side on the CPU. */
  workers: number;
  /** Whether workers without a batch help inside those of others. */
  hasTeam: boolean;
  /** Threads of one run, its own included. */
  intraOpThreads: number;
  /** Threads of a run of the fallback. */
  fallbackThreads: number;
  /** What the paths of ONNX Runtime's traces begin with; none where it is not given. */
  profilePrefix?: string | undefined;
  /** Runs sequences whose score is not finite, or that a GPU has no memory for; opened when the first comes. */
  fallback?: NativeModel | undefined;
}

/** What an engine runs. */
export type NativeModel =
  /** The graph of src/graph over packed tokens; a row is one logit. */
  | {
      kind: 'packed-decoder';
      /** A serialized ONNX model. */
      graph: Uint8Array;
      /** What the locations of its external data are relative to. */
      weightFolder: string;
      /** Let ONNX Runtime copy weights into a layout of its own. */
      prepack: boolean;
      device: DeviceKind;
      /** Which GPU, for CUDA. */
      deviceIndex: number;
      /** Options of CUDA's provider beside zrank's own, or in their place. */
      providerOptions?: Readonly<Record<string, string>> | undefined;
      /**
       * Sequences times longest sequence squared: a batch beyond it is taken for one that the device has no memory for.
       */
      maxSquares?: number | undefined;
    }
  /** An ONNX encoder over right-padded sequences; a row is one logit, or an embedding. */
  | {
      kind: 'padded-encoder';
      graphPath: string;
      /** Modes whose results stand one after the other in a row; none where the graph gives logits. */
      pooling: readonly Pooling[];
      /** Rows to unit length. */
      normalize: boolean;
      padId: number;
    };

/** Sequences of a call, all or some. The arrays are copied when run() or append() is called. */
export interface NativeBlock {
  /** Token ids of all sequences, one after the other. */
  ids: Int32Array;
  /** The segment of each token, for a padded encoder; as long as ids. */
  typeIds?: Uint8Array;
  /** [sequences + 1]: where each sequence begins and ends in ids. */
  offsets: Uint32Array;
  /** [sequences]: equal for sequences that begin alike, or that are to be sorted by length together. */
  groups: Uint32Array;
  /**
   * About how many times as many tokens as the call has brought so far are still to come, in blocks that append()
   * brings; 0 with the last block.
   */
  toCome: number;
}

/** A call, with the first block of its sequences or all of them. */
export interface NativeWork extends NativeBlock {
  /** Tokens a batch computes, those that sequences share counted once. */
  maxBatchTokens: number;
  /** Sequences times longest sequence of a batch. */
  maxPaddedTokens: number;
  /** How many times as many of both it may have where its sequences share a long prefix, and nothing else waits. */
  prefixStretch: number;
  /** QUEUE_FULL when more tokens than this would wait. */
  maxQueueTokens: number;
  /** Its share of the tokens beside calls of other weights, 1 to 16. */
  weight: number;
}

export interface NativeEngine {
  readonly id: number;
  counters(): EngineCounters;
  /**
   * The rows resolve to a row a sequence; the ticket is for append() and cancel(). `onStart` is called as its first batch is run, with the
   * seconds that it has waited.
   * Throws QUEUE_FULL.
   */
  run(
    work: NativeWork,
    onStart?: (waitedSeconds: number) => void,
    onProgress?: (sequencesDone: number) => void,
  ): { ticket: number; rows: Promise<Float32Array> };
  close(): Promise<void>;
}

/** What an engine has done since it was made. */
export interface EngineCounters {
  batches: number;
  sequences: number;
  /** Tokens of all prompts. */
  tokens: number;
  /** Tokens that passed through the network: fewer, where prompts begin alike. */
  computedTokens: number;
  /** Sequences times longest sequence, summed over batches: what attention lays out. */
  paddedTokens: number;
  /** Seconds in runs, summed over threads. */
  runSeconds: number;
  /**
   * Of these, seconds in ONNX Runtime, without packing and waiting. A GPU runs one batch at a time: the rest of the
   * time it is idle.
   */
  computeSeconds: number;
  /** Runs that a device had no memory for: halved, or a single sequence run on the CPU. */
  outOfMemory: number;
  /** Sequences whose score was not finite, and that were run again on the fallback: of a batch 8, or a quarter. */
  notFinite: number;
  /** Tokens that wait now, and that calls have announced. */
  queuedTokens: number;
}

/** A native error as a ZrankError, with the stack of the caller. */
export function fromNative(error: unknown): unknown {
  const { code, message } = error as { code?: string; message?: string };
  if (error instanceof ZrankError || !errorCodes.includes(code as ErrorCode)) return error;
  return new ZrankError(code as ErrorCode, message ?? '', { cause: error });
}
