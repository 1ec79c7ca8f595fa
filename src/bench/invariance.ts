import type { Reranker } from '../index.js';
import { seededRandom } from '../random.js';
import type { Call } from './workload.js';

export interface InvarianceResult {
  pairs: number;
  /** Batched runs that each pair was in. */
  batchings: number;
  /** Between a pair's raw score alone and in any batch. */
  largestDifference: number;
  /** Pairs of documents of one query whose order differs between alone and batched, over all batchings. */
  rankFlips: number;
}

const maxPairs = 64;
const batchings = 4;

/**
 * Scores pairs one by one, then together, in several orders and each time with other pairs between them, and compares
 * the raw scores. `calls` must be at least one.
 */
export async function measureInvariance(
  reranker: Reranker,
  calls: readonly Pick<Call, 'pairs'>[],
  seed: number,
): Promise<InvarianceResult> {
  const random = seededRandom(seed);
  const pairs = calls[0]!.pairs.slice(0, maxPairs);
  const others = calls.slice(1).flatMap((call) => call.pairs);
  const alone: number[] = [];
  for (const pair of pairs) alone.push((await reranker.predict([pair]))[0]!);

  let largestDifference = 0;
  let rankFlips = 0;
  for (let batching = 0; batching < batchings; batching++) {
    const company = Array.from({ length: Math.min(others.length, batching * 8) }, () => ({
      pair: others[Math.floor(random() * others.length)]!,
      source: -1,
    }));
    const mixed = [...pairs.map((pair, source) => ({ pair, source })), ...company]
      .map((entry) => ({ ...entry, key: random() }))
      .sort((a, b) => a.key - b.key);
    const scores = await reranker.predict(mixed.map(({ pair }) => pair));
    const batched = new Array<number>(pairs.length);
    mixed.forEach(({ source }, i) => {
      if (source >= 0) batched[source] = scores[i]!;
    });
    for (const [i, score] of batched.entries())
      largestDifference = Math.max(largestDifference, Math.abs(score - alone[i]!));
    rankFlips += countFlips(pairs, alone, batched);
  }
  return { pairs: pairs.length, batchings, largestDifference, rankFlips };
}

function countFlips(pairs: Call['pairs'], alone: readonly number[], batched: readonly number[]): number {
  let flips = 0;
  for (let i = 0; i < pairs.length; i++) {
    for (let j = i + 1; j < pairs.length; j++) {
      if (pairs[i]![0] === pairs[j]![0] && Math.sign(alone[i]! - alone[j]!) !== Math.sign(batched[i]! - batched[j]!))
        flips++;
    }
  }
  return flips;
}
