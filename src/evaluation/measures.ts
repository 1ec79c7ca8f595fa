import { ZrankError } from '../error.js';

/** One query's ranking, seen through its judgements. */
export interface JudgedRanking {
  /** The grade at each rank; 0 for a document that is not judged. */
  grades: readonly number[];
  /** The score at each rank, where NDCG gives each document of a tie the tie's mean gain. */
  tiedBy?: readonly number[];
  /** The positive grades of NDCG's ideal ranking, in descending order. */
  ideal: readonly number[];
  /** How many documents are judged relevant, retrieved or not. */
  relevant: number;
}

type Formula = (ranking: JudgedRanking, cutoff: number) => number;

/** A measure by name, with the number of ranks it looks at. */
export interface Measure {
  /** As the caller wrote it. */
  name: string;
  /** One query's value, 0 to 1; 0 where the query has no relevant document. */
  of: (ranking: JudgedRanking) => number;
}

/** The measures that are taken where none are named. */
export const defaultMeasures: readonly string[] = [
  'ndcg@10',
  'ndcg@5',
  'ndcg@100',
  'ndcg',
  'map',
  'map@10',
  'mrr',
  'precision@5',
  'precision@10',
  'recall@10',
  'recall@100',
  'success@1',
  'success@5',
  'success@10',
];

const families: Readonly<Record<string, { cut: 'needed' | 'optional'; formula: Formula }>> = {
  ndcg: { cut: 'optional', formula: (ranking, k) => ndcg(ranking, k, linearGain) },
  ndcg_exp: { cut: 'optional', formula: (ranking, k) => ndcg(ranking, k, exponentialGain) },
  mrr: { cut: 'optional', formula: reciprocalRank },
  map: { cut: 'optional', formula: averagePrecision },
  recall: { cut: 'needed', formula: recall },
  precision: { cut: 'needed', formula: precision },
  success: { cut: 'needed', formula: success },
};

/** What trec_eval (recip_rank, P) and ranx (ndcg_burges, hit_rate) call them. */
const otherNames: Readonly<Record<string, string>> = {
  recip_rank: 'mrr',
  p: 'precision',
  ndcg_burges: 'ndcg_exp',
  hit_rate: 'success',
};

/**
 * The measure of a name such as `ndcg@10`, `map` or trec_eval's `ndcg_cut_10`, in either case.
 *
 * @throws ZrankError INVALID_ARGUMENT
 */
export function parseMeasure(name: string): Measure {
  const [, word = '', cut] = /^([a-z_]+?)(?:(?:_cut)?[@_.]([1-9]\d*))?$/.exec(String(name).toLowerCase()) ?? [];
  const own = Object.hasOwn(otherNames, word) ? otherNames[word]! : word;
  const family = Object.hasOwn(families, own) ? families[own] : undefined;
  if (!family || (cut === undefined && family.cut === 'needed')) {
    throw ZrankError.argument('measure', `one of ${spellings()}`, name);
  }
  const cutoff = cut === undefined ? Infinity : Number(cut);
  return { name, of: (ranking) => family.formula(ranking, cutoff) };
}

function spellings(): string {
  return Object.entries(families)
    .map(([name, { cut }]) => (cut === 'needed' ? `${name}@k` : `${name}, ${name}@k`))
    .join(', ');
}

/**
 * Normalized discounted cumulative gain: Σ gain(grade at rank r) / log2(r + 1) over the first k ranks, divided by the
 * same sum over the ideal ranking. Järvelin and Kekäläinen, ACM TOIS 20(4), 2002; trec_eval m_ndcg.c, m_ndcg_cut.c.
 * The mean gain of ties: McSherry and Najork, ECIR 2008; scikit-learn's ndcg_score.
 */
function ndcg({ grades, tiedBy, ideal }: JudgedRanking, k: number, gain: (grade: number) => number): number {
  const best = discountedSum(ideal.map(gain), k);
  if (best === 0) return 0;
  const gains = grades.map(gain);
  return discountedSum(tiedBy ? averageTies(gains, tiedBy) : gains, k) / best;
}

/** The grade itself; trec_eval and ranx's ndcg. */
function linearGain(grade: number): number {
  return Math.max(0, grade);
}

/** 2^grade - 1: Burges et al., ICML 2005; ranx's ndcg_burges. */
function exponentialGain(grade: number): number {
  return 2 ** Math.max(0, grade) - 1;
}

function discountedSum(gains: readonly number[], k: number): number {
  const end = Math.min(k, gains.length);
  let sum = 0;
  for (let i = 0; i < end; i++) sum += gains[i]! / Math.log2(i + 2);
  return sum;
}

/** Each gain replaced with the mean over the documents of the same score; equal scores stand together. */
function averageTies(gains: readonly number[], scores: readonly number[]): number[] {
  const averaged: number[] = [];
  while (averaged.length < gains.length) {
    const start = averaged.length;
    let end = start;
    let sum = 0;
    while (end < gains.length && scores[end] === scores[start]) sum += gains[end++]!;
    for (let i = start; i < end; i++) averaged.push(sum / (end - start));
  }
  return averaged;
}

/** 1 / the rank of the first relevant document; 0 where the first k hold none. trec_eval m_recip_rank.c. */
function reciprocalRank({ grades }: JudgedRanking, k: number): number {
  const index = grades.findIndex(isRelevant);
  return index < 0 || index >= k ? 0 : 1 / (index + 1);
}

/**
 * The precision at the rank of each relevant document among the first k, summed and divided by the number of all
 * relevant documents. trec_eval m_map.c, m_map_cut.c.
 */
function averagePrecision({ grades, relevant }: JudgedRanking, k: number): number {
  if (relevant === 0) return 0;
  const end = Math.min(k, grades.length);
  let found = 0;
  let sum = 0;
  for (let i = 0; i < end; i++) {
    if (isRelevant(grades[i]!)) sum += ++found / (i + 1);
  }
  return sum / relevant;
}

/** The share of all relevant documents that is among the first k. trec_eval m_recall.c. */
function recall(ranking: JudgedRanking, k: number): number {
  return ranking.relevant === 0 ? 0 : relevantAmong(ranking, k) / ranking.relevant;
}

/**
 * The share of the first k ranks that is relevant; k is the divisor even where fewer were retrieved. trec_eval m_P.c.
 */
function precision(ranking: JudgedRanking, k: number): number {
  return relevantAmong(ranking, k) / k;
}

/** 1 where the first k hold a relevant document, else 0. trec_eval m_success.c. */
function success(ranking: JudgedRanking, k: number): number {
  return relevantAmong(ranking, k) > 0 ? 1 : 0;
}

function relevantAmong({ grades }: JudgedRanking, k: number): number {
  let found = 0;
  for (let i = 0; i < Math.min(k, grades.length); i++) if (isRelevant(grades[i]!)) found++;
  return found;
}

/** trec_eval's default relevance level; ranx's rel_lvl. */
export function isRelevant(grade: number): boolean {
  return grade >= 1;
}
