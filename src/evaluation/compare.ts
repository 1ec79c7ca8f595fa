import { mean, quantileSorted, sampleWithReplacement } from 'simple-statistics';
import { ZrankError } from '../error.js';
import { checkOptions, type Rule } from '../options.js';
import type { Evaluation } from './evaluate.js';
import { parseMeasures } from './measures.js';
import { seededRandom } from '../random.js';

export interface CompareOptions {
  /** Bootstrap samples, and random sign patterns of the test. @default 10000 */
  samples?: number;
  /** The same seed gives the same figures; a whole number from 0 to 2^32 - 1. @default 1 */
  seed?: number;
  /** The probability that the interval is made for, between 0 and 1. @default 0.95 */
  confidence?: number;
}

export interface Comparison {
  measure: string;
  /** The means. */
  before: number;
  after: number;
  /** The mean of the differences, after - before. */
  change: number;
  /** Percentile bootstrap interval of `change`. */
  interval: { low: number; high: number; confidence: number };
  /** Two-sided, of the paired randomization test. */
  pValue: number;
  /** How many queries went up, down, and stayed. */
  improved: number;
  worsened: number;
  unchanged: number;
  /** after - before, for each query. */
  differences: ReadonlyMap<string, number>;
}

const comparedRules = ['convention', 'relevanceLevel', 'judgedOnly', 'maxRetrieved', 'ignoreIdenticalIds'] as const;

const isWhole = (value: unknown, least: number, most: number): boolean =>
  Number.isInteger(value) && (value as number) >= least && (value as number) <= most;

export const compareRules = {
  samples: { expected: 'a whole number from 1 to 2^24', test: (value) => isWhole(value, 1, 2 ** 24) },
  seed: { expected: 'a whole number from 0 to 2^32 - 1', test: (value) => isWhole(value, 0, 2 ** 32 - 1) },
  confidence: {
    expected: 'a number between 0 and 1',
    test: (value) => typeof value === 'number' && value > 0 && value < 1,
  },
} satisfies Record<string, Rule>;

/**
 * Compares two evaluations of the same queries on one measure. Synchronous; the work is `samples` times the number of
 * queries.
 *
 * - `pValue`: Fisher's randomization test, as Smucker, Allan and Carterette (CIKM 2007) recommend it for retrieval.
 *   Were the two systems alike, each difference could as well have the other sign; the value is the share of sign
 *   patterns whose mean lies at least as far from 0 as the one seen. All patterns are counted where there are at most
 *   `samples` of them; otherwise `samples` are drawn and the one seen is added.
 * - `interval`: queries are drawn with replacement, and the quantiles of the means taken (Efron's percentile method;
 *   for retrieval Sakai, SIGIR 2006).
 *
 * Means, resampling and quantiles are those of simple-statistics. Its permutationTest is of no use here: it pools the
 * two samples and forgets which values belong to one query.
 *
 * @throws ZrankError INVALID_ARGUMENT for an option, an unknown measure, or evaluations that are not of the same
 * queries
 */
export function compare(
  before: Evaluation,
  after: Evaluation,
  measure: string,
  options: CompareOptions = {},
): Comparison {
  checkOptions('compare()', options, compareRules);
  const { samples = 10_000, seed = 1, confidence = 0.95 } = options;
  const differences = differencesOf(before, after, measure);
  const values = [...differences.values()];
  const random = seededRandom(seed);
  const improved = values.filter((value) => value > 0).length;
  const worsened = values.filter((value) => value < 0).length;
  return {
    measure,
    before: before.measures[measure]!,
    after: after.measures[measure]!,
    change: mean(values),
    interval: { ...bootstrapInterval(values, samples, confidence, random), confidence },
    pValue: randomizationTest(values, samples, random),
    improved,
    worsened,
    unchanged: values.length - improved - worsened,
    differences,
  };
}

function differencesOf(before: Evaluation, after: Evaluation, measure: string): Map<string, number> {
  for (const { measures } of [before, after]) {
    if (!Object.hasOwn(measures, measure)) {
      throw ZrankError.argument('measure', `one of ${Object.keys(measures).join(', ')}`, measure);
    }
  }
  if (parseMeasures(measure)[0]!.summary !== 'mean') {
    throw new ZrankError('INVALID_ARGUMENT', `${measure} is no mean over the queries, so it has no paired differences`);
  }
  for (const rule of comparedRules) {
    if (before[rule] !== after[rule]) {
      throw ZrankError.argument(`${rule} of after`, `that of before, ${before[rule]},`, after[rule]);
    }
  }
  const queries = new Set([...before.queries.keys(), ...after.queries.keys()]);
  const differences = new Map<string, number>();
  for (const query of queries) {
    const [old, now] = [before.queries.get(query), after.queries.get(query)];
    if (!old || !now) {
      throw new ZrankError(
        'INVALID_ARGUMENT',
        `only the evaluation ${old ? 'before' : 'after'} has query ${query}: ` +
          'compare needs the same queries, as with complete',
      );
    }
    differences.set(query, now[measure]! - old[measure]!);
  }
  return differences;
}

function bootstrapInterval(
  values: number[],
  samples: number,
  confidence: number,
  random: () => number,
): { low: number; high: number } {
  const means = Float64Array.from({ length: samples }, () =>
    mean(sampleWithReplacement(values, values.length, random)),
  );
  const sorted = [...means.sort()];
  const tail = (1 - confidence) / 2;
  return { low: quantileSorted(sorted, tail), high: quantileSorted(sorted, 1 - tail) };
}

function randomizationTest(values: number[], samples: number, random: () => number): number {
  // A difference of 0 has no sign to turn.
  const changed = values.filter((value) => value !== 0);
  // Sums of the same numbers in another arrangement of signs may differ in the last bits.
  const tolerance = 1e-12 * changed.reduce((sum, value) => sum + Math.abs(value), 0);
  const seen = Math.abs(changed.reduce((sum, value) => sum + value, 0)) - tolerance;
  const isExtreme = (turns: (index: number) => boolean): boolean => {
    let sum = 0;
    for (let i = 0; i < changed.length; i++) sum += turns(i) ? -changed[i]! : changed[i]!;
    return Math.abs(sum) >= seen;
  };

  const patterns = 2 ** changed.length;
  let extreme = 0;
  if (patterns <= samples) {
    for (let pattern = 0; pattern < patterns; pattern++) if (isExtreme((i) => ((pattern >> i) & 1) === 1)) extreme++;
    return extreme / patterns;
  }
  for (let sample = 0; sample < samples; sample++) if (isExtreme(() => random() < 0.5)) extreme++;
  return (extreme + 1) / (samples + 1);
}
