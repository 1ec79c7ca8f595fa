import type { CudaDevice } from '../addon.js';

const minBatchTokens = 256;
/** A larger batch is hardly faster, and keeps the next caller waiting. */
const maxBatchTokens = 16_384;

/** What a model needs of each GPU that it is on, in bytes. */
export interface MemoryNeeds {
  weights: number;
  perToken: number;
}

/** A model's part of its GPUs' memory. */
export interface MemoryShare {
  /** Tokens that its batches may compute. */
  batchTokens: number;
  /** Gives it to others. */
  release(): void;
}

/**
 * The memory of GPUs, parted among the models of this thread. What a model's runs need is allocated when they need it,
 * so what is free is not yet what no model will take.
 */
export class GpuMemory {
  readonly #claims = new Set<{ indices: ReadonlySet<number>; bytes: number }>();

  /**
   * Once a model's weights are on the devices: what it may take beside them, four fifths of what nobody else has or may
   * come to take on the GPU with the least; or `batchTokens`, where the caller says how many.
   */
  share(devices: readonly CudaDevice[], { weights, perToken }: MemoryNeeds, batchTokens?: number): MemoryShare {
    const room = Math.min(
      ...devices.map(({ index, freeMemory, totalMemory }) => {
        const unclaimed = totalMemory - this.#claimed(index) - weights;
        return Math.min(freeMemory ?? unclaimed, unclaimed);
      }),
    );
    const fitting = Math.min(maxBatchTokens, Math.floor((0.8 * room) / perToken));
    const tokens = batchTokens ?? Math.max(minBatchTokens, fitting);
    const claim = { indices: new Set(devices.map(({ index }) => index)), bytes: weights + tokens * perToken };
    this.#claims.add(claim);
    return { batchTokens: tokens, release: () => this.#claims.delete(claim) };
  }

  #claimed(index: number): number {
    return [...this.#claims].reduce((sum, { indices, bytes }) => sum + (indices.has(index) ? bytes : 0), 0);
  }
}
