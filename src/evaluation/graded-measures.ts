import { mean } from 'simple-statistics';
import type { JudgedRanking } from './judged-ranking.js';

// Gains are grades whatever the relevance level. Where no document has a positive grade, each is 0.

type Gain = (grade: number) => number;

/** The grade itself; trec_eval and ranx's ndcg. */
export const linearGain: Gain = (grade) => Math.max(0, grade);

/** 2^grade - 1: Burges et al., ICML 2005; ranx's ndcg_burges. */
export const exponentialGain: Gain = (grade) => 2 ** linearGain(grade) - 1;

/**
 * Normalized discounted cumulative gain: Σ gain(grade at rank r) / log2(r + 1) over the first k ranks, divided by the
 * same sum over the ideal ranking. Järvelin and Kekäläinen, ACM TOIS 20(4), 2002; trec_eval m_ndcg.c, m_ndcg_cut.c.
 * The mean gain of ties: McSherry and Najork, ECIR 2008; scikit-learn's ndcg_score. 0 to 1.
 */
export function ndcg({ grades, tiedBy, ideal }: JudgedRanking, k = Infinity, gain = linearGain): number {
  const best = discountedSum(ideal.map(gain), k);
  if (best === 0) return 0;
  const gains = grades.map(gain);
  return discountedSum(tiedBy ? averageTies(gains, tiedBy) : gains, k) / best;
}

/**
 * The mean of NDCG at the rank of each document with a positive grade; of one that was not retrieved, that of the
 * whole ranking. trec_eval m_ndcg_rel.c. 0 to 1.
 */
export function ndcgAtRelevant(ranking: JudgedRanking): number {
  const { grades, ideal } = ranking;
  const whole = ndcg(ranking);
  const values = ideal.map(() => whole);
  let found = 0;
  grades.forEach((grade, i) => {
    if (grade > 0) values[found++] = ndcg(ranking, i + 1);
  });
  return values.length === 0 ? 0 : mean(values);
}

/**
 * The mean of NDCG where the ideal ranking's grade falls, and at the end of what was retrieved. trec_eval m_Rndcg.c,
 * which has no value at the end where just one document follows the last fall, and 0 without a relevant document. 0
 * to 1.
 */
export function ndcgAtLevels(ranking: JudgedRanking): number {
  const { grades, ideal, relevant } = ranking;
  if (relevant === 0 || ideal.length === 0) return 0;
  const ends = ideal.map((_, i) => i + 1).filter((end) => ideal[end] !== ideal[end - 1]);
  if (grades.length > ideal.length + 1) ends.push(grades.length);
  return mean(ends.map((end) => ndcg(ranking, end)));
}

/**
 * Σ gain at rank r / log2(2 + what the ideal ranking has gained by r - what this one has), divided by the sum of the
 * ideal gains; an ideal gain counts as 1 at least. trec_eval m_G.c. 0 to 1.
 */
export function normalizedGain({ grades, ideal }: JudgedRanking): number {
  let lead = 0;
  let sum = 0;
  grades.map(linearGain).forEach((gain, i) => {
    lead += Math.max(1, ideal[i] ?? 0) - gain;
    sum += gain / Math.log2(2 + lead);
  });
  return sum === 0 ? 0 : sum / ideal.reduce((total, gain) => total + gain, 0);
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
