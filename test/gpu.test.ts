// The GPU path on ONNX Runtime's WebGPU provider over a software Vulkan driver: device memory, IO binding, shape
// buckets, precisions, the probe. Real: all but the GPU. tools/software-vulkan.sh prepares the driver; without it these
// tests skip.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Reranker } from 'zrank';
import { readCheckpoint } from '../dist/networks/decoder/checkpoint.js';
import type { NativeModel } from '../dist/addon.js';
import { gpuModel } from '../dist/devices/models.js';
import { Engine } from '../dist/runtime/engine.js';
import {
  expectCode,
  golden,
  goldenNames,
  hasVulkanNode,
  runScript,
  tinyModel,
  vulkanNode,
  type Golden,
  type GoldenCase,
} from './support.js';

if (!hasVulkanNode)
  console.log('no software Vulkan driver: the WebGPU tests are skipped; tools/software-vulkan.sh prepares one');

const withoutFp16 = { GALLIUM_OVERRIDE_CPU_CAPS: 'sse4.1' };

interface Scores {
  placement: { device: string; precision: string; attention: string; rejected: string[] };
  logits: number[];
  counters: { notFinite: number; outOfMemory: number; sequences: number };
}

async function onWebGpu<T>(script: string, env: Record<string, string> = {}): Promise<T> {
  const result = await runScript(
    `import { Reranker } from 'zrank'; import { readFileSync } from 'node:fs';\n${script}`,
    { executable: vulkanNode, env, deadlineMs: 580_000 },
  );
  expect(result.code, result.stderr + result.stdout).toBe(0);
  return JSON.parse(result.stdout) as T;
}

/** The script's `cases`, of the same names as these. */
const namedCases = ({ folder }: Golden, cases: readonly GoldenCase[]) => `
  const names = ${JSON.stringify(cases.map((entry) => entry.name))};
  const data = JSON.parse(readFileSync(${JSON.stringify(join(folder, 'expected.json'))}, 'utf8'));
  const cases = names.map((name) => data.cases.find((entry) => entry.name === name));`;

/**
 * Prompts without an instruction; on a software GPU that takes its time, one long one and every fourth of the others.
 */
function someCases(data: Golden): GoldenCase[] {
  const plain = data.cases.filter((entry) => entry.instruction === undefined);
  return plain.filter((entry, i) => entry.name === 'long-0' || (i % 4 === 0 && entry.token_ids.length <= 180));
}

const deviation = (logits: readonly number[], cases: readonly GoldenCase[]) =>
  Math.max(...cases.map((entry, i) => Math.abs(logits[i]! - entry.logit_fp32)));

