import type { InvarianceResult } from './invariance.js';
import type { Machine } from './machine.js';
import type { RunSettings } from './settings.js';

/** What a run found, as --json prints it. */
export interface BenchResult {
  scenario: string;
  pairsPerSecond: number;
  /** Tokens of all prompts. */
  tokensPerSecond: number;
  /** Tokens that passed through the network. */
  computedTokensPerSecond: number;
  /** Of a call. */
  latencyMs: { p50: number; p95: number; p99: number };
  /** Share of the calls' time in which the GPU, or a worker of the CPU, computed no batch; 0 to 1. */
  idle: number;
  /** Share of padding in what attention lays out, 0 to 1. */
  paddingWaste: number;
  /** Prompt tokens that were not computed, because prompts begin alike. */
  tokensSaved: number;
  /** Floating point operations a second that the computed tokens need; null for networks other than Qwen3. */
  flops: number | null;
  /** `flops` over those of bare matrix products, 0 to 1; null where one of them is not known. */
  mfu: number | null;
  /** Of the process, mapped weights and the benchmark's own texts included. */
  peakRssBytes: number;
  loadSeconds: number;
  /** How late timers fire while zrank works: the 99th percentile. */
  eventLoopDelayMs: number;
  against: OpponentResult[];
  machine: Machine;
  versions: Record<string, string>;
  /** As carried out: device, precision, attention, gatedUnits and products are those that `auto` chose. */
  settings: RunSettings;
  /** With --invariance. */
  invariance?: InvarianceResult;
}

/** zrank beside one other; null where that one could not run. */
export interface OpponentResult {
  name: string;
  pairsPerSecond: number | null;
  /** How many times zrank's throughput is the other's: the median over pairs of runs on the same calls. */
  ratio: number | null;
}

/** What a run's process hands to the one that started it. */
export interface RunReport {
  result: BenchResult;
  /** Of zrank's timed calls, milliseconds. */
  latenciesMs: number[];
  /** Tokens of a prompt, on average. */
  meanPromptTokens: number;
  /** Largest difference of raw scores between zrank and a peer that gives them, by peer. */
  scoreDifferences: Record<string, number>;
  /** Why a contender did not run, by name. */
  unavailable: Record<string, string>;
}
