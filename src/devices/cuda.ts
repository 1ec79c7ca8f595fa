import { fromNative, type CudaDevice } from '../addon.js';
import { ZrankError } from '../error.js';
import { openCudaLibraries, openDriver } from '../libraries/cuda-libraries.js';
import { cudaProviderOptions } from '../libraries/onnxruntime-settings.js';
import { openAddon } from '../libraries/open-addon.js';
import { hasTiledAttention, type AttentionConfig } from '../graph/attention.js';
import type { DeviceKind, GatedUnits, GpuAttention, PlacementOptions, Products } from './device.js';
import { buildFirst, type Form } from './gpu.js';
import { GpuMemory } from './gpu-memory.js';

const memory = new GpuMemory();

/** NVIDIA's GPUs, by ONNX Runtime's CUDA provider. */
export const cuda: DeviceKind = {
  name: 'cuda',
  isAutomatic: true,
  isNumbered: true,
  async place(network, options, indices, rejected) {
    const forms = cudaForms(network.config, options);
    // A device that is not there is found out before anything is computed or converted for it.
    const devices = prepare(indices);
    if (options.precision === 'bf16') checkBf16(devices);
    const gpus = { kind: 'cuda', indices, providerOptions: cudaProviderOptions() } as const;
    const built = await buildFirst(network, gpus, forms, options, rejected);
    const { model, precision, attention, gatedUnits, products, memoryNeeds } = built;
    return {
      model,
      placement: {
        device: `cuda:${indices.join()}`,
        precision,
        attention,
        gatedUnits,
        products,
        gpus: devices,
        rejected,
      },
      // What is free is known once the model is on the device.
      shareMemory: (batchTokens) => memory.share(devicesOf(indices), memoryNeeds, batchTokens),
    };
  },
};

/**
 * The forms to try, in order. zrank's own kernels have not run on a GPU yet, so `auto` leaves them out; where they are
 * asked for and the probe finds them wrong, what `auto` takes is tried behind them.
 */
export function cudaForms(
  config: AttentionConfig,
  {
    precision,
    attention,
    gatedUnits,
    products,
  }: Pick<PlacementOptions, 'precision' | 'attention' | 'gatedUnits' | 'products'>,
): Form[] {
  if (precision === 'int8') throw new ZrankError('INVALID_ARGUMENT', `precision 'int8' runs on the CPU, not on cuda`);
  const compute = precision === 'auto' ? 'fp16' : precision;
  const asked =
    (attention === 'tiled' && `attention 'tiled'`) ||
    (gatedUnits === 'fused' && `gatedUnits 'fused'`) ||
    (products === 'tuned' && `products 'tuned'`);
  if (compute === 'fp32' && asked) {
    throw new ZrankError('INVALID_ARGUMENT', `${asked} runs in 'fp16' and 'bf16', not in 'fp32'`);
  }
  if (attention === 'tiled' && !hasTiledAttention(config)) {
    const { heads, keyValueHeads, headDim } = config;
    throw new ZrankError(
      'INVALID_ARGUMENT',
      `attention 'tiled' is made for heads of 32, 64, 96 or 128 elements, at most 128 query heads to a key/value head; ` +
        `this model has ${headDim} elements, ${heads} query and ${keyValueHeads} key/value heads`,
    );
  }
  // CUDA has no GroupQueryAttention in fp32.
  const automatic: GpuAttention[] = compute === 'fp32' ? ['plain'] : ['fused', 'plain'];
  const attentions =
    attention === 'auto' ? automatic : attention === 'tiled' ? (['tiled', ...automatic] as const) : [attention];
  const units: GatedUnits[] = gatedUnits === 'fused' ? ['fused', 'plain'] : ['plain'];
  const multiplied: Products[] = products === 'tuned' ? ['tuned', 'plain'] : ['plain'];
  return attentions.flatMap((kind) =>
    units.flatMap((gated) =>
      multiplied.map((by): Form => ({ precision: compute, compute, attention: kind, gatedUnits: gated, products: by })),
    ),
  );
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
