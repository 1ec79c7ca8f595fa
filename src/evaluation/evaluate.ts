import { ZrankError } from '../error.js';
import { aBoolean, aPositiveInteger, checkOptions, oneOf, type Rule } from '../options.js';
import { type Convention, conventionRules, conventions } from './conventions.js';
import { isJudged, isRelevant, type JudgedRanking, unjudged } from './judged-ranking.js';
import { defaultMeasures, type Measure, parseMeasures, summarize } from './measures.js';
import type { Qrels } from './qrels.js';
import { compareUtf8, rankDocuments } from './rank.js';
import type { Run } from './run.js';

/** What is counted, and how. */
export interface EvaluationRules {
  /** Whose rules to follow. @default 'trec' */
  convention: Convention;
  /**
   * Averages over all judged queries, those that the run lacks as 0 (trec_eval -c), instead of the judged queries of
   * the run. @default true for 'trec', whose program refuses such a run without -c; false for the others
   */
  complete: boolean;
  /** The least grade of a relevant document (trec_eval -l); the gains of NDCG are the grades all the same. @default 1 */
  relevanceLevel: number;
  /** Takes documents that nobody judged out of the ranking (trec_eval -J). @default false */
  judgedOnly: boolean;
  /** How many documents of each query count (trec_eval -M). @default Infinity */
  maxRetrieved: number;
  /** Takes a document whose id is the query's out of the ranking, as BEIR does. @default false */
  ignoreIdenticalIds: boolean;
}

export interface EvaluateOptions extends Partial<EvaluationRules> {
  /** Names such as `ndcg@10`, `recip_rank`, `P.5,10` or `official`. @default `defaultMeasures` */
  measures?: readonly string[];
}

export interface Evaluation extends EvaluationRules {
  /**
   * Over `queries` the mean, of counts the sum, of gm_map and gm_bpref the geometric mean; by the names as the caller
   * wrote them, or by trec_eval's where one name stands for several.
   */
  measures: Readonly<Record<string, number>>;
  /** Each averaged query's values, in the order of the qrels. */
  queries: ReadonlyMap<string, Readonly<Record<string, number>>>;
  /** Judged queries that the run lacks: 0 where `complete`, otherwise left out. */
  missing: readonly string[];
  /** Queries of the run that are not judged; they are left out. */
  unjudged: readonly string[];
}

export const evaluateRules = {
  measures: {
    expected: 'an array of at least one measure',
    // Throws for a name that is none, and says which.
    test: (value) => Array.isArray(value) && value.length > 0 && value.every((name) => parseMeasures(name)),
  },
  convention: oneOf(...conventions),
  complete: aBoolean,
  relevanceLevel: {
    expected: 'a whole number, 0 or more',
    test: (value) => Number.isSafeInteger(value) && (value as number) >= 0,
  },
  judgedOnly: aBoolean,
  maxRetrieved: {
    expected: 'a positive integer or Infinity',
    test: (value) => value === Infinity || aPositiveInteger.test(value),
  },
  ignoreIdenticalIds: aBoolean,
} satisfies Record<string, Rule>;

/**
 * Measures a run against judgements, query by query and in the mean.
 *
 * @throws ZrankError INVALID_ARGUMENT for an option; DATA_INVALID for a score that is NaN or a grade that is not a
 * whole number; UNKNOWN_ID where run and qrels have no query in common
 */
export function evaluate(qrels: Qrels, run: Run, options: EvaluateOptions = {}): Evaluation {
  checkOptions('evaluate()', options, evaluateRules);
  const measures = (options.measures ?? defaultMeasures).flatMap(namedMeasures);
  const rules = withDefaults(options);

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
    if (!scores && !rules.complete) continue;
    const ranking = judge(query, grades, scores ?? new Map(), rules);
    queries.set(query, valuesOf(query, measures, ranking));
  }
  const sorted = [...queries].sort(([a], [b]) => compareUtf8(a, b));
  const summaryOf = (measure: Measure): number =>
    summarize(
      measure,
      sorted.map(([, values]) => values[measure.name]!),
    );
  return {
    ...rules,
    measures: Object.fromEntries(measures.map((measure) => [measure.name, summaryOf(measure)])),
    queries,
    missing,
    unjudged: [...run.keys()].filter((query) => !qrels.has(query)),
  };
}

/** A name that stands for one measure is kept as it was written. */
function namedMeasures(name: string): Measure[] {
  const measures = parseMeasures(name);
  return measures.length === 1 ? [{ ...measures[0]!, name }] : measures;
}

function withDefaults(options: Partial<EvaluationRules>): EvaluationRules {
  const { convention = 'trec', complete = conventionRules[convention].complete } = options;
  const { relevanceLevel = 1, judgedOnly = false, maxRetrieved = Infinity, ignoreIdenticalIds = false } = options;
  return { convention, complete, relevanceLevel, judgedOnly, maxRetrieved, ignoreIdenticalIds };
}

function judge(
  query: string,
  grades: ReadonlyMap<string, number>,
  scores: ReadonlyMap<string, number>,
  { convention, relevanceLevel, judgedOnly, maxRetrieved, ignoreIdenticalIds }: EvaluationRules,
): JudgedRanking {
  for (const [document, grade] of grades) {
    if (Number.isInteger(grade)) continue;
    throw new ZrankError('DATA_INVALID', `the grade of document ${document} for query ${query} is ${grade}`, {
      expected: 'a whole number',
      received: String(grade),
    });
  }
  const { averagesTies, ideal, recallRounding } = conventionRules[convention];
  const ranked = rankDocuments(query, scores, convention)
    .filter(({ document }) => !ignoreIdenticalIds || document !== query)
    .slice(0, maxRetrieved)
    .map(({ document, score }) => ({ score, grade: grades.get(document) ?? unjudged }))
    .filter(({ grade }) => !judgedOnly || isJudged(grade));
  const retrieved = ranked.map(({ grade }) => grade);
  const judged = [...grades.values()].filter(isJudged);
  const relevant = judged.filter((grade) => isRelevant(grade, relevanceLevel)).length;
  return {
    grades: retrieved,
    ...(averagesTies && { tiedBy: ranked.map(({ score }) => score) }),
    ideal: (ideal === 'judged' ? judged : retrieved).filter((grade) => grade > 0).sort((a, b) => b - a),
    relevantRanks: retrieved.flatMap((grade, i) => (isRelevant(grade, relevanceLevel) ? [i + 1] : [])),
    relevant,
    nonrelevant: judged.length - relevant,
    recallRounding,
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
