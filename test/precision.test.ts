// What precision is chosen, and what bf16 and int8 cost. Real: checkpoints, engine, and this processor with its
// instructions.

import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { Reranker, type Pair } from 'zrank';
import { readCheckpoint } from '../dist/networks/decoder/checkpoint.js';
import { quantizeWeights } from '../dist/checkpoint/quantize-weights.js';
import { planCpu } from '../dist/devices/cpu.js';
import { cpuModel } from '../dist/devices/models.js';
import { openAddon } from '../dist/libraries/open-addon.js';
import { readDecoder } from '../dist/networks/decoder/reranker.js';
import { projectionWeights } from '../dist/networks/decoder/tensors.js';
import { Engine } from '../dist/runtime/engine.js';
import { Prefixes } from '../dist/runtime/work.js';
import type { Weights } from '../dist/checkpoint/weights.js';
import { expectCode, golden, goldenNames, root, temporaryFolder, tinyModel, type Golden } from './support.js';

const kernels = openAddon().kernels().arithmetics;
const stored = { 'causal-bf16': 'BF16', 'causal-fp16': 'F16', 'causal-fp32-sharded': 'F32' };

test.each(Object.entries(stored))('auto for %s', async (name, dtype) => {
  const checkpoint = await readCheckpoint(golden(name).folder);
  const wanted = dtype === 'BF16' ? 'bf16' : 'fp32';
  expect(planCpu('auto', checkpoint, ['fp32', 'bf16'])).toMatchObject({ precision: wanted, hasKernels: true });
  expect(planCpu('auto', checkpoint, ['fp32'])).toMatchObject({ precision: 'fp32', hasKernels: true });
  expect(planCpu('auto', checkpoint, [])).toMatchObject({ precision: 'fp32', hasKernels: false });
  expect(planCpu('fp32', checkpoint, ['fp32', 'bf16'])).toMatchObject({ precision: 'fp32', hasKernels: true });
  expect(planCpu('bf16', checkpoint, ['fp32', 'bf16'])).toMatchObject({ precision: 'bf16', hasKernels: true });
  expect(planCpu('bf16', checkpoint, ['fp32'])).toMatchObject({ precision: 'fp32', hasKernels: true });
  // int8 is nobody's default.
  expect(planCpu('auto', checkpoint, ['fp32', 'bf16', 'int8'])).toMatchObject({ precision: wanted, hasKernels: true });
  expect(planCpu('auto', checkpoint, ['fp32', 'int8'])).toMatchObject({ precision: 'fp32', hasKernels: true });
  expect(planCpu('int8', checkpoint, ['fp32', 'bf16', 'int8'])).toMatchObject({ precision: 'int8', hasKernels: true });
  expect(planCpu('int8', checkpoint, ['fp32', 'bf16'])).toMatchObject({ precision: 'int8', hasKernels: false });
});

/** A golden's logits where ONNX Runtime multiplies. */
async function withoutKernels(data: Golden, weights?: Weights): Promise<Float32Array> {
  const { work } = await readDecoder(data.folder);
  const checkpoint = await readCheckpoint(data.folder);
  const model = cpuModel({ ...checkpoint, weights: weights ?? checkpoint.weights });
  const engine = await Engine.open(model, { workers: 1, threads: 1 });
  const prompts = data.cases.map((entry) => ({ ids: entry.token_ids, truncated: false }));
  const pairs = data.cases.map((entry): Pair => [entry.query, entry.document]);
  const limits = { maxBatchTokens: 2048, maxQueueTokens: 2 ** 22 };
  const logits = await engine.run([work(pairs, prompts, limits, new Prefixes())]);
  await engine.close();
  return logits;
}

test.each(goldenNames)('%s without kernels of our own, as on a processor without AVX2', async (name) => {
  const data = golden(name);
  const logits = await withoutKernels(data);
  data.cases.forEach((entry, i) => expect(Math.abs(logits[i]! - entry.logit_fp32), entry.name).toBeLessThan(2e-4));
});

