import type { NativeWork } from '../addon.js';

export interface TokenSequence {
  readonly ids: readonly number[];
  /** The segment of each token, for models that have segments. */
  readonly typeIds?: readonly number[];
}

export interface WorkLimits {
  /** Tokens a batch computes. */
  maxBatchTokens: number;
  /** How many times as many it may where its prompts share a long prefix. @default 1 */
  prefixStretch?: number | undefined;
  /** Tokens that may wait before a call is refused. */
  maxQueueTokens: number;
  /** @default 'normal' */
  priority?: Priority | undefined;
  /** As NativeBlock has it. @default 0 */
  toCome?: number | undefined;
}

/** A call's share of the tokens beside calls of other priorities: 1 to 4 to 16. */
export type Priority = 'low' | 'normal' | 'high';
const weights: Readonly<Record<Priority, number>> = { low: 1, normal: 4, high: 16 };

/** How far padding to the longest sequence may exceed a batch's tokens before attention's share of the work grows. */
export const paddedTokensPerToken = 4;

/** Numbers what the sequences of a call begin with, in the order in which it comes; kept for all blocks of the call. */
export class Prefixes {
  readonly #numbers = new Map<string, number>();
  #count = 0;

  /** Of a prefix; without one, a number of its own. */
  number(prefix: string | undefined): number {
    const known = prefix === undefined ? undefined : this.#numbers.get(prefix);
    if (known !== undefined) return known;
    if (prefix !== undefined) this.#numbers.set(prefix, this.#count);
    return this.#count++;
  }
}

/** Sequences for the packed decoder; those of equal `groups` [sequences] begin alike and share that computation. */
export function packedWork(
  sequences: readonly TokenSequence[],
  groups: readonly number[],
  { maxBatchTokens, prefixStretch = 1, maxQueueTokens, priority = 'normal', toCome = 0 }: WorkLimits,
): NativeWork {
  return {
    ...layOut(sequences),
    groups: Uint32Array.from(groups),
    toCome,
    maxBatchTokens,
    maxPaddedTokens: paddedTokensPerToken * maxBatchTokens,
    prefixStretch,
    maxQueueTokens,
    weight: weights[priority],
  };
}

/** Sequences for the padded encoder, which computes the padding too: one group, so that all are sorted by length. */
export function paddedWork(
  sequences: readonly TokenSequence[],
  { maxBatchTokens, maxQueueTokens, priority = 'normal', toCome = 0 }: WorkLimits,
): NativeWork {
  return {
    ...layOut(sequences),
    groups: new Uint32Array(sequences.length),
    toCome,
    maxBatchTokens,
    maxPaddedTokens: maxBatchTokens,
    prefixStretch: 1,
    maxQueueTokens,
    weight: weights[priority],
  };
}

function layOut(sequences: readonly TokenSequence[]): Pick<NativeWork, 'ids' | 'typeIds' | 'offsets'> {
  const offsets = new Uint32Array(sequences.length + 1);
  sequences.forEach(({ ids }, i) => (offsets[i + 1] = offsets[i]! + ids.length));
  const ids = new Int32Array(offsets.at(-1)!);
  sequences.forEach((sequence, i) => ids.set(sequence.ids, offsets[i]));
  if (!sequences.some(({ typeIds }) => typeIds)) return { ids, offsets };
  const typeIds = new Uint8Array(ids.length);
  sequences.forEach((sequence, i) => typeIds.set(sequence.typeIds ?? [], offsets[i]));
  return { ids, typeIds, offsets };
}
