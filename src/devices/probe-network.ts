import { rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Checkpoint } from '../networks/decoder/checkpoint.js';
import { openCacheFolder } from '../checkpoint/cache-folder.js';
import { halfFromFloat } from '../checkpoint/half.js';
import { readSafetensorsHeader, safetensorsHeader } from '../checkpoint/safetensors.js';
import { expectedTensors } from '../checkpoint/weights.js';

export const probeVocabularySize = 256;

/**
 * A network of one layer with the heads of `checkpoint` and random weights, which computes something of every token: the
 * first layer of a real checkpoint may attend to a few tokens only, and hide a device that errs. Stored as `dtype`.
 */
export async function probeCheckpoint(
  checkpoint: Checkpoint,
  dtype: 'F16' | 'F32',
  cacheFolder: string | undefined,
): Promise<Checkpoint> {
  const config: Checkpoint['config'] = {
    ...checkpoint.config,
    architecture: 'Qwen3ForCausalLM',
    layers: 1,
    hiddenSize: 64,
    intermediateSize: 64,
    vocabularySize: probeVocabularySize,
    tiedEmbeddings: true,
  };
  const tensors = [...expectedTensors(config)].map(([name, shape]) => ({ name, shape, dtype }));
  const { heads, keyValueHeads, headDim } = config;
  const path = join(
    await openCacheFolder(cacheFolder),
    `probe-${heads}-${keyValueHeads}-${headDim}-${dtype}.safetensors`,
  );
  const random = uniform(1);
  const data = tensors.map(({ name, shape }) => {
    const size = shape.reduce((product, dim) => product * dim, 1);
    // Sharp attention: queries and keys of length 2 sqrt(headDim).
    const center = name.endsWith('norm.weight') ? (/[qk]_norm/.test(name) ? 2 : 1) : 0;
    const values = Float32Array.from({ length: size }, () => center + random() / (center ? 4 : 1));
    return Buffer.from(dtype === 'F16' ? Uint16Array.from(values, halfFromFloat).buffer : values.buffer);
  });
  const partial = `${path}.${process.pid}`;
  await writeFile(partial, Buffer.concat([safetensorsHeader(tensors), ...data]));
  await rename(partial, path);
  const weights = new Map((await readSafetensorsHeader(path)).map((tensor) => [tensor.name, tensor]));
  return { ...checkpoint, config, weights, head: { kind: 'token', trueTokenId: 1 } };
}

/** Numbers between -0.5 and 0.5 (Numerical Recipes' linear congruential generator). */
function uniform(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32 - 0.5;
  };
}
