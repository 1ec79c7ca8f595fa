/** Indices of the scores, best first; equal scores keep the order of their indices. */
export function rankOrder(scores: ArrayLike<number>): number[] {
  return Array.from(scores, (_, index) => index).sort((a, b) => scores[b]! - scores[a]! || a - b);
}
