// Budgets of tokens from a GPU's memory. Real: all; the GPUs are figures.

import { expect, test } from 'vitest';
import { activationBytes } from '../dist/networks/decoder/memory.js';
import { cudaBatchTokens } from '../dist/devices/cuda.js';
import { golden } from './support.js';
import { readDecoderConfig } from '../dist/networks/decoder/architectures.js';
import { readConfig } from '../dist/checkpoint/folder.js';

const gpu = (freeMemory: number | undefined, totalMemory = 80e9) => ({
  index: 0,
  name: 'GPU',
  computeCapability: '9.0',
  totalMemory,
  ...(freeMemory !== undefined && { freeMemory }),
});

test('a batch takes four fifths of the memory that is free on the fullest GPU, and no more than any needs', () => {
  expect(cudaBatchTokens([gpu(1e9)], 100_000)).toBe(8000);
  expect(cudaBatchTokens([gpu(60e9), gpu(1e9)], 100_000)).toBe(8000);
  expect(cudaBatchTokens([gpu(60e9)], 100_000)).toBe(16_384);
  expect(cudaBatchTokens([gpu(undefined, 1e9)], 100_000)).toBe(8000);
  expect(cudaBatchTokens([gpu(0)], 100_000)).toBe(256);
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
  expect(activationBytes(config, { compute: 'fp16', attention: 'plain' }, 1)).toBe(
    2 * 2 * 2560 + 4 * 22_528 + 32 * 512 * 12,
  );
});