describe.skipIf(!hasVulkanNode)('on WebGPU', () => {
  let cacheFolder: string;
  beforeAll(async () => {
    cacheFolder = await mkdtemp(join(tmpdir(), 'zrank-gpu-'));
  });
  afterAll(() => rm(cacheFolder, { recursive: true, force: true }));

  // Weights that are stored in 16 bits stay as they are in fp16, and products are in fp32.
  test.each(
    goldenNames.flatMap(
      (name) =>
        [
          [name, 'fp32', 2e-4],
          [name, 'fp16', 0.05],
        ] as const,
    ),
  )(
    '%s in %s within %d of Hugging Face, with the attention that the probe found right',
    { timeout: 600_000 },
    async (name, precision, limit) => {
      const data = golden(name);
      const cases =
        precision === 'fp16' ? data.cases.filter((entry) => entry.instruction === undefined) : someCases(data);
      expect(cases.length).toBeGreaterThan(8);
      const { placement, logits, counters } = await onWebGpu<Scores>(`${namedCases(data, cases)}
      const reranker = await Reranker.load(${JSON.stringify(data.folder)}, {
        device: 'webgpu', precision: '${precision}', maxLength: 512, maxBatchTokens: 1024, cacheFolder: ${JSON.stringify(cacheFolder)} });
      const logits = await reranker.predict(cases.map((entry) => ${data.instruction_form === 'ready' ? 'entry.prompt' : '[entry.query, entry.document]'}));
      console.log(JSON.stringify({ placement: reranker.placement, logits: [...logits], counters: reranker.counters() }));
    `);
      expect(placement).toMatchObject({ device: 'webgpu', precision });
      expect(counters).toMatchObject({ notFinite: 0, outOfMemory: 0, sequences: cases.length });
      expect(logits).toHaveLength(cases.length);
      expect(deviation(logits, cases)).toBeLessThanOrEqual(limit);
    },
  );

  test.each([
    ['causal-bf16', false],
    ['causal-hot', true],
  ] as const)(
    'the graph that CUDA runs in fp16: %s, and what overflows is computed again',
    { timeout: 600_000 },
    async (name, overflows) => {
      // Its products are added up in fp16 here, in fp32 on CUDA: coarser, and causal-hot passes the largest fp16 before
      // it is scaled.
      const data = golden(name);
      const cases = data.cases.filter((entry) => entry.token_ids.length <= 180);
      const { logits, counters } = await onWebGpu<Omit<Scores, 'placement'>>(`${namedCases(data, cases)}
      const { readCheckpoint } = await import('./dist/networks/decoder/checkpoint.js');
      const { convertWeights } = await import('./dist/checkpoint/convert-weights.js');
      const { cpuModel, gpuModel } = await import('./dist/devices/models.js');
      const { Engine } = await import('./dist/runtime/engine.js');
      const { packedWork } = await import('./dist/runtime/work.js');
      const checkpoint = await readCheckpoint(${JSON.stringify(data.folder)});
      const weights = await convertWeights(checkpoint.weights, 'F16', { cacheFolder: ${JSON.stringify(cacheFolder)} });
      const form = { compute: 'fp16', attention: 'plain', positions: 512 };
      const model = gpuModel({ ...checkpoint, weights }, form, { kind: 'webgpu', indices: [0] });
      const fallback = cpuModel(checkpoint).replicas[0];
      const engine = await Engine.open({ ...model, fallback }, { workers: 1, threads: 1 });
      const sequences = cases.map((entry) => ({ ids: entry.token_ids }));
      // Of a batch with many that overflow none would be computed again.
      const logits = await engine.run([
        packedWork(sequences, [...names.keys()], { maxBatchTokens: 256, maxQueueTokens: 1e6 }),
      ]);
      console.log(JSON.stringify({ logits: [...logits], counters: engine.counters() }));
      await engine.close();
    `);
      expect(counters.notFinite > 0).toBe(overflows);
      expect(counters.notFinite).toBeLessThan(cases.length / 2);
      expect(logits).toHaveLength(cases.length);
      expect(deviation(logits, cases)).toBeLessThan(0.15);
      expect(deviation(logits, cases)).toBeGreaterThan(1e-3);
    },
  );

  test('a device that errs is found out though the first layer of the model hides it', {
    timeout: 600_000,
  }, async () => {
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

  test('a batch that takes a larger tensor than the device binds is halved; one prompt that does runs on the CPU', {
    timeout: 600_000,
  }, async () => {
    const { logits, expected, counters } = await onWebGpu<{
      logits: number[];
      expected: number[];
      counters: { outOfMemory: number }[];
    }>(`
      const text = (words, i) => Array.from({ length: words }, (_, j) => 'abcdefghij'[(i * 31 + j * 7 + ((i * j) % 11)) % 10]).join(' ');
      const pairs = Array.from({ length: 10 }, (_, i) => ['q', text(900, i)]);
      const open = (device) => Reranker.load(${JSON.stringify(golden('causal-fp16').folder)}, {
        device, precision: 'fp32', maxLength: 4096, maxBatchTokens: 1e5, cacheFolder: ${JSON.stringify(cacheFolder)} });
      const gpu = await open('webgpu');
      const logits = [...(await gpu.predict(pairs))];
      const counters = [gpu.counters()];
      pairs.push(['q', text(3000, 0)]);
      logits.push(...(await gpu.predict(pairs.slice(-1))));
      counters.push(gpu.counters());
      const expected = [...(await (await open('cpu')).predict(pairs))];
      console.log(JSON.stringify({ logits, expected, counters }));
    `);
    expect(counters[0]!.outOfMemory).toBeGreaterThan(0);
    expect(counters[1]!.outOfMemory).toBe(counters[0]!.outOfMemory + 1);
    expect(new Set(expected.map((logit) => logit.toFixed(2))).size).toBeGreaterThan(5);
    logits.forEach((logit, i) => expect(Math.abs(logit - expected[i]!)).toBeLessThan(1e-3));
  });

  test('where the device has no fp16, fp16 is an error that says so, and auto takes fp32', {
    timeout: 120_000,
  }, async () => {
    const { code, message, placement } = await onWebGpu<{ code: string; message: string } & Pick<Scores, 'placement'>>(
      `
      const options = { device: 'webgpu', maxLength: 512, cacheFolder: ${JSON.stringify(cacheFolder)} };
      const { code, message } = await Reranker.load(${JSON.stringify(golden('seqcls-chat').folder)}, { ...options, precision: 'fp16' }).catch((error) => error);
      const { placement } = await Reranker.load(${JSON.stringify(golden('seqcls-chat').folder)}, options);
      console.log(JSON.stringify({ code, message, placement }));
    `,
      withoutFp16,
    );
    expect(code).toBe('DEVICE_UNAVAILABLE');
    expect(message).toMatch(/f16/);
    expect(placement).toMatchObject({ device: 'webgpu', precision: 'fp32' });
    expect(placement.rejected[0]).toMatch(/^webgpu in fp16 .*f16/);
  });
});

test('CUDA that is not there is an error with the loader’s words, and auto passes it over', async () => {
  const { folder } = golden('causal-bf16');
  await using reranker = await Reranker.load(folder);
  if (reranker.placement.device !== 'cpu') return;
  expect(reranker.placement.rejected).toEqual([
    expect.stringMatching(/^cuda: .*(cannot open shared object file|CUDA)/),
  ]);
  await expectCode(
    Reranker.load(folder, { device: 'cuda' }),
    'DEVICE_UNAVAILABLE',
    /cannot open shared object file|CUDA/,
  );
  await expectCode(Reranker.load(folder, { device: 'cuda:3' }), 'DEVICE_UNAVAILABLE');
  await expectCode(Reranker.load(folder, { device: 'cuda:0,1' }), 'DEVICE_UNAVAILABLE');
});

test('precisions that a device does not have', async () => {
  const { folder } = golden('causal-bf16');
  await expectCode(Reranker.load(folder, { device: 'cpu', precision: 'fp16' }), 'INVALID_ARGUMENT');
  await expectCode(Reranker.load(folder, { device: 'cuda:x' as never }), 'INVALID_ARGUMENT');
  await expectCode(Reranker.load(folder, { device: 'cuda:1,' }), 'INVALID_ARGUMENT');
  await expectCode(Reranker.load(folder, { device: 'cpu', attention: 'plain' }), 'INVALID_ARGUMENT');
  // Why CUDA, which has it, was not taken.
  await expectCode(Reranker.load(folder, { attention: 'plain' }), 'INVALID_ARGUMENT', /the CPU has one kind; cuda: /);
});

test('PagedAttention’s graph is well-formed: its nodes fit, and the CPU merely has no kernels for them', async () => {
  const form = { compute: 'bf16', attention: 'paged', positions: 512 } as const;
  const { replicas, files } = gpuModel(await readCheckpoint(tinyModel), form, { kind: 'cuda', indices: [0] });
  const onCpu = replicas.map((replica) => ({ ...replica, device: 'cpu' }) as NativeModel);
  const opened = Engine.open({ replicas: onCpu, files }, { workers: 1, threads: 1 });
  await expect(opened).rejects.toMatchObject({
    code: 'SESSION_FAILED',
    message: expect.stringMatching(/^Could not find an implementation/) as string,
  });
});
