import { probit } from 'simple-statistics';
import { randomBits } from '../random.js';

/** Elements of a chunk: 8 MiB. */
const chunkElements = 2 ** 22;
const standardDeviation = 0.02;
const one = 0x3f80;

/** bf16 ones, little-endian. */
export function bf16One(count: number): Buffer {
  return bytes(new Uint16Array(count).fill(one));
}

/**
 * Normal bf16 numbers of mean 0 and standard deviation 0.02, little-endian, in chunks that share one buffer. Each is
 * one of the normal distribution's 65,536 quantiles, drawn by 16 random bits: a table look-up an element.
 */
export function* randomBf16(count: number, seed: number): Generator<Buffer> {
  const table = quantiles();
  const chunk = new Uint16Array(Math.min(count, chunkElements));
  const random = randomBits(seed);
  for (let done = 0; done < count; done += chunkElements) {
    const length = Math.min(chunkElements, count - done);
    for (let i = 0; i < length; i += 2) {
      const bits = random();
      chunk[i] = table[bits & 0xffff]!;
      if (i + 1 < length) chunk[i + 1] = table[bits >>> 16]!;
    }
    yield bytes(chunk.subarray(0, length));
  }
}

function bytes(values: Uint16Array): Buffer {
  return Buffer.from(values.buffer, values.byteOffset, values.byteLength);
}

let table: Uint16Array | undefined;

function quantiles(): Uint16Array {
  table ??= Uint16Array.from({ length: 65_536 }, (_, i) => toBf16(standardDeviation * probit((i + 0.5) / 65_536)));
  return table;
}

function toBf16(value: number): number {
  const bits = new Uint32Array(Float32Array.of(value).buffer)[0]!;
  return ((bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16) & 0xffff;
}
