import type { CallTiming } from '../index.js';

/** A line of the log: what a request was and what became of it. */
export interface LogEntry {
  requestId: string;
  method: string;
  path: string;
  status: number;
  /** Of a call, once it is known. */
  dialect?: string | undefined;
  model?: string;
  documents?: number;
  tokens?: number;
  truncated?: number;
  totalMs: number;
  tokenizeMs?: number;
  queueMs?: number;
  computeMs?: number;
  /** Of a failure. */
  failure?: string;
  /** The code of zrank's error, or the stack of one that is no ZrankError. */
  error?: string;
}

/** What is known of a request while it is answered. */
export interface RequestRecord extends LogEntry {
  timing?: CallTiming;
}
