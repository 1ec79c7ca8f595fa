import { open } from 'node:fs/promises';
import { ZrankError } from '../error.js';
import { floatFromHalf } from './half.js';
import type { TensorRef } from './safetensors.js';

export function elementCount(tensor: TensorRef): number {
  return tensor.shape.reduce((product, dim) => product * dim, 1);
}

/** A tensor's numbers in fp32, row by row. */
export function readTensor(tensor: TensorRef): Promise<Float32Array> {
  return readElements(tensor, 0, elementCount(tensor));
}

/**
 * `count` numbers of a tensor from the element `first` on, in fp32. Throws TENSOR_DTYPE_UNSUPPORTED for other types
 * than F32, F16 and BF16.
 */
export async function readElements(
  { path, name, dtype, offset }: TensorRef,
  first: number,
  count: number,
): Promise<Float32Array> {
  const widen = { F32: fromF32, F16: fromF16, BF16: fromBf16 }[dtype];
  if (widen === undefined) {
    throw new ZrankError(
      'TENSOR_DTYPE_UNSUPPORTED',
      `${path}: ${name} is stored as ${dtype}; supported are F32, F16 and BF16`,
    );
  }
  const size = dtype === 'F32' ? 4 : 2;
  const bytes = new Uint8Array(count * size);
  const file = await open(path, 'r');
  try {
    for (let at = 0; at < bytes.length; ) {
      const { bytesRead } = await file.read(bytes, at, bytes.length - at, offset + first * size + at);
      if (bytesRead === 0) throw new ZrankError('SAFETENSORS_TRUNCATED', `${path} ends inside ${name}`);
      at += bytesRead;
    }
  } finally {
    await file.close();
  }
  return widen(bytes.buffer);
}

function fromF32(buffer: ArrayBuffer): Float32Array {
  return new Float32Array(buffer);
}

function fromBf16(buffer: ArrayBuffer): Float32Array {
  const stored = new Uint16Array(buffer);
  const widened = new Uint32Array(stored.length);
  for (let i = 0; i < stored.length; i++) widened[i] = stored[i]! << 16;
  return new Float32Array(widened.buffer);
}

let halves: Float32Array | undefined;

function fromF16(buffer: ArrayBuffer): Float32Array {
  const values = (halves ??= Float32Array.from({ length: 2 ** 16 }, (_, bits) => floatFromHalf(bits)));
  const stored = new Uint16Array(buffer);
  const widened = new Float32Array(stored.length);
  for (let i = 0; i < stored.length; i++) widened[i] = values[stored[i]!]!;
  return widened;
}
