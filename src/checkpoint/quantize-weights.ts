import { ZrankError } from '../error.js';
import { cachedTensors, type CacheContent, type CacheOptions, type Piece } from './cache-file.js';
import type { TensorRef } from './safetensors.js';
import { readElements } from './tensor.js';
import type { Weights } from './weights.js';

/** Elements of a row that share a scale (kInt8Block in native/core/contract.h). */
export const int8Block = 128;

/** Elements that are quantized between two turns of the event loop, about. */
const chunkElements = 2 ** 20;

export interface QuantizeOptions extends CacheOptions {
  /** Throws where the weights are not to be used in 8 bits; called once, when they have been quantized. */
  check?: (quantized: Weights) => Promise<void>;
}

/** The names of a quantized weight's bytes and scales. */
export const int8Parts = (weight: string): [bytes: string, scales: string] => [`${weight}_int8`, `${weight}_scales`];

/**
 * The weights, and with them those of these names in 8 bits (int8Parts), quantized once into a file of the cache.
 * A weight [out, in] becomes bytes [out, blocks, 128] in U8, of which 128 stands for zero, and scales [out, blocks] in
 * F32: (byte - 128) * scale. The last block of a row is filled up with zeros. It is the form of com.microsoft's
 * MatMulNBits.
 */
export async function quantizeWeights(
  weights: Weights,
  names: Iterable<string>,
  { check, ...options }: QuantizeOptions = {},
): Promise<Weights> {
  const withQuantized = (tensors: TensorRef[]): Weights =>
    new Map([...weights, ...tensors.map((tensor) => [tensor.name, tensor] as const)]);
  const sources = Array.from(names, (name) => weights.get(name)!);
  const tensors = sources.flatMap(({ name, shape: [rows, depth] }) => {
    const blocks = Math.ceil(depth! / int8Block);
    const [bytes, scales] = int8Parts(name);
    return [
      { name: bytes, shape: [rows!, blocks, int8Block], dtype: 'U8' as const },
      { name: scales, shape: [rows!, blocks], dtype: 'F32' as const },
    ];
  });
  const content: CacheContent = {
    kind: 'int8, blocks of 128',
    sources,
    tensors,
    pieces: piecesOf(sources),
    check: check && ((quantized) => check(withQuantized(quantized))),
  };
  return withQuantized(await cachedTensors(content, options));
}

/** Bytes and scales of a weight stand one after the other, so its rows are read twice. */
function* piecesOf(sources: readonly TensorRef[]): Generator<Piece> {
  for (const tensor of sources) {
    const [rows, depth] = tensor.shape as [number, number];
    const blocks = Math.ceil(depth / int8Block);
    const rowsAtOnce = Math.max(1, Math.floor(chunkElements / depth));
    for (const part of ['bytes', 'scales'] as const) {
      for (let row = 0; row < rows; row += rowsAtOnce) {
        const count = Math.min(rowsAtOnce, rows - row);
        yield {
          bytes: count * blocks * (part === 'bytes' ? int8Block : 4),
          compute: async () => {
            const values = await readElements(tensor, row * depth, count * depth);
            const scales = blockScales(values, depth, tensor);
            return part === 'scales' ? new Uint8Array(scales.buffer) : quantize(values, depth, scales);
          },
        };
      }
    }
  }
}

/** The largest magnitude of each block / 127, [rows, blocks]. */
function blockScales(values: Float32Array, depth: number, { path, name }: TensorRef): Float32Array {
  const blocks = Math.ceil(depth / int8Block);
  const scales = new Float32Array((values.length / depth) * blocks);
  let block = 0;
  for (let row = 0; row < values.length; row += depth) {
    for (let start = row; start < row + depth; start += int8Block) {
      const end = Math.min(start + int8Block, row + depth);
      let most = 0;
      // Zero, unless a value is not finite.
      let zero = 0;
      for (let i = start; i < end; i++) {
        const magnitude = Math.abs(values[i]!);
        if (magnitude > most) most = magnitude;
        zero += magnitude * 0;
      }
      if (zero !== 0)
        throw new ZrankError(
          'TENSOR_DTYPE_UNSUPPORTED',
          `${path}: ${name} holds a number that is not finite, which int8 cannot; use precision 'fp32'`,
        );
      scales[block++] = most / 127;
    }
  }
  return scales;
}

/** [rows, blocks, 128] */
function quantize(values: Float32Array, depth: number, scales: Float32Array): Uint8Array {
  const bytes = new Uint8Array(scales.length * int8Block).fill(128);
  let block = 0;
  for (let row = 0; row < values.length; row += depth) {
    for (let start = row; start < row + depth; start += int8Block, block++) {
      const scale = scales[block]!;
      if (scale === 0) continue;
      const end = Math.min(start + int8Block, row + depth);
      const shift = block * int8Block - start;
      const inverse = 1 / scale;
      // Truncated, what is 128 and a half above the value is rounded.
      for (let i = start; i < end; i++) bytes[i + shift] = values[i]! * inverse + 128.5;
    }
  }
  return bytes;
}
