/** One query's ranking, seen through its judgements. */
export interface JudgedRanking {
  /** The grade at each rank; `unjudged` for a document that the qrels lack. */
  grades: readonly number[];
  /** The score at each rank, where NDCG gives each document of a tie the tie's mean gain. */
  tiedBy?: readonly number[];
  /** The positive grades of NDCG's ideal ranking, in descending order. */
  ideal: readonly number[];
  /** The ranks of the relevant documents that were retrieved, counted from 1, in ascending order. */
  relevantRanks: readonly number[];
  /** How many documents are judged relevant, retrieved or not: R. */
  relevant: number;
  /** How many are judged, and not relevant. */
  nonrelevant: number;
  /** What is added to a share of R before it is cut to whole documents. */
  recallRounding: number;
}

/** Below every grade. */
export const unjudged = -Infinity;

/** To trec_eval a negative grade says that a document was pooled and nobody judged it. */
export function isJudged(grade: number): boolean {
  return grade >= 0;
}

/** @param level trec_eval's -l; ranx's rel_lvl */
export function isRelevant(grade: number, level = 1): boolean {
  return grade >= level;
}
