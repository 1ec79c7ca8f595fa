import { mean } from 'simple-statistics';
import { ZrankError } from '../error.js';
import { checkConvention, type Convention, conventionRules } from './conventions.js';
import { defaultMeasures, isRelevant, type JudgedRanking, type Measure, parseMeasure } from './measures.js';
import type { Qrels } from './qrels.js';
import { rankDocuments } from './rank.js';
import type { Run } from './run.js';

export interface EvaluateOptions {
  /** Names such as `ndcg@10` or `recip_rank`. @default `defaultMeasures` */
  measures?: readonly string[];
  /** Whose rules to follow. @default 'trec' */
  convention?: Convention;
  /**
   * Averages over all judged queries, those that the run lacks as 0 (trec_eval -c), instead of the judged queries of
   * the run. @default true for 'trec', whose program refuses such a run without -c; false for the others
   */
  complete?: boolean;
}

export interface Evaluation {
  convention: Convention;
  complete: boolean;
  /** The mean over `queries`, by the names as the caller wrote them. */
  measures: Readonly<Record<string, number>>;
  /** Each averaged query's values, in the order of the qrels. */
  queries: ReadonlyMap<string, Readonly<Record<string, number>>>;
  /** Judged queries that the run lacks: 0 where `complete`, otherwise left out. */
  missing: readonly string[];
  /** Queries of the run that are not judged; they are left out. */
  unjudged: readonly string[];
}

/**
 * Measures a run against judgements, query by query and in the mean.
 *
 * @throws ZrankError INVALID_ARGUMENT for an option; DATA_INVALID for a score that is NaN or a grade that is not a
 * whole number; UNKNOWN_ID where run and qrels have no query in common
 */
export function evaluate(qrels: Qrels, run: Run, options: EvaluateOptions = {}): Evaluation {
  const measures = (options.measures ?? defaultMeasures).map(parseMeasure);
  const convention = checkConvention(options.convention ?? 'trec');
  const complete = options.complete ?? conventionRules[convention].complete;
  if (typeof complete !== 'boolean') throw ZrankError.argument('complete', 'true or false', complete);
  if (measures.length === 0) throw ZrankError.argument('measures', 'at least one name', options.measures);

  const missing = [...qrels.keys()].filter((query) => !run.has(query));
  if (missing.length === qrels.size) {
    throw new ZrankError(
      'UNKNOWN_ID',
      `no query is in both the qrels (${nameSome([...qrels.keys()])}) and the run (${nameSome([...run.keys()])})`,
    );
  }
  const queries = new Map<string, Readonly<Record<string, number>>>();
  for (const [query, grades] of qrels) {
    const scores = run.get(query);
    if (!scores && !complete) continue;
    const ranking = judge(query, grades, scores ?? new Map(), convention);
    queries.set(query, valuesOf(query, measures, ranking));
  }
  const all = [...queries.values()];
  return {
    convention,
    complete,
    measures: Object.fromEntries(measures.map(({ name }) => [name, mean(all.map((values) => values[name]!))])),
    queries,
    missing,
    unjudged: [...run.keys()].filter((query) => !qrels.has(query)),
  };
}

function judge(
  query: string,
  grades: ReadonlyMap<string, number>,
  scores: ReadonlyMap<string, number>,
  convention: Convention,
): JudgedRanking {
  for (const [document, grade] of grades) {
    if (Number.isInteger(grade)) continue;
    throw new ZrankError('DATA_INVALID', `the grade of document ${document} for query ${query} is ${grade}`, {
      expected: 'a whole number',
      received: String(grade),
    });
  }
  const { averagesTies, ideal } = conventionRules[convention];
  const ranked = rankDocuments(query, scores, convention);
  const retrieved = ranked.map(({ document }) => grades.get(document) ?? 0);
  const candidates = ideal === 'judged' ? [...grades.values()] : retrieved;
  return {
    grades: retrieved,
    ...(averagesTies && { tiedBy: ranked.map(({ score }) => score) }),
    ideal: candidates.filter((grade) => grade > 0).sort((a, b) => b - a),
    relevant: [...grades.values()].filter(isRelevant).length,
  };
}

function valuesOf(query: string, measures: readonly Measure[], ranking: JudgedRanking): Record<string, number> {
  return Object.fromEntries(
    measures.map(({ name, of }) => {
      const value = of(ranking);
      if (!Number.isFinite(value)) {
        throw new ZrankError('DATA_INVALID', `${name} of query ${query} overflows: its grades are too high`);
      }
      return [name, value];
    }),
  );
}

function nameSome(ids: readonly string[]): string {
  return ids.length > 3 ? `${ids.slice(0, 3).join(', ')}, … ${ids.length} in all` : ids.join(', ') || 'none';
}
