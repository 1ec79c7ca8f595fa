import type { Lengths, QueryLength } from './scenario.js';

/** Everything that determines a run; a process of its own carries it out. */
export interface RunSettings {
  scenario: string;
  /** The model folder. */
  model: string;
  /** Whose random weights are in the folder, where --shape made it. */
  shape: string | null;
  query: QueryLength;
  queryTokens: number;
  documents: number;
  documentTokens: Lengths;
  sharedQuery: boolean;
  /** Timed calls; at most, where `seconds` is given. In a result: those that were made. So are `warmups`. */
  calls: number;
  warmups: number;
  /** About how long all calls together may take; null: as long as they do. */
  seconds: number | null;
  /** Calls in flight at once. */
  concurrency: number;
  seed: number;
  device: string;
  precision: string;
  attention: string;
  gatedUnits: string;
  products: string;
  /** null: the reranker's default. */
  workers: number | null;
  threads: number;
  /** null: the reranker's default. */
  maxBatchTokens: number | null;
  /** Peers by name, servers by URL. */
  against: string[];
  /** Wire format of the servers; null: detected. */
  dialect: string | null;
  /** The model's name on the servers; null: what they say. */
  serverModel: string | null;
  /** The interpreter of peers in Python. */
  python: string;
  invariance: boolean;
}

/** What stays out of results. */
export interface Secrets {
  /** Sent to servers as a bearer token. */
  apiKey: string | undefined;
}

/** Where a run reports what it is doing, a line at a time. */
export type Log = (message: string) => void;

/** Whether a contender is a server. */
export function isUrl(name: string): boolean {
  return /^https?:\/\//.test(name);
}
