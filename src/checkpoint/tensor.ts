import { open } from 'node:fs/promises';
import { ZrankError } from '../error.js';
import type { TensorRef } from './safetensors.js';

/** A tensor's numbers in fp32, row by row. Throws TENSOR_DTYPE_UNSUPPORTED for other types than F32, F16 and BF16. */
export async function readTensor({ path, name, dtype, offset, length }: TensorRef): Promise<Float32Array> {
  const widen = { F32: fromF32, F16: fromF16, BF16: fromBf16 }[dtype];
  if (widen === undefined) {
    throw new ZrankError('TENSOR_DTYPE_UNSUPPORTED', `${path}: ${name} is stored as ${dtype}; supported are F32, F16 and BF16`);
  }
  const bytes = new Uint8Array(length);
  const file = await open(path, 'r');
  try {
    for (let at = 0; at < length; ) {
      const { bytesRead } = await file.read(bytes, at, length - at, offset + at);
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
  return new Float32Array(Uint32Array.from(new Uint16Array(buffer), (bits) => bits << 16).buffer);
}

function fromF16(buffer: ArrayBuffer): Float32Array {
  const values = Float32Array.from({ length: 2 ** 16 }, (_, bits) => halfValue(bits));
  return Float32Array.from(new Uint16Array(buffer), (bits) => values[bits]!);
}

/** The number that 16 bits of IEEE 754 binary16 stand for. */
function halfValue(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0x1f) return fraction ? NaN : sign * Infinity;
  return sign * (exponent === 0 ? fraction * 2 ** -24 : (1024 + fraction) * 2 ** (exponent - 25));
}
