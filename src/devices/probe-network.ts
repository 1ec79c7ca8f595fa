import { randomUUID } from 'node:crypto';
import { rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { openCacheFolder } from '../checkpoint/cache-folder.js';
import { halfFromFloat } from '../checkpoint/half.js';
import { readSafetensorsHeader, safetensorsHeader } from '../checkpoint/safetensors.js';
import { reduced, type Decoder } from '../networks/decoder/decoder.js';
import { expectedTensors } from '../networks/decoder/tensors.js';
import { seededRandom } from '../random.js';

export const probeVocabularySize = 256;

/**
 * A network of so many layers with the attention of `decoder` and random weights, which computes something of every token:
 * the first layer of a real checkpoint may attend to a few tokens only, and hide a device that errs. Stored as `dtype`.
 */
export async function probeNetwork(
  decoder: Decoder,
  layers: number,
  dtype: 'F16' | 'F32',
  cacheFolder: string | undefined,
): Promise<Decoder> {
  const network = reduced(decoder, layers, probeVocabularySize);
  const { heads, keyValueHeads, headDim } = network.config;
  const tensors = [...expectedTensors(network.config)].map(([name, shape]) => ({ name, shape, dtype }));
  const random = seededRandom(1);
  const data = tensors.map(({ name, shape }) => {
    const size = shape.reduce((product, dim) => product * dim, 1);
    // Sharp attention: queries and keys of length 2 sqrt(headDim).
    const center = name.endsWith('norm.weight') ? (/[qk]_norm/.test(name) ? 2 : 1) : 0;
    const values = Float32Array.from({ length: size }, () => center + (random() - 0.5) / (center ? 4 : 1));
    return Buffer.from(dtype === 'F16' ? Uint16Array.from(values, halfFromFloat).buffer : values.buffer);
  });
  const name = `probe-${network.config.architecture}-${layers}-${heads}-${keyValueHeads}-${headDim}-${dtype}.safetensors`;
  const path = join(await openCacheFolder(cacheFolder), name);
  const partial = `${path}.${randomUUID()}`;
  await writeFile(partial, Buffer.concat([safetensorsHeader(tensors), ...data]));
  await rename(partial, path);
  const weights = new Map((await readSafetensorsHeader(path)).map((tensor) => [tensor.name, tensor]));
  return { ...network, weights };
}
