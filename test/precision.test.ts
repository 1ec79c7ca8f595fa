// What precision is chosen, and what bf16 costs. Real: checkpoints, engine, and this processor with or without AVX512_BF16.

import { afterAll, describe, expect, test } from 'vitest';
import { Reranker } from 'zrank';
import { readCheckpoint } from '../dist/checkpoint/checkpoint.js';
import { loadAddon } from '../dist/runtime/addon.js';
import { writeQwen3Graph } from '../dist/graph/qwen3.js';
import { planCpu } from '../dist/runtime/cpu-precision.js';
import { Engine } from '../dist/runtime/engine.js';
import { packedWork } from '../dist/runtime/work.js';
import { golden, goldenNames } from './support.js';

const kernels = loadAddon().kernels();
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
});

test.each(goldenNames)('%s without kernels of our own, as on a processor without AVX-512', async (name) => {
  const data = golden(name);
  const graph = writeQwen3Graph(await readCheckpoint(data.folder), { compute: 'fp32', attention: 'grouped' });
  const native = { kind: 'packed-decoder', graph: graph.model, weightFolder: graph.weightFolder, device: 'cpu', deviceIndex: 0 } as const;
  const engine = await Engine.open({ replicas: [native], files: graph.weightFiles }, { workers: 1, threads: 1 });
  const sequences = data.cases.map((entry) => ({ ids: entry.token_ids }));
  const logits = await engine.run(packedWork(sequences, data.cases.map((entry) => entry.query), { maxBatchTokens: 2048, maxQueueTokens: 2 ** 22 }));
  await engine.close();
  data.cases.forEach((entry, i) => expect(Math.abs(logits[i]! - entry.logit_fp32), entry.name).toBeLessThan(2e-4));
});

describe.skipIf(!kernels.includes('bf16'))('bf16', () => {
  const open: Reranker[] = [];
  afterAll(() => Promise.all(open.map((reranker) => reranker.close())));

  test.each(['causal-bf16', 'causal-deep', 'causal-hot', 'seqcls-bf16', 'seqcls-chat'])('%s is closer to fp32 than sentence-transformers', async (name) => {
    const data = golden(name);
    const reranker = await Reranker.load(data.folder, { precision: 'bf16' });
    open.push(reranker);
    expect(reranker.precision).toBe('bf16');
    const logits = await reranker.predict(data.cases.map((entry) => entry.prompt));
    const errors = data.cases.map((entry, i) => Math.abs(logits[i]! - entry.logit_fp32));
    const theirs = data.cases.map((entry) => Math.abs(entry.logit_bf16! - entry.logit_fp32));
    expect(Math.max(...errors)).toBeLessThan(Math.max(...theirs));
    expect(Math.max(...errors)).toBeGreaterThan(1e-4);
  });
});
