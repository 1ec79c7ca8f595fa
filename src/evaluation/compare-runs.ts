import { checkOptions, type Rule } from '../options.js';
import { compare, type CompareOptions, compareRules, type Comparison } from './compare.js';
import { evaluate, type EvaluateOptions, evaluateRules } from './evaluate.js';
import { parseMeasures } from './measures.js';
import type { Qrels } from './qrels.js';
import type { Run } from './run.js';
import type { ScoreTable } from './score-table.js';

/** Two runs of the same queries, and what is relevant to these. */
export interface JudgedRuns {
  qrels: Qrels;
  before: Run;
  after: Run;
}

export interface CompareRunsOptions extends CompareOptions, Omit<EvaluateOptions, 'complete'> {
  /** Names such as `ndcg@10` or `recip_rank`. @default ['ndcg@10', 'mrr@10', 'recall@10'] */
  measures?: readonly string[];
}

export const comparedMeasures: readonly string[] = ['ndcg@10', 'mrr@10', 'recall@10'];

const { complete: _, ...rules } = evaluateRules;
export const compareRunsRules = {
  ...compareRules,
  ...rules,
  measures: {
    expected: 'an array of at least one measure whose summary is a mean',
    test: (value) =>
      rules.measures.test(value) &&
      (value as string[]).flatMap(parseMeasures).every(({ summary }) => summary === 'mean'),
  },
} satisfies Record<string, Rule>;

/**
 * Compares two runs on each measure, over all judged queries: one that a run lacks counts as 0.
 *
 * @returns a comparison for each measure, in their order
 * @throws ZrankError INVALID_ARGUMENT for an option; what evaluate() and compare() throw
 */
export function compareRuns({ qrels, before, after }: JudgedRuns, options: CompareRunsOptions = {}): Comparison[] {
  checkOptions('compareRuns()', options, compareRunsRules);
  const { samples, seed, confidence, measures = comparedMeasures, ...rules } = options;
  const [old, now] = [before, after].map((run) => evaluate(qrels, run, { ...rules, measures, complete: true }));
  return Object.keys(old!.measures).map((measure) => compare(old!, now!, measure, { samples, seed, confidence }));
}

/**
 * The runs of several datasets as one, to compare them over all queries; the ids of queries become `DATASET/ID`, so
 * `ignoreIdenticalIds` finds none any more.
 */
export function poolRuns(datasets: Iterable<readonly [name: string, runs: JudgedRuns]>): JudgedRuns {
  const all = [...datasets];
  const pool = (table: (runs: JudgedRuns) => ScoreTable): ScoreTable =>
    new Map(all.flatMap(([name, runs]) => [...table(runs)].map(([query, scores]) => [`${name}/${query}`, scores])));
  return { qrels: pool(({ qrels }) => qrels), before: pool(({ before }) => before), after: pool(({ after }) => after) };
}
