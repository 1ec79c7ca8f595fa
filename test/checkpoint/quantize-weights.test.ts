// Quantization for int8: within half a step, once, and again where the cache file is not what it must be. Real:
// everything.

import { chmod, open, readFile, readdir, rename, stat, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { Reranker } from 'zrank';
import { readCheckpoint } from '../../dist/networks/decoder/checkpoint.js';
import { int8Parts, quantizeWeights, type QuantizeOptions } from '../../dist/checkpoint/quantize-weights.js';
import type { TensorRef } from '../../dist/checkpoint/safetensors.js';
import { readTensor } from '../../dist/checkpoint/tensor.js';
import type { Weights } from '../../dist/checkpoint/weights.js';
import { projectionWeights } from '../../dist/networks/decoder/tensors.js';
import { copyOfGolden, expectCode, golden, goldenNames, runScript, temporaryFolder } from '../support.js';

/** The weights of a folder, and with them its projections' in 8 bits. */
async function quantizeFolder(folder: string, options: QuantizeOptions): Promise<Weights> {
  const { config, weights } = await readCheckpoint(folder);
  return quantizeWeights(weights, projectionWeights(config), options);
}

async function bytesOf({ path, offset, length }: TensorRef): Promise<Buffer> {
  return (await readFile(path)).subarray(offset, offset + length);
}

/** A cache folder with the one file that quantizing causal-bf16 makes. */
async function quantizedOnce() {
  const cacheFolder = await temporaryFolder();
  const progress: number[] = [];
  const options: QuantizeOptions = { cacheFolder, onProgress: ({ completed }) => progress.push(completed) };
  const quantize = () => quantizeFolder(golden('causal-bf16').folder, options);
  await quantize();
  const path = join(cacheFolder, (await readdir(cacheFolder))[0]!);
  return { quantize, cacheFolder, path, progress, complete: await readFile(path) };
}

test.each(goldenNames)('%s: every weight within half a step, blocks filled up with zeros', async (name) => {
  const { weights } = await readCheckpoint(golden(name).folder);
  const quantized = await quantizeFolder(golden(name).folder, { cacheFolder: await temporaryFolder() });
  const projections = [...weights.keys()].filter((key) => key.endsWith('_proj.weight'));
  expect(quantized.size).toBe(weights.size + 2 * projections.length);
  for (const [key, tensor] of weights) expect(quantized.get(key)).toEqual(tensor);
  for (const key of projections) {
    const [rows, depth] = weights.get(key)!.shape as [number, number];
    const blocks = Math.ceil(depth / 128);
    const [bytesRef, scalesRef] = int8Parts(key).map((part) => quantized.get(part)!) as [TensorRef, TensorRef];
    expect([bytesRef, scalesRef]).toMatchObject([
      { dtype: 'U8', shape: [rows, blocks, 128] },
      { dtype: 'F32', shape: [rows, blocks] },
    ]);
    const [values, bytes, scales] = [
      await readTensor(weights.get(key)!),
      await bytesOf(bytesRef),
      await readTensor(scalesRef),
    ];
    let [worst, least, most, padding] = [0, 255, 0, 0];
    for (let row = 0; row < rows; row++) {
      for (let k = 0; k < blocks * 128; k++) {
        const byte = bytes[row * blocks * 128 + k]!;
        if (k >= depth) {
          padding += Math.abs(byte - 128);
          continue;
        }
        const scale = scales[row * blocks + (k >> 7)]!;
        worst = Math.max(worst, Math.abs((byte - 128) * scale - values[row * depth + k]!) / scale);
        least = Math.min(least, byte);
        most = Math.max(most, byte);
      }
    }
    expect(padding, key).toBe(0);
    expect(worst, key).toBeLessThan(0.5001);
    // The scales use what a byte has, and the largest magnitudes are kept whole.
    expect(Math.min(least - 1, 255 - most), key).toBe(0);
  }
});

test('weights are quantized once, and go on where they were interrupted', async () => {
  const { quantize, path, progress, complete } = await quantizedOnce();
  const first = progress.length;
  expect(first).toBeGreaterThan(20);
  expect(progress.at(-1)).toBe(complete.length);
  const { mtimeMs, ino } = await stat(path);
  await quantize();
  expect(progress).toHaveLength(first);
  expect(await stat(path)).toMatchObject({ mtimeMs, ino });

  await rename(path, `${path}.partial`);
  for (const size of [complete.length, complete.length - 1001, 90_000, 10, 0]) {
    await truncate(`${path}.partial`, size);
    progress.length = 0;
    await quantize();
    expect(progress.length, `from ${size} bytes`).toBeLessThan(
      size < 1000 ? first + 1 : size < complete.length ? first : 1,
    );
    expect((await readFile(path)).equals(complete), `from ${size} bytes`).toBe(true);
    await rename(path, `${path}.partial`);
  }
});

describe('a file that is not what it must be is written anew', () => {
  test.each<[string, (path: string, complete: Buffer) => Promise<void>]>([
    ['too short', (path, { length }) => truncate(path, length - 1)],
    ['empty', (path) => truncate(path, 0)],
    ['too long', (path, { length }) => truncate(path, length + 1)],
    [
      'of a damaged header',
      async (path, complete) => writeFile(path, Buffer.concat([Buffer.alloc(20), complete.subarray(20)])),
    ],
    [
      'of a changed byte',
      async (path, complete) => {
        const file = await open(path, 'r+');
        await file.write(Buffer.of(complete.at(-1000)! ^ 1), 0, 1, complete.length - 1000);
        await file.close();
      },
    ],
    [
      'beside a partial one of other bytes',
      async (path, complete) => {
        await truncate(path, 100);
        await writeFile(`${path}.partial`, Buffer.alloc(complete.length - 5, 1));
      },
    ],
    [
      'beside a partial one that is too long',
      async (path, complete) => {
        await truncate(path, 100);
        await writeFile(`${path}.partial`, Buffer.concat([complete, complete]));
      },
    ],
  ])('%s', async (_, damage) => {
    const { quantize, cacheFolder, path, complete } = await quantizedOnce();
    await damage(path, complete);
    await quantize();
    expect((await readFile(path)).equals(complete)).toBe(true);
    expect(await readdir(cacheFolder)).toHaveLength(1);
  });
});

test('processes that quantize the same weights at once do not disturb each other', async () => {
  const { complete } = await quantizedOnce();
  const cacheFolder = await temporaryFolder();
  const script = `
    import { readCheckpoint } from './dist/networks/decoder/checkpoint.js';
    import { quantizeWeights } from './dist/checkpoint/quantize-weights.js';
    import { projectionWeights } from './dist/networks/decoder/tensors.js';
    const { config, weights } = await readCheckpoint(${JSON.stringify(golden('causal-bf16').folder)});
    const quantize = () => quantizeWeights(weights, projectionWeights(config), { cacheFolder: ${JSON.stringify(cacheFolder)} });
    await Promise.all([1, 2, 3].map(quantize));
  `;
  for (const { code, stderr } of await Promise.all([1, 2, 3].map(() => runScript(script))))
    expect(code, stderr).toBe(0);
  const files = await readdir(cacheFolder);
  expect(files).toHaveLength(1);
  expect((await readFile(join(cacheFolder, files[0]!))).equals(complete)).toBe(true);
});

test('where the cache folder cannot be written, a folder of the process takes its place, which a line says', async () => {
  const { code, stdout, stderr } = await runScript(
    `
    import { readdirSync } from 'node:fs';
    import { tmpdir } from 'node:os';
    import { Reranker } from 'zrank';
    const options = { precision: 'int8', device: 'cpu', cacheFolder: '/dev/null/zrank' };
    for (let i = 0; i < 2; i++) {
      const reranker = await Reranker.load(${JSON.stringify(golden('causal-bf16').folder)}, options);
      console.log((await reranker.predict([['a', 'b']])).length);
      await reranker.close();
    }
    console.log(readdirSync(tmpdir()).filter((name) => name.startsWith('zrank-cache-')).length);
    `,
    { env: { TMPDIR: await temporaryFolder() } },
  );
  expect({ code, stdout }, stderr).toEqual({ code: 0, stdout: '1\n1\n1\n' });
  expect(stderr.match(/Warning: zrank's cache folder \/dev\/null\/zrank cannot be written/g)).toHaveLength(1);
});

test('what lies in a cache folder that can only be read is used', async () => {
  const { cacheFolder } = await quantizedOnce();
  await chmod(cacheFolder, 0o555);
  const { code, stderr } = await runScript(`
    import { Reranker } from 'zrank';
    // Root may write all the same.
    if (process.getuid?.() === 0) process.setuid(65534);
    const options = { precision: 'int8', device: 'cpu', cacheFolder: ${JSON.stringify(cacheFolder)} };
    const reranker = await Reranker.load(${JSON.stringify(golden('causal-bf16').folder)}, options);
    await reranker.close();`);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  await chmod(cacheFolder, 0o755);
});

test('nothing is left of that folder, and without any there is an error', async () => {
  const folder = await temporaryFolder();
  const load = `
    import { Reranker } from 'zrank';
    const options = { precision: 'int8', device: 'cpu', cacheFolder: '/dev/null/zrank' };
    const loaded = Reranker.load(${JSON.stringify(golden('causal-bf16').folder)}, options);
    await loaded.then((reranker) => reranker.close(), ({ code }) => console.log(code));`;
  expect(await runScript(load, { env: { TMPDIR: folder } })).toMatchObject({ code: 0, stdout: '' });
  expect(await readdir(folder)).toEqual([]);
  const nowhere = await runScript(load, { env: { TMPDIR: '/dev/null' } });
  expect(nowhere).toMatchObject({ code: 0, stdout: 'FILE_UNWRITABLE\n' });
});

test('a changed checkpoint is quantized anew', async () => {
  const folder = await copyOfGolden('causal-bf16');
  const cacheFolder = await temporaryFolder();
  const quantize = () => quantizeFolder(folder, { cacheFolder });
  const scale = async (weights: Weights) =>
    (await readTensor(weights.get(int8Parts('model.layers.0.mlp.up_proj.weight')[1])!))[0]!;
  const before = await scale(await quantize());
  await spoil(folder, 0x4000); // 2 in bf16
  expect(await scale(await quantize())).toBeCloseTo(2 / 127, 6);
  expect(before).toBeLessThan(2 / 127);
  expect(await readdir(cacheFolder)).toHaveLength(2);
});

test('a weight that is not finite is an error', async () => {
  for (const bits of [0x7f80, 0x7fc0]) {
    const folder = await copyOfGolden('causal-bf16');
    await spoil(folder, bits);
    const load = Reranker.load(folder, { precision: 'int8', cacheFolder: await temporaryFolder() });
    await expectCode(load, 'TENSOR_DTYPE_UNSUPPORTED', /model\.layers\.0\.mlp\.up_proj\.weight holds .* not finite/);
  }
});

/** Overwrites the first element of a projection with a bf16. */
async function spoil(folder: string, bits: number): Promise<void> {
  const { path, offset } = (await readCheckpoint(folder)).weights.get('model.layers.0.mlp.up_proj.weight')!;
  const file = await open(path, 'r+');
  await file.write(Buffer.from(Uint16Array.of(bits).buffer), 0, 2, offset);
  await file.close();
}
