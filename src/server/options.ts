import type { LoadOptions, Reranker } from '../index.js';
import {
  aBoolean,
  aFunction,
  anObject,
  aPositiveInteger,
  aTimeout,
  checkOptions,
  listOf,
  oneOf,
  type Rule,
} from '../options.js';
import { type DialectName, dialectNames } from './dialects.js';
import type { LogEntry } from './record.js';

/** Settings of every transport. */
export interface ServerOptions {
  /**
   * The model: one that is loaded, which stays the caller's to close, or what Reranker.load() takes, which the server
   * closes once its last answer is out. @default the embedded zrank-small
   */
  reranker?: Reranker | string;
  /** Several, by the name that a body's `model` gives; the first is for bodies without one. */
  models?: Readonly<Record<string, Reranker | string>>;
  /** How models are loaded. */
  load?: LoadOptions;
  /** Whether a `model` that is no name of `models` means the first one, instead of an error. @default false */
  anyModel?: boolean;
  /** What all paths begin with. @default '' */
  prefix?: string;
  /** Whether /, /openapi.json, /health, /ready and /metrics are answered too. @default true */
  pages?: boolean;
  /** @default all */
  dialects?: readonly DialectName[];
  /** Bearer tokens, one of which a call must bring; /health, /ready and /metrics are open. @default none needed */
  apiKeys?: readonly string[];
  /** @default 10000 */
  maxDocuments?: number;
  /** Of a body. @default 33554432 */
  maxBodyBytes?: number;
  /** Of a query or a document. @default 1000000 */
  maxTextCharacters?: number;
  /** Ends a call that takes longer; a request may ask for less by the header `x-timeout-ms`. @default none */
  timeoutMs?: number;
  /**
   * Whether strings such as `<|im_end|>` in queries and documents are special tokens. Documents come from strangers
   * here. @default 'text'
   */
  specialTokens?: 'parse' | 'text';
  /** Called once a request has its answer, with nothing of its texts and keys. */
  log?: (entry: LogEntry) => void;
}

const rules: Readonly<Record<string, Rule>> = {
  reranker: { expected: 'a Reranker, a folder or the name of a model', test: isModel },
  models: {
    expected: 'an object of Rerankers, folders or names of models, by name',
    test: (value) =>
      anObject.test(value) &&
      Object.values(value as object).length > 0 &&
      Object.values(value as object).every(isModel),
  },
  load: anObject,
  anyModel: aBoolean,
  prefix: { expected: "'' or a path such as '/rerank-api'", test: (value) => /^(\/[\w.~-]+)*$/.test(String(value)) },
  pages: aBoolean,
  dialects: listOf(oneOf(...dialectNames)),
  // An empty one would let in who brings none.
  apiKeys: listOf({
    expected: 'a string that is not empty',
    test: (value) => typeof value === 'string' && value !== '',
  }),
  maxDocuments: aPositiveInteger,
  maxBodyBytes: aPositiveInteger,
  maxTextCharacters: aPositiveInteger,
  timeoutMs: aTimeout,
  specialTokens: oneOf('parse', 'text'),
  log: aFunction,
};

/** Throws INVALID_ARGUMENT for an option that is unknown or wrong. `more` are those of one transport. */
export function checkServerOptions(what: string, options: unknown, more: Readonly<Record<string, Rule>> = {}): void {
  checkOptions(what, options, { ...rules, ...more });
}

/** Rerankers of another copy of the package are rerankers too. */
function isModel(value: unknown): boolean {
  return typeof value === 'string' ? value !== '' : typeof (value as Reranker | undefined)?.rank === 'function';
}
