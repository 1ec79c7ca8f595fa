// Budgets of tokens from a GPU's memory. Real: all; the GPUs are figures.

import { expect, test } from 'vitest';
import { activationBytes } from '../dist/networks/decoder/memory.js';
import { GpuMemory } from '../dist/devices/gpu-memory.js';
import { golden } from './support.js';
import { readDecoderConfig } from '../dist/networks/decoder/architectures.js';
import { readConfig } from '../dist/checkpoint/folder.js';

const gpu = (freeMemory: number | undefined, totalMemory = 80e9, index = 0) => ({
  index,
  name: 'GPU',
  computeCapability: '9.0',
  totalMemory,
  ...(freeMemory !== undefined && { freeMemory }),
});

test('a batch takes four fifths of the memory that is free on the fullest GPU, and no more than any needs', () => {
  const tokens = (...devices: ReturnType<typeof gpu>[]) =>
    new GpuMemory().share(devices, { weights: 8e9, perToken: 100_000 }).batchTokens;
  expect(tokens(gpu(1e9))).toBe(8000);
  expect(tokens(gpu(60e9), gpu(1e9, 80e9, 1))).toBe(8000);
  expect(tokens(gpu(60e9))).toBe(16_384);
  expect(tokens(gpu(undefined, 9e9))).toBe(8000);
  expect(tokens(gpu(0))).toBe(256);
});

test('a second model gets what the first may not come to take, though it is free still', () => {
  const memory = new GpuMemory();
  const needs = { weights: 3e9, perToken: 1e6 };
  // 10 GB: weights of 3, 7 free, of which 5.6 are the first model's; then weights of 1, and 0.4 that nobody claims.
  const first = memory.share([gpu(7e9, 10e9)], needs);
  expect(first.batchTokens).toBe(5600);
  const second = { weights: 1e9, perToken: 1e6 };
  expect(memory.share([gpu(6e9, 10e9, 1)], second).batchTokens).toBe(4800);
  expect(memory.share([gpu(6e9, 10e9)], second).batchTokens).toBe(320);
  first.release();
  expect(memory.share([gpu(8e9, 10e9)], second, 500).batchTokens).toBe(500);
  expect(memory.share([gpu(9e9, 10e9)], second).batchTokens).toBe(
    Math.floor((0.8 * (10e9 - 1.32e9 - 1.5e9 - 1e9)) / 1e6),
  );
});

test('the bytes of a token: MLP or attention, whichever is larger, by the width of the type', async () => {
  const { folder } = golden('causal-bf16');
  const config = {
    ...readDecoderConfig(await readConfig(folder)),
    hiddenSize: 2560,
    intermediateSize: 9728,
    heads: 32,
    keyValueHeads: 8,
    headDim: 128,
  };
  // 3 * 2560 + 4 * 9728 numbers for the MLP, 2 * 2560 + 6144 + padding * (6144 + 2048 + 8192) for attention.
  expect(activationBytes(config, { compute: 'fp16', attention: 'fused' }, 1)).toBe(2 * 46_592);
  expect(activationBytes(config, { compute: 'fp16', attention: 'fused' }, 4)).toBe(2 * 76_800);
  expect(activationBytes(config, { compute: 'fp32', attention: 'fused' }, 4)).toBe(4 * 76_800);
  // Padding lays nothing out: 2 * 2560 + 6144 + 4096 + 1024 numbers are less than the MLP's.
  expect(activationBytes(config, { compute: 'fp16', attention: 'tiled' }, 4)).toBe(2 * 46_592);
  expect(activationBytes({ ...config, intermediateSize: 64 }, { compute: 'fp16', attention: 'tiled' }, 4)).toBe(
    2 * (2 * 2560 + 6144 + 4096 + 1024),
  );
  expect(activationBytes(config, { compute: 'fp16', attention: 'plain' }, 1)).toBe(
    2 * 2 * 2560 + 4 * 22_528 + 32 * 512 * 12,
  );
});
