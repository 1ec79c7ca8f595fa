// Conversion of weights for GPUs: exact, once, and resumed where it stopped.

import { readFile, readdir, stat, truncate, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { readCheckpoint } from '../../dist/networks/decoder/checkpoint.js';
import { convertWeights } from '../../dist/checkpoint/convert-weights.js';
import { floatFromHalf, halfFromFloat } from '../../dist/checkpoint/half.js';
import type { TensorRef } from '../../dist/checkpoint/safetensors.js';
import { golden, temporaryFolder } from '../support.js';

async function floats({ path, offset, length, dtype }: TensorRef): Promise<Float32Array> {
  const bytes = (await readFile(path)).subarray(offset, offset + length);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const size = dtype === 'F32' ? 4 : 2;
  return Float32Array.from({ length: length / size }, (_, i) => {
    if (dtype === 'F32') return view.getFloat32(4 * i, true);
    const stored = view.getUint16(2 * i, true);
    if (dtype === 'F16') return floatFromHalf(stored);
    return new Float32Array(Uint32Array.of(stored << 16).buffer)[0]!;
  });
}

test('halves: every one of them there and back, rounding to even, the ends of the range', () => {
  for (let half = 0; half < 0x10000; half++) {
    const value = floatFromHalf(half);
    if (!Number.isNaN(value)) expect(halfFromFloat(value)).toBe(half);
  }
  expect(halfFromFloat(1 + 2 ** -11)).toBe(halfFromFloat(1));
  expect(halfFromFloat(1 + 3 * 2 ** -11)).toBe(halfFromFloat(1 + 2 ** -9));
  expect(halfFromFloat(65519)).toBe(0x7bff);
  expect(halfFromFloat(65520)).toBe(0x7c00);
  expect(halfFromFloat(2 ** -25)).toBe(0);
  expect(halfFromFloat(2 ** -25 * 1.01)).toBe(1);
  expect(halfFromFloat(-(2 ** -14))).toBe(0x8400);
  expect(halfFromFloat(NaN) & 0x7c00).toBe(0x7c00);
});

test.each([
  ['causal-bf16', 'F16'],
  ['causal-bf16', 'F32'],
  ['causal-fp16', 'F32'],
  ['causal-fp32-sharded', 'F16'],
  ['seqcls-chat', 'F16'],
] as const)('%s to %s keeps every weight', async (name, dtype) => {
  const { weights } = await readCheckpoint(golden(name).folder);
  const converted = await convertWeights(weights, dtype, { cacheFolder: await temporaryFolder() });
  expect([...converted.keys()].sort()).toEqual([...weights.keys()].sort());
  for (const [key, tensor] of weights) {
    const result = converted.get(key)!;
    expect(result).toMatchObject({ dtype, shape: tensor.shape });
    const expected = await floats(tensor);
    const actual = await floats(result);
    const wrong = expected.findIndex(
      (value, i) => (dtype === 'F32' ? value : floatFromHalf(halfFromFloat(value))) !== actual[i],
    );
    expect(wrong, key).toBe(-1);
  }
});

test('weights that are stored so are taken as they are', async () => {
  const { weights } = await readCheckpoint(golden('causal-fp32-sharded').folder);
  expect(await convertWeights(weights, 'F32', { cacheFolder: '/nowhere' })).toBe(weights);
});

test('a conversion is done once, and goes on where it was interrupted', async () => {
  const { weights } = await readCheckpoint(golden('causal-bf16').folder);
  const cacheFolder = await temporaryFolder();
  const progress: number[] = [];
  const convert = () =>
    convertWeights(weights, 'F16', { cacheFolder, onProgress: ({ completed }) => progress.push(completed) });
  await convert();
  const [file] = await readdir(cacheFolder);
  const path = join(cacheFolder, file!);
  const complete = await readFile(path);
  const first = progress.length;
  expect(first).toBeGreaterThan(3);
  expect(progress.at(-1)).toBe((await stat(path)).size);
  await convert();
  expect(progress).toHaveLength(first);

  await rename(path, `${path}.partial`);
  for (const size of [complete.length - 1001, 20_001, 10, 0]) {
    await truncate(`${path}.partial`, size);
    progress.length = 0;
    await convert();
    expect((await readFile(path)).equals(complete), `from ${size} bytes`).toBe(true);
    await rename(path, `${path}.partial`);
  }
});
