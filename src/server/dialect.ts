import type { Token } from '../index.js';
import type { JsonObject } from '../json.js';

/** A query and its documents, as a client of any dialect asks for them. */
export interface Question {
  query: string;
  documents: readonly string[];
}

/** What a request asks to have scored, whatever dialect it came in. */
export interface Call {
  /** Whose name the body gives. */
  model?: string | undefined;
  /** Queries with the document of each; one query with several documents is that query several times. */
  pairs: readonly (readonly [query: string, document: string])[];
  topN?: number | undefined;
  instruction?: string | undefined;
  /** Longest prompt and longest document, in tokens. */
  maxLength?: number | undefined;
  maxDocumentTokens?: number | undefined;
  truncation?: 'document' | 'error' | undefined;
}

/** A pair's score. */
export interface Scored {
  /** Of the pair in the call. */
  index: number;
  /** 0 to 1. */
  score: number;
  logit: number;
  truncated: boolean;
}

/** What came of a call. */
export interface Outcome {
  id: string;
  /** Unix time in seconds. */
  created: number;
  model: string;
  /** In the order of the pairs. */
  scores: readonly Scored[];
  /** Best first, equal scores in the order of the pairs, and no more than topN. */
  ranking: readonly Scored[];
  /** Of all prompts. */
  tokens: number;
  /** Pairs that were cut. */
  truncated: number;
  /** Milliseconds since the request was read, and of them in the model. */
  totalMs: number;
  computeMs: number;
}

/** Why a request has no result, with the status that it gets unless its dialect says otherwise. */
export const failureStatuses = {
  malformed: 400,
  invalid: 422,
  empty: 422,
  'too-many': 422,
  'too-long': 422,
  unauthorized: 401,
  'unknown-route': 404,
  'unknown-model': 404,
  'wrong-method': 405,
  'body-too-large': 413,
  'wrong-media-type': 415,
  overloaded: 429,
  gone: 499,
  'not-finite': 500,
  internal: 500,
  unavailable: 503,
  timeout: 504,
} as const;
export type FailureKind = keyof typeof failureStatuses;

/** A request that fails. The message is the client's to read, and repeats nothing of a document or a key. */
export class Failure extends Error {
  readonly kind: FailureKind;
  /** In milliseconds, where waiting helps. */
  readonly retryAfterMs: number | undefined;

  constructor(
    kind: FailureKind,
    message: string,
    options: { cause?: unknown; retryAfterMs?: number | undefined } = {},
  ) {
    super(message, { cause: options.cause });
    this.kind = kind;
    this.retryAfterMs = options.retryAfterMs;
  }
}

/** What a request asks to have tokenized. */
export interface TextCall {
  texts: readonly string[];
  addSpecialTokens: boolean;
}

/** One way to ask: POST of a body to a path. */
export type Route = ScoreRoute | TextRoute;

interface AnyRoute {
  /** In words, for the API reference. */
  summary: string;
  path: string;
  /** JSON Schema of the body. */
  body: JsonObject;
  /**
   * Whether a request at a path that several dialects share is for this route; without it, all are that no route before
   * it has claimed.
   */
  claims?(body: JsonObject, header: (name: string) => string | undefined): boolean;
}

export interface ScoreRoute extends AnyRoute {
  /** What a body of that schema asks for. Throws a Failure. */
  read(body: unknown): Call;
  /** The answer, as JSON. */
  write(outcome: Outcome, body: unknown): unknown;
}

/** One that asks for tokens. */
export interface TextRoute extends AnyRoute {
  readTexts(body: unknown): TextCall;
  writeTokens(tokens: readonly Token[][]): unknown;
}

/** A wire format of rerankers: its routes, its errors, and how a client of it asks. */
export interface Dialect {
  /** Where its own service documents it. */
  source: string;
  routes: readonly Route[];
  /** Of its failures, where they are not those of failureStatuses. */
  statuses: Readonly<Partial<Record<FailureKind, number>>>;
  /** The body of a failure, as JSON. */
  writeFailure(failure: Failure, status: number): unknown;
  client: {
    path: string;
    body(question: Question, model: string | undefined): JsonObject;
    /** The answer's entries, each with the `index` of its document. */
    entries(reply: unknown): unknown;
  };
}
