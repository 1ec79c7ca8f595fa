import { isJudged, type JudgedRanking, unjudged } from './judged-ranking.js';

// R is the number of relevant documents. Where it is 0, each is 0 but for those that count, unjudgedShare and utility.

/** 1 / the rank of the first relevant document; 0 where the first k hold none. trec_eval m_recip_rank.c. 0 to 1. */
export function reciprocalRank({ relevantRanks: [first = Infinity] }: JudgedRanking, k: number): number {
  return first > k ? 0 : 1 / first;
}

/**
 * The precision at the rank of each relevant document among the first k, summed and divided by R. trec_eval m_map.c,
 * m_map_cut.c. 0 to 1.
 */
export function averagePrecision({ relevantRanks, relevant }: JudgedRanking, k = Infinity): number {
  return sumOf(relevantRanks, (rank, i) => (rank > k ? 0 : (i + 1) / rank)) / (relevant || 1);
}

/** The share of all relevant documents that is among the first k. trec_eval m_recall.c, m_set_recall.c. 0 to 1. */
export function recall(ranking: JudgedRanking, k = Infinity): number {
  return relevantAmong(ranking, k) / (ranking.relevant || 1);
}

/**
 * The share of the first k ranks that is relevant; k is the divisor even where fewer were retrieved. trec_eval m_P.c. 0
 * to 1.
 */
export function precision(ranking: JudgedRanking, k: number): number {
  return relevantAmong(ranking, k) / (k || 1);
}

/** precision(k) as a share of what is possible: Precision up to R, recall beyond. trec_eval m_rel_P.c. 0 to 1. */
export function relativePrecision(ranking: JudgedRanking, k: number): number {
  return precision(ranking, k) && relevantAmong(ranking, k) / Math.min(k, ranking.relevant);
}

/** Precision after R documents, where it equals recall. trec_eval m_Rprec.c. 0 to 1. */
export function rPrecision(ranking: JudgedRanking): number {
  return precision(ranking, ranking.relevant);
}

/** Precision after a multiple of R documents, a begun one (from a tenth on) being whole. trec_eval m_Rprec_mult.c. */
export function rPrecisionMultiple(ranking: JudgedRanking, multiple: number): number {
  return precision(ranking, Math.trunc(multiple * ranking.relevant + 0.9));
}

/** 1 where the first k hold a relevant document, else 0. trec_eval m_success.c. */
export function success(ranking: JudgedRanking, k: number): number {
  return relevantAmong(ranking, k) > 0 ? 1 : 0;
}

/** The share of the first k ranks whose document nobody judged; k is the divisor. trec_eval m_unjudged.c. 0 to 1. */
export function unjudgedShare({ grades }: JudgedRanking, k: number): number {
  return grades.slice(0, k).filter((grade) => !isJudged(grade)).length / k;
}

/**
 * The highest precision at a rank from which on the share of R has been found; 0 where it never is. trec_eval
 * m_iprec_at_recall.c. 0 to 1.
 */
export function interpolatedPrecision(ranking: JudgedRanking, share: number): number {
  const { relevantRanks, relevant, recallRounding } = ranking;
  const needed = Math.trunc(share * relevant + recallRounding);
  // Precision falls between relevant documents, so it is highest at one of them.
  const precisions = relevantRanks.map((rank, i) => (i + 1) / rank);
  return precisions.slice(Math.max(0, needed - 1)).reduce((most, value) => Math.max(most, value), 0);
}

/** The mean of interpolatedPrecision() at `recallPoints`. trec_eval m_11pt_avg.c. 0 to 1. */
export function elevenPointAverage(ranking: JudgedRanking): number {
  return sumOf(recallPoints, (share) => interpolatedPrecision(ranking, share)) / recallPoints.length;
}

export const recallPoints: readonly number[] = [0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1];

/**
 * For each relevant document, 1 - the share that stands before it of the first min(R, judged nonrelevant) documents
 * that are judged nonrelevant; summed and divided by R. Documents that nobody judged do not count. Buckley and
 * Voorhees, SIGIR 2004; trec_eval m_bpref.c. 0 to 1.
 */
