/**
 * Every failure that zrank reports, by its stable code. The native codes also stand in native/core/contract.h; a test
 * compares the two lists.
 */
export const errorCodes = [
  // Calls
  'INVALID_ARGUMENT',
  'CLOSED',
  'ABORTED',
  'TIMEOUT',
  'QUEUE_FULL',
  'REQUEST_TOO_LARGE',
  'PROMPT_TOO_LONG',
  'QUERY_TOO_LONG',
  // Files
  'FILE_NOT_FOUND',
  'FILE_UNREADABLE',
  'FILE_UNWRITABLE',
  'JSON_INVALID',
  'DATA_INVALID',
  'DUPLICATE_ID',
  'UNKNOWN_ID',
  'INDEX_INVALID',
  'DATABASE_FAILED',
  // Models of the hub
  'MODEL_NOT_DOWNLOADED',
  'MODEL_NOT_FOUND',
  'REVISION_NOT_FOUND',
  'MODEL_GATED',
  'HUB_UNAUTHORIZED',
  'HUB_UNREACHABLE',
  'HUB_OFFLINE',
  'HUB_RESPONSE_INVALID',
  'CHECKSUM_MISMATCH',
  'DISK_FULL',
  'SELF_TEST_FAILED',
  // Bulk jobs
  'JOB_NOT_FOUND',
  'JOB_INCOMPLETE',
  'MODEL_MISMATCH',
  'REDIS_UNREACHABLE',
  // Checkpoints
  'CONFIG_INVALID',
  'ARCHITECTURE_UNSUPPORTED',
  'TEMPLATE_INVALID',
  'TOKENIZER_INVALID',
  'SAFETENSORS_TRUNCATED',
  'SAFETENSORS_HEADER_TOO_LONG',
  'SAFETENSORS_HEADER_INVALID',
  'TENSOR_OFFSETS_OVERLAP',
  'TENSOR_OFFSETS_OUT_OF_RANGE',
  'TENSOR_MISSING',
  'TENSOR_SHAPE_MISMATCH',
  'TENSOR_DTYPE_UNSUPPORTED',
  'SHARD_MISSING',
  // Runtime
  'ADDON_NOT_FOUND',
  'PACKAGE_NOT_FOUND',
  'ONNXRUNTIME_NOT_FOUND',
  'ONNXRUNTIME_INCOMPATIBLE',
  'DEVICE_UNAVAILABLE',
  'DEVICE_OUT_OF_MEMORY',
  'OUT_OF_MEMORY',
  'SESSION_FAILED',
  'RUN_FAILED',
  'SCORE_NOT_FINITE',
  // Benchmarks
  'PEER_UNAVAILABLE',
  'PEER_FAILED',
  // Anywhere
  'INTERNAL',
] as const;

export type ErrorCode = (typeof errorCodes)[number];

/** The HTTP status of a code; any other is 500. */
const statuses: Readonly<Partial<Record<ErrorCode, number>>> = {
  INVALID_ARGUMENT: 400,
  REQUEST_TOO_LARGE: 413,
  PROMPT_TOO_LONG: 422,
  QUERY_TOO_LONG: 422,
  QUEUE_FULL: 429,
  // Nginx's for a client that has gone.
  ABORTED: 499,
  CLOSED: 503,
  DEVICE_OUT_OF_MEMORY: 503,
  OUT_OF_MEMORY: 503,
  TIMEOUT: 504,
};

export interface ZrankErrorOptions {
  cause?: unknown;
  /** Of QUEUE_FULL: when there should be room. */
  retryAfterMs?: number;
  /** What would have been right. */
  expected?: string;
  /** What came instead. */
  received?: string;
}

/** The one error class of zrank: a stable `code`, what was expected, what came, and the cause. */
export class ZrankError extends Error {
  override readonly name = 'ZrankError';
  readonly code: ErrorCode;
  readonly expected: string | undefined;
  readonly received: string | undefined;
  /** Milliseconds after which the same call may succeed, where waiting helps. */
  readonly retryAfterMs: number | undefined;

  constructor(code: ErrorCode, message: string, options: ZrankErrorOptions = {}) {
    super(message, 'cause' in options ? { cause: options.cause } : undefined);
    this.code = code;
    this.expected = options.expected;
    this.received = options.received;
    this.retryAfterMs = options.retryAfterMs;
  }

  /** What an HTTP server answers where a call fails so. */
  get status(): number {
    return statuses[this.code] ?? 500;
  }

  /** What JSON.stringify() makes of it; an Error has no enumerable message. The cause stays out. */
  toJSON(): Pick<ZrankError, 'name' | 'code' | 'message' | 'expected' | 'received' | 'retryAfterMs'> {
    const { name, code, message, expected, received, retryAfterMs } = this;
    return { name, code, message, expected, received, retryAfterMs };
  }

  /** The error for a value that is not what `what` takes: "expected X for Y but received Z". */
  static argument(what: string, expected: string, value: unknown): ZrankError {
    const received = describe(value);
    return new ZrankError('INVALID_ARGUMENT', `expected ${expected} for ${what} but received ${received}`, {
      expected,
      received,
    });
  }
}

/** Whether it is a failure of one call, beside which others may succeed. */
export function isCallFailure(error: unknown): error is ZrankError {
  return error instanceof ZrankError && error.code !== 'ABORTED' && error.code !== 'CLOSED';
}

/** Throws ABORTED where the signal says so, with its reason as the cause, or TIMEOUT where that is the reason. */
export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (!signal?.aborted) return;
  if (signal.reason instanceof ZrankError && signal.reason.code === 'TIMEOUT') throw signal.reason;
  throw new ZrankError('ABORTED', 'the call was aborted', { cause: signal.reason });
}

/** The beginning of a text, in quotes, for a message. */
export function excerpt(text: string): string {
  // No half of a surrogate pair.
  return JSON.stringify(text.length > 60 ? `${text.slice(0, 60).replace(/[\ud800-\udbff]$/, '')}…` : text);
}

function describe(value: unknown): string {
  if (typeof value === 'string') return excerpt(value);
  if (typeof value === 'function') return 'a function';
  if (Array.isArray(value)) return `an array of ${value.length}`;
  if (typeof value === 'object' && value !== null) return `an object (${value.constructor?.name ?? 'no prototype'})`;
  return String(value);
}
