import { ZrankError } from '../error.js';
import { Engine, type EngineModel } from '../runtime/engine.js';
import { packedWork } from '../runtime/work.js';
import { probeVocabularySize } from './probe-network.js';

/** Logits of a probe's sequences. */
export interface ProbeReference {
  /** Tokens of the longest sequence. */
  length: number;
  logits: Float32Array;
}

/** What a model that computes rightly makes of the probe. */
export async function probeReference(model: EngineModel, length: number): Promise<ProbeReference> {
  return { length, logits: await logitsOf(probeSequences(length), model) };
}

/** Why a model is not to be used; undefined where its logits are the reference's but for `tolerance`, relative. */
export async function probe(
  model: EngineModel,
  { length, logits: expected }: ProbeReference,
  tolerance: number,
): Promise<string | undefined> {
  let logits: Float32Array;
  try {
    logits = await logitsOf(probeSequences(length), model);
  } catch (error) {
    if (!(error instanceof ZrankError)) throw error;
    // The provider itself is missing: no other form of the graph will do better.
    if (error.code === 'DEVICE_UNAVAILABLE') throw error;
    return error.message.split('\n')[0]!;
  }
  const error = Math.sqrt(squares(expected.map((value, i) => logits[i]! - value)) / squares(expected));
  if (error <= tolerance) return undefined;
  return `a probe of ${length} tokens is off by ${error.toPrecision(2)}, relative`;
}

const squares = (values: Float32Array) => values.reduce((sum, value) => sum + value ** 2, 0);

/** Token ids of many lengths: a sequence may end where little goes wrong. */
function probeSequences(length: number): number[][] {
  // Knuth's multiplicative hash.
  const id = (seed: number) => (Math.imul(seed, 2_654_435_761) >>> 24) % probeVocabularySize;
  return Array.from({ length: 24 }, (_, s) =>
    Array.from({ length: length - 4 * s }, (_, i) => id(i < 8 ? i : 1000 * s + i)),
  );
}

/** Logits of sequences that begin alike, in one batch. */
export async function logitsOf(sequences: readonly number[][], model: EngineModel): Promise<Float32Array> {
  const engine = await Engine.open(model, { workers: 1, threads: 1 });
  try {
    const limits = { maxBatchTokens: Infinity, maxQueueTokens: Infinity };
    const work = packedWork(
      sequences.map((ids) => ({ ids })),
      sequences.map(() => 0),
      limits,
    );
    return await engine.run([work]);
  } finally {
    await engine.close();
  }
}
