import type { EncodedPrompt } from '../tokenization/pair-encoder.js';
import type { ScoreCache } from './score-cache.js';

/** The prompts of one call, in their order: those whose score a cache has, and those that are due to be computed. */
export class CallScores {
  readonly prompts: EncodedPrompt[] = [];
  /** Indices of the prompts to compute, ascending. */
  readonly due: number[] = [];
  readonly #cache: ScoreCache | undefined;
  /** Of the prompts that are due. */
  readonly #keys: string[] = [];
  /** Of the others, by index. */
  readonly #logits = new Map<number, number>();

  constructor(cache: ScoreCache | undefined) {
    this.#cache = cache;
  }

  /** Whether prompts that are added may have a score. */
  get mayFind(): boolean {
    return this.#cache !== undefined;
  }

  /** How many prompts the cache has had scores of. */
  get found(): number {
    return this.#logits.size;
  }

  /** Adds the next prompts of the call. */
  add(prompts: readonly EncodedPrompt[]): void {
    const keys = this.#cache && prompts.map((prompt) => this.#cache!.keyOf(prompt));
    const logits = keys && this.#cache!.find(keys);
    prompts.forEach((prompt, i) => {
      const index = this.prompts.push(prompt) - 1;
      const logit = logits?.[i];
      if (logit !== undefined) {
        this.#logits.set(index, logit);
        return;
      }
      this.due.push(index);
      if (keys !== undefined) this.#keys.push(keys[i]!);
    });
  }

  /** The logits of all prompts, from those that were computed, [due], which the cache keeps. */
  complete(computed: Float32Array): Float32Array {
    if (this.#cache === undefined) return computed;
    this.#cache.keep(this.#keys, computed);
    const logits = new Float32Array(this.prompts.length);
    this.due.forEach((index, i) => (logits[index] = computed[i]!));
    for (const [index, logit] of this.#logits) logits[index] = logit;
    return logits;
  }
}
