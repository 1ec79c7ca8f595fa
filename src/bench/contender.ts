import type { Call } from './workload.js';

/** What a contender did with some calls. */
export interface Timing {
  /** Wall time, all calls together. */
  seconds: number;
  /** Seconds of each call, in the calls' order. */
  latencies: number[];
  /** Raw scores of each call's pairs, where the contender gives them. */
  logits: number[][] | undefined;
}

/** Something that scores the workload: zrank itself, a peer, a server. */
export interface Contender {
  readonly name: string;
  /** Its own versions, by component. */
  readonly versions: Readonly<Record<string, string>>;
  /** Scores the calls, `concurrency` of them in flight. */
  run(calls: readonly Call[], concurrency: number): Promise<Timing>;
  close(): Promise<void>;
}

/** As many clients as `concurrency` says, each sending its next call when its last one is answered. */
export async function closedLoop(
  calls: readonly Call[],
  concurrency: number,
  score: (call: Call) => Promise<number[] | undefined>,
): Promise<Timing> {
  const latencies = new Array<number>(calls.length).fill(0);
  const logits = new Array<number[] | undefined>(calls.length);
  const waiting = calls.entries();
  const begin = performance.now();
  const client = async () => {
    for (const [i, call] of waiting) {
      const start = performance.now();
      logits[i] = await score(call);
      latencies[i] = (performance.now() - start) / 1000;
    }
  };
  await Promise.all(Array.from({ length: Math.min(concurrency, calls.length) }, client));
  const seconds = (performance.now() - begin) / 1000;
  return {
    seconds,
    latencies,
    logits: logits.every((some) => some !== undefined) ? (logits as number[][]) : undefined,
  };
}
