// What the addon reads of NVIDIA's driver, from a stand-in for libcuda.so.1 with two GPUs. Real: all but the driver.

import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { fromNative } from '../../dist/addon.js';
import { loadAddon } from '../../dist/libraries/load-addon.js';
import { root, temporaryFolder, expectCode } from '../support.js';
import { sharedObject } from './shared-objects.js';

const fakeDriver = async (...options: string[]) =>
  sharedObject(
    join(await temporaryFolder(), 'libcuda.so.1'),
    await readFile(join(root, 'test/fixtures/libcuda.c'), 'utf8'),
    options,
  );

/** Throws as callers of the addon see it. */
function call<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw fromNative(error);
  }
}

test('GPUs in CUDA’s order, with free memory where this process has a context', async () => {
  const driver = await fakeDriver();
  expect(loadAddon().cudaDevices(driver)).toEqual([
    { index: 0, name: 'Stand-in 90', computeCapability: '9.0', totalMemory: 150_754_820_096 },
    {
      index: 1,
      name: 'Stand-in 86',
      computeCapability: '8.6',
      totalMemory: 25_438_126_080,
      freeMemory: 20_000_000_000,
    },
  ]);
  expect(loadAddon().cudaDriverVersion(driver)).toBe(13_000);
});

test('a driver without a GPU is an error in its own words', async () => {
  const driver = await fakeDriver('-DNO_DEVICE');
  await expectCode(
    () => call(() => loadAddon().cudaDevices(driver)),
    'DEVICE_UNAVAILABLE',
    /^cuInit: CUDA_ERROR_NO_DEVICE \(100\), no CUDA-capable device is detected$/,
  );
});

test('no driver, and a library that is none', async () => {
  const { cudaDevices } = loadAddon();
  await expectCode(
    () => call(() => cudaDevices('/no/libcuda.so.1')),
    'DEVICE_UNAVAILABLE',
    /\/no\/libcuda\.so\.1: cannot open shared object file/,
  );
  const other = await sharedObject(join(await temporaryFolder(), 'libother.so'), 'int unrelated;');
  await expectCode(() => call(() => cudaDevices(other)), 'DEVICE_UNAVAILABLE', /libother\.so has no cuInit/);
});