describe.skipIf(!kernels.includes('bf16'))('bf16', () => {
  const open: Reranker[] = [];
  afterAll(() => Promise.all(open.map((reranker) => reranker.close())));

  test.each(['causal-bf16', 'causal-deep', 'causal-hot', 'llama-seqcls', 'qwen2-causal', 'seqcls-bf16', 'seqcls-chat'])(
    '%s is closer to fp32 than sentence-transformers',
    async (name) => {
      const data = golden(name);
      const reranker = await Reranker.load(data.folder, { precision: 'bf16' });
      open.push(reranker);
      expect(reranker.precision).toBe('bf16');
      const logits = await reranker.predict(data.cases.map((entry) => entry.prompt));
      const errors = data.cases.map((entry, i) => Math.abs(logits[i]! - entry.logit_fp32));
      const theirs = data.cases.map((entry) => Math.abs(entry.logit_bf16! - entry.logit_fp32));
      expect(Math.max(...errors)).toBeLessThan(Math.max(...theirs));
      expect(Math.max(...errors)).toBeGreaterThan(1e-4);
    },
  );
});

describe('int8', () => {
  /**
   * docs/performance.md has what was measured: at most 0.90, and 0.26 in the mean square's root; twice that for
   * mistral-seqcls, whose logits a word moves twice as far.
   */
  function expectRounded(data: Golden, logits: Float32Array): void {
    const scale = data.checkpoint === 'mistral-seqcls' ? 2 : 1;
    const errors = data.cases.map((entry, i) => Math.abs(logits[i]! - entry.logit_fp32));
    expect(Math.max(...errors)).toBeLessThan(scale);
    expect(Math.sqrt(errors.reduce((sum, error) => sum + error ** 2, 0) / errors.length)).toBeLessThan(0.3 * scale);
    expect(Math.max(...errors)).toBeGreaterThan(0.02);
  }

  test.each(goldenNames)('%s, one by one as all together', async (name) => {
    const data = golden(name);
    await using reranker = await Reranker.load(data.folder, {
      precision: 'int8',
      cacheFolder: await temporaryFolder(),
    });
    expect(reranker.placement).toMatchObject({
      device: 'cpu',
      precision: 'int8',
      rejected: [expect.stringContaining(`cuda: precision 'int8' runs on the CPU`)],
    });
    const logits = await reranker.predict(data.cases.map((entry) => entry.prompt));
    expectRounded(data, logits);
    // MatMulNBits sums few rows in another order than many, and the next layer may round what it gave to another
    // integer.
    const tolerance = kernels.includes('int8') ? 5e-5 : 0.1;
    for (const [i, entry] of data.cases.slice(0, 8).entries()) {
      const [logit] = await reranker.predict([entry.prompt]);
      expect(Math.abs(logit! - logits[i]!), entry.name).toBeLessThan(tolerance);
    }
  });

  test.each(goldenNames)('%s without kernels of our own, by MatMulNBits', async (name) => {
    const data = golden(name);
    const { config, weights } = await readCheckpoint(data.folder);
    const options = { cacheFolder: await temporaryFolder() };
    const quantized = await quantizeWeights(weights, projectionWeights(config), options);
    expectRounded(data, await withoutKernels(data, quantized));
  });

  test('a model that is none in 8 bits is refused when it is quantized, and nothing is kept of it', async () => {
    const cacheFolder = await temporaryFolder();
    await expectCode(
      Reranker.load(tinyModel, { precision: 'int8', cacheFolder }),
      'INVALID_ARGUMENT',
      /'int8' is too coarse for this model/,
    );
    expect(await readdir(cacheFolder)).toEqual([]);
  });

  test('where it cannot be', async () => {
    for (const device of ['cuda', 'webgpu'] as const) {
      await expectCode(
        Reranker.load(golden('causal-bf16').folder, { device, precision: 'int8' }),
        'INVALID_ARGUMENT',
        /'int8' runs on the CPU, not on/,
      );
    }
    const encoder = join(root, 'test/fixtures/encoders/cross-encoder');
    await expectCode(
      Reranker.load(encoder, { precision: 'int8' }),
      'INVALID_ARGUMENT',
      /precision of its file, not in int8/,
    );
  });
});
