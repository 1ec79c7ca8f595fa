// The GPU path on ONNX Runtime's WebGPU provider over a software Vulkan driver: device memory, IO binding, shape buckets,
// the probe. Real: all but the GPU. tools/software-vulkan.sh fetches the driver; without it these tests skip.

import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Reranker } from 'zrank';
import { readCheckpoint } from '../dist/checkpoint/checkpoint.js';
import { writeQwen3Graph } from '../dist/graph/qwen3.js';
import { Engine } from '../dist/runtime/engine.js';
import { expectCode, golden, goldenNames, root, runScript, tinyModel } from './support.js';

const driver = join(root, '.cache/vulkan/vk_swiftshader_icd.json');
const hasDriver = existsSync(driver);
if (!hasDriver) console.log('no Vulkan driver: the WebGPU tests are skipped; tools/software-vulkan.sh fetches a software driver');

/** Runs a script with a driver, whose libraries must be known before the process starts. */
async function onWebGpu<T>(script: string): Promise<T> {
  const folder = join(root, '.cache/vulkan');
  const env = { VK_DRIVER_FILES: driver, VK_ICD_FILENAMES: driver, LD_LIBRARY_PATH: folder };
  const result = await runScript(`import { Reranker } from 'zrank'; import { readFileSync } from 'node:fs';\n${script}`, { env, deadlineMs: 580_000 });
  expect(result.code, result.stderr + result.stdout).toBe(0);
  return JSON.parse(result.stdout) as T;
}

describe.skipIf(!hasDriver)('on WebGPU', () => {
  let cacheFolder: string;
  beforeAll(async () => void (cacheFolder = await mkdtemp(join(tmpdir(), 'zrank-gpu-'))));
  afterAll(() => rm(cacheFolder, { recursive: true, force: true }));

  test.each(goldenNames)('%s within 2e-4 of Hugging Face, with the attention that the probe found right', { timeout: 600_000 }, async (name) => {
    const data = golden(name);
    // A software GPU takes its time: one long prompt, well beyond any tile, and every fourth of the others.
    const plain = data.cases.filter((entry) => entry.instruction === undefined);
    const cases = plain.filter((entry, i) => entry.name === 'long-0' || (i % 4 === 0 && entry.token_ids.length <= 180));
    expect(cases.length).toBeGreaterThan(8);
    const { placement, logits, counters } = await onWebGpu<{
      placement: { device: string; precision: string; attention: string; passedOver: string[] };
      logits: number[];
      counters: { notFinite: number; outOfMemory: number; sequences: number };
    }>(`
      const names = ${JSON.stringify(cases.map((entry) => entry.name))};
      const data = JSON.parse(readFileSync(${JSON.stringify(join(data.folder, 'expected.json'))}, 'utf8'));
      const cases = names.map((name) => data.cases.find((entry) => entry.name === name));
      const reranker = await Reranker.load(${JSON.stringify(data.folder)}, {
        device: 'webgpu', precision: 'fp32', maxLength: 512, maxBatchTokens: 1024, cacheFolder: ${JSON.stringify(cacheFolder)} });
      const logits = await reranker.predict(cases.map((entry) => ${data.instruction_form === 'ready' ? 'entry.prompt' : '[entry.query, entry.document]'}));
      console.log(JSON.stringify({ placement: reranker.placement, logits: [...logits], counters: reranker.counters() }));
    `);
    expect(placement).toMatchObject({ device: 'webgpu', precision: 'fp32' });
    expect(counters).toMatchObject({ notFinite: 0, outOfMemory: 0, sequences: cases.length });
    cases.forEach((entry, i) => expect(Math.abs(logits[i]! - entry.logit_fp32), entry.name).toBeLessThanOrEqual(2e-4));
  });

  test('a device that errs is found out though the first layer of the model hides it', { timeout: 600_000 }, async () => {
    // The first layer of zrank-tiny attends to a few tokens only.
    const pairs = [['how do I keep bread fresh', 'Keep bread fresh in a paper bag. '.repeat(8)]];
    const { logits, expected } = await onWebGpu<{ logits: number[]; expected: number[] }>(`
      const pairs = ${JSON.stringify(pairs)};
      const scores = async (device) => {
        const reranker = await Reranker.load(${JSON.stringify(tinyModel)}, { device, precision: 'fp32', maxLength: 128, cacheFolder: ${JSON.stringify(cacheFolder)} });
        return [...(await reranker.predict(pairs))];
      };
      console.log(JSON.stringify({ logits: await scores('webgpu'), expected: await scores('cpu') }));
    `);
    expect(Math.abs(logits[0]! - expected[0]!)).toBeLessThan(1e-2);
  });

  test('what the device lacks is an error that says so', async () => {
    const { code, message } = await onWebGpu<{ code: string; message: string }>(`
      const error = await Reranker.load(${JSON.stringify(golden('causal-bf16').folder)}, { device: 'webgpu', precision: 'fp16', maxLength: 512, cacheFolder: ${JSON.stringify(cacheFolder)} }).catch((error) => error);
      console.log(JSON.stringify({ code: error.code, message: error.message }));
    `);
    expect(code).toBe('DEVICE_UNAVAILABLE');
    expect(message).toMatch(/f16/);
  });
});

test('CUDA that is not there is an error with the loader’s words, and auto passes it over', async () => {
  const { folder } = golden('causal-bf16');
  await using reranker = await Reranker.load(folder);
  if (reranker.placement.device !== 'cpu') return;
  expect(reranker.placement.passedOver).toEqual([expect.stringMatching(/^cuda: .*(cannot open shared object file|CUDA)/)]);
  await expectCode(Reranker.load(folder, { device: 'cuda' }), 'DEVICE_UNAVAILABLE', /cannot open shared object file|CUDA/);
  await expectCode(Reranker.load(folder, { device: 'cuda:3' }), 'DEVICE_UNAVAILABLE');
  await expectCode(Reranker.load(folder, { device: 'cuda:0,1' }), 'DEVICE_UNAVAILABLE');
});

test('precisions that a device does not have', async () => {
  const { folder } = golden('causal-bf16');
  await expectCode(Reranker.load(folder, { device: 'cpu', precision: 'fp16' }), 'INVALID_ARGUMENT');
  await expectCode(Reranker.load(folder, { device: 'cuda:x' as never }), 'INVALID_ARGUMENT');
  await expectCode(Reranker.load(folder, { device: 'cuda:1,' }), 'INVALID_ARGUMENT');
  await expectCode(Reranker.load(folder, { device: 'cpu', attention: 'plain' }), 'INVALID_ARGUMENT');
});

test('PagedAttention’s graph is well-formed: its nodes fit, and the CPU merely has no kernels for them', async () => {
  const graph = writeQwen3Graph(await readCheckpoint(tinyModel), { compute: 'bf16', attention: 'paged', positions: 512 });
  const native = { kind: 'packed-decoder', graph: graph.model, weightFolder: graph.weightFolder, device: 'cpu', deviceIndex: 0 } as const;
  const opened = Engine.open({ replicas: [native], files: graph.weightFiles }, { workers: 1, threads: 1 });
  await expect(opened).rejects.toMatchObject({ code: 'SESSION_FAILED', message: expect.stringMatching(/^Could not find an implementation/) as string });
});