export function binaryPreference({ grades, relevantRanks, relevant, nonrelevant }: JudgedRanking): number {
  const judged = countBefore(grades, relevantRanks, isJudged);
  const most = Math.min(nonrelevant, relevant);
  return sumOf(judged, (before, i) => (before > i ? 1 - Math.min(before - i, relevant) / most : 1)) / (relevant || 1);
}

/**
 * Average precision as a sample of the judgements lets expect it: at each relevant document the precision among what
 * was judged before it, and 0 for what was not pooled; a negative grade says pooled and not judged. Yilmaz and Aslam,
 * CIKM 2006; trec_eval m_infap.c. 0 to 1.
 */
export function inferredAveragePrecision({ grades, relevantRanks, relevant }: JudgedRanking): number {
  const epsilon = 1e-5;
  const judged = countBefore(grades, relevantRanks, isJudged);
  const pooled = countBefore(grades, relevantRanks, (grade) => grade !== unjudged);
  const precisionAt = (rank: number, i: number): number => {
    if (rank === 1) return 1;
    const before = rank - 1;
    const expected = (i + epsilon) / (judged[i]! + 2 * epsilon);
    return 1 / rank + (before / rank) * (pooled[i]! / before) * expected;
  };
  return sumOf(relevantRanks, precisionAt) / (relevant || 1);
}

/** Σ 1 / log2(2 + the documents before that are not relevant), over the relevant, divided by R. trec_eval m_binG.c. */
export function binaryGain({ relevantRanks, relevant }: JudgedRanking): number {
  return sumOf(relevantRanks, (rank, i) => 1 / Math.log2(1 + rank - i)) / (relevant || 1);
}

/** The share of what was retrieved that is relevant; 0 where nothing was. trec_eval m_set_P.c. 0 to 1. */
export function setPrecision(ranking: JudgedRanking): number {
  return precision(ranking, ranking.grades.length);
}

/** setPrecision() as a share of what is possible for so many documents. trec_eval m_set_rel_P.c. 0 to 1. */
export function setRelativePrecision(ranking: JudgedRanking): number {
  return relativePrecision(ranking, ranking.grades.length);
}

/** Precision times recall of what was retrieved. trec_eval m_set_map.c. 0 to 1. */
export function setAveragePrecision(ranking: JudgedRanking): number {
  return setPrecision(ranking) * recall(ranking);
}

/** (x + 1) P R / (x P + R) of what was retrieved; of x = 1 the harmonic mean. trec_eval m_set_F.c. 0 to 1. */
export function setF(ranking: JudgedRanking, x: number): number {
  const [p, r] = [setPrecision(ranking), recall(ranking)];
  return p && ((x + 1) * p * r) / (x * p + r);
}

/** How many of the retrieved documents are judged, and not relevant. trec_eval m_num_nonrel_judged_ret.c. */
export function judgedNonrelevant({ grades, relevantRanks }: JudgedRanking): number {
  return grades.filter(isJudged).length - relevantRanks.length;
}

/** Relevant documents retrieved less the others retrieved. trec_eval m_utility.c, with its default weights. */
export function utility({ grades, relevantRanks }: JudgedRanking): number {
  return 2 * relevantRanks.length - grades.length;
}

function relevantAmong({ relevantRanks }: JudgedRanking, k: number): number {
  return relevantRanks.filter((rank) => rank <= k).length;
}

/** How many documents before each of the ranks, which ascend, are counted. */
function countBefore(
  grades: readonly number[],
  ranks: readonly number[],
  isCounted: (grade: number) => boolean,
): number[] {
  let count = 0;
  let seen = 0;
  return ranks.map((rank) => {
    while (seen < rank - 1) if (isCounted(grades[seen++]!)) count++;
    return count;
  });
}

function sumOf(values: readonly number[], term: (value: number, index: number) => number): number {
  return values.reduce((sum, value, i) => sum + term(value, i), 0);
}
