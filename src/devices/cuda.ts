import { fromNative, type CudaDevice } from '../addon.js';
import { ZrankError } from '../error.js';
import { openCudaLibraries, openDriver } from '../libraries/cuda-libraries.js';
import { cudaProviderOptions } from '../libraries/onnxruntime-settings.js';
import { openAddon } from '../libraries/open-addon.js';
import type { DeviceKind, PlacementOptions } from './device.js';
import { buildFirst, type Form } from './gpu.js';
import { GpuMemory } from './gpu-memory.js';

const memory = new GpuMemory();

/** NVIDIA's GPUs, by ONNX Runtime's CUDA provider. */
export const cuda: DeviceKind = {
  name: 'cuda',
  isAutomatic: true,
  isNumbered: true,
  async place(network, options, indices, rejected) {
    const forms = cudaForms(options);
    // A device that is not there is found out before anything is computed or converted for it.
    const devices = prepare(indices);
    if (options.precision === 'bf16') checkBf16(devices);
    const gpus = { kind: 'cuda', indices, providerOptions: cudaProviderOptions() } as const;
    const { model, precision, attention, memoryNeeds } = await buildFirst(network, gpus, forms, options, rejected);
    return {
      model,
      placement: { device: `cuda:${indices.join()}`, precision, attention, gpus: devices, rejected },
      // What is free is known once the model is on the device.
      shareMemory: (batchTokens) => memory.share(devicesOf(indices), memoryNeeds, batchTokens),
    };
  },
};

function cudaForms({ precision, attention }: Pick<PlacementOptions, 'precision' | 'attention'>): Form[] {
  if (precision === 'int8') throw new ZrankError('INVALID_ARGUMENT', `precision 'int8' runs on the CPU, not on cuda`);
  const compute = precision === 'auto' ? 'fp16' : precision;
  // CUDA has no GroupQueryAttention in fp32.
  const automatic = compute === 'fp32' ? (['plain'] as const) : (['fused', 'plain'] as const);
  const attentions = attention === 'auto' ? automatic : [attention];
  return attentions.map((kind) => ({ precision: compute, compute, attention: kind }));
}

/** The devices of these numbers, with all that the provider needs opened. */
function prepare(indices: readonly number[]): CudaDevice[] {
  try {
    const addon = openAddon();
    // Without a driver, what else is missing would say nothing.
    openDriver(addon);
    const devices = addon.cudaDevices();
    const absent = indices.find((index) => devices[index] === undefined);
    if (absent !== undefined) {
      const names = devices.map(({ index, name }) => `cuda:${index} (${name})`).join(', ');
      const message = `there is no cuda:${absent}; this machine has ${names || 'no CUDA device'}`;
      throw new ZrankError('DEVICE_UNAVAILABLE', message);
    }
    openCudaLibraries(addon);
    for (const index of indices) addon.checkDevice('cuda', index);
    return devicesOf(indices);
  } catch (error) {
    throw fromNative(error);
  }
}

function devicesOf(indices: readonly number[]): CudaDevice[] {
  return openAddon()
    .cudaDevices()
    .filter(({ index }) => indices.includes(index));
}

function checkBf16(devices: readonly CudaDevice[]): void {
  const tooOld = devices.find(({ computeCapability }) => Number.parseFloat(computeCapability) < 8);
  if (tooOld === undefined) return;
  const { index, name, computeCapability } = tooOld;
  throw new ZrankError(
    'INVALID_ARGUMENT',
    `precision 'bf16' needs a GPU of compute capability 8.0 or higher; ` +
      `cuda:${index}, ${name}, has ${computeCapability}`,
  );
}
