import { ZrankError } from '../error.js';
import { Histogram, type HistogramCounts } from './histogram.js';

/** Where the time of one call went, in milliseconds. */
export interface CallTiming {
  /** Until all of its texts were tokens. */
  tokenizeMs: number;
  /** From there until the first batch with documents of it was run; 0 where one ran while others were tokenized. */
  queueMs: number;
  /** From there until it had all scores: computing that tokenizing hides does not count. */
  computeMs: number;
}

/** What became of the calls of one reranker, and how it is now. */
export interface RerankerStats {
  /** Tokens that wait, those of calls that are still being tokenized included, at an estimate. */
  waitingTokens: number;
  callsInFlight: number;
  callsDone: number;
  /** With QUEUE_FULL. */
  callsRefused: number;
  /** By a signal, with ABORTED. */
  callsAborted: number;
  /** With TIMEOUT. */
  callsTimedOut: number;
  /** With any other error. */
  callsFailed: number;
  /** Pairs whose score the cache had. */
  cacheHits: number;
  /** Pairs that it had none of; 0 where there is no cache. */
  cacheMisses: number;
  /** Seconds that calls waited for their first batch, from when they were tokenized: queueMs. */
  waiting: HistogramCounts;
  /** Seconds from there to the last score. */
  computing: HistogramCounts;
}

/** Takes the times of one call. */
export class CallTimeline {
  readonly #begun = performance.now();
  #submitted: number | undefined;
  #tokenized = this.#begun;
  #started = this.#begun;

  /** A block of it is tokenized and goes to the engine; more may follow. */
  tokenized(): void {
    this.#tokenized = performance.now();
    this.#submitted ??= this.#tokenized;
  }

  /** Its first batch has waited so long since its first block. */
  started(waitedSeconds: number): void {
    this.#started = this.#submitted! + 1000 * waitedSeconds;
  }

  ended(): CallTiming {
    const queueMs = Math.max(0, this.#started - this.#tokenized);
    return {
      tokenizeMs: this.#tokenized - this.#begun,
      queueMs,
      computeMs: performance.now() - this.#tokenized - queueMs,
    };
  }
}

/** Counts calls by their end. */
export class CallStatistics {
  #inFlight = 0;
  readonly #ends = { done: 0, refused: 0, aborted: 0, timedOut: 0, failed: 0 };
  #cacheHits = 0;
  #cacheMisses = 0;
  readonly #waiting = new Histogram();
  readonly #computing = new Histogram();

  async watch<T>(call: () => Promise<T>): Promise<T> {
    this.#inFlight += 1;
    try {
      const result = await call();
      this.#ends.done += 1;
      return result;
    } catch (error) {
      this.#ends[endOf(error)] += 1;
      throw error;
    } finally {
      this.#inFlight -= 1;
    }
  }

  lookedUp(hits: number, misses: number): void {
    this.#cacheHits += hits;
    this.#cacheMisses += misses;
  }

  ran({ queueMs, computeMs }: CallTiming): void {
    this.#waiting.add(queueMs / 1000);
    this.#computing.add(computeMs / 1000);
  }

  stats(waitingTokens: number): RerankerStats {
    const { done, refused, aborted, timedOut, failed } = this.#ends;
    return {
      waitingTokens,
      callsInFlight: this.#inFlight,
      callsDone: done,
      callsRefused: refused,
      callsAborted: aborted,
      callsTimedOut: timedOut,
      callsFailed: failed,
      cacheHits: this.#cacheHits,
      cacheMisses: this.#cacheMisses,
      waiting: this.#waiting.counts(),
      computing: this.#computing.counts(),
    };
  }
}

function endOf(error: unknown): 'refused' | 'aborted' | 'timedOut' | 'failed' {
  switch (error instanceof ZrankError ? error.code : undefined) {
    case 'QUEUE_FULL':
      return 'refused';
    case 'ABORTED':
      return 'aborted';
    case 'TIMEOUT':
      return 'timedOut';
    default:
      return 'failed';
  }
}
