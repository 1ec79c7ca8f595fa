/** How often values came, in the manner of Prometheus. */
export interface HistogramCounts {
  /** Upper bounds of the buckets, ascending, the last one Infinity. */
  bounds: readonly number[];
  /** [bounds] values at most the bound and above the one before it. */
  counts: readonly number[];
  sum: number;
  count: number;
}

/** From a tenth of a millisecond to two minutes: each bound is 1.5 times the one before it. */
const secondBounds = [...Array.from({ length: 35 }, (_, i) => 1e-4 * 1.5 ** i), Infinity];

/** Counts durations, in seconds. */
export class Histogram {
  readonly #counts = new Array<number>(secondBounds.length).fill(0);
  #sum = 0;
  #count = 0;

  add(seconds: number): void {
    this.#counts[secondBounds.findIndex((bound) => seconds <= bound)]! += 1;
    this.#sum += seconds;
    this.#count += 1;
  }

  counts(): HistogramCounts {
    return { bounds: secondBounds, counts: [...this.#counts], sum: this.#sum, count: this.#count };
  }
}
