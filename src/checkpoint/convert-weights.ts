import { ZrankError } from '../error.js';
import { cachedTensors, type CacheOptions, type Piece } from './cache-file.js';
import { halfFromFloat } from './half.js';
import type { TensorRef } from './safetensors.js';
import { elementCount, readElements } from './tensor.js';
import type { Weights } from './weights.js';

/** Elements that are converted between two turns of the event loop. */
const chunkElements = 2 ** 20;

/**
 * The weights in another dtype, converted once into a file of the cache. bf16 to fp16 is exact for 2^-17 <= |w| <=
 * 65504; a weight beyond that is an error.
 */
export async function convertWeights(
  weights: Weights,
  dtype: 'F16' | 'F32',
  options: CacheOptions = {},
): Promise<Weights> {
  const sources = [...weights.values()];
  if (sources.every((tensor) => tensor.dtype === dtype)) return weights;
  const tensors = sources.map(({ name, shape }) => ({ name, shape, dtype }));
  const converted = await cachedTensors({ kind: dtype, sources, tensors, pieces: piecesOf(sources, dtype) }, options);
  return new Map(converted.map((tensor) => [tensor.name, tensor]));
}

function* piecesOf(sources: readonly TensorRef[], dtype: 'F16' | 'F32'): Generator<Piece> {
  for (const tensor of sources) {
    const total = elementCount(tensor);
    for (let first = 0; first < total; first += chunkElements) {
      const count = Math.min(chunkElements, total - first);
      yield {
        bytes: count * (dtype === 'F32' ? 4 : 2),
        compute: async () => {
          const floats = await readElements(tensor, first, count);
          return new Uint8Array((dtype === 'F32' ? floats : toHalves(floats, tensor)).buffer);
        },
      };
    }
  }
}

function toHalves(floats: Float32Array, tensor: TensorRef): Uint16Array {
  const halves = new Uint16Array(floats.length);
  for (let i = 0; i < floats.length; i++) {
    const half = halfFromFloat(floats[i]!);
    if ((half & 0x7c00) === 0x7c00) {
      throw new ZrankError(
        'TENSOR_DTYPE_UNSUPPORTED',
        `${tensor.path}: ${tensor.name} holds ${floats[i]}, which fp16 cannot; use precision 'bf16' or 'fp32'`,
      );
    }
    halves[i] = half;
  }
  return halves;
}
