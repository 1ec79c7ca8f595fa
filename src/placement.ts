import type { CacheOptions } from './checkpoint/cache-file.js';
import type { Checkpoint } from './checkpoint/checkpoint.js';
import { convertWeights } from './checkpoint/convert-weights.js';
import { probeCheckpoint, probeVocabularySize } from './checkpoint/probe-checkpoint.js';
import { quantizeWeights } from './checkpoint/quantize-weights.js';
import { ZrankError } from './error.js';
import { writeQwen3Graph, type Graph, type GraphOptions } from './graph/qwen3.js';
import { activationBytes } from './graph/memory.js';
import { fromNative, loadAddon, type CudaDevice } from './runtime/addon.js';
import { planCpu } from './runtime/cpu-precision.js';
import { openCudaLibraries } from './runtime/cuda-libraries.js';
import { Engine, type EngineModel } from './runtime/engine.js';
import { packedWork, paddedTokensPerToken } from './runtime/work.js';

/** `cuda` is the first GPU, `cuda:0,1` a pool of the two named. */
export type Device = 'auto' | 'cpu' | 'webgpu' | 'cuda' | `cuda:${string}`;
/** What a Device looks like. */
export const devicePattern = /^(auto|cpu|webgpu|cuda(:\d+(,\d+)*)?)$/;
export type Precision = 'fp32' | 'bf16' | 'fp16' | 'int8';
type GpuPrecision = Exclude<Precision, 'int8'>;

/** How attention may be computed on GPUs (GraphOptions). */
export type GpuAttention = 'fused' | 'paged' | 'plain';

/** Where a model runs and how. */
export interface Placement {
  device: 'cpu' | 'webgpu' | `cuda:${string}`;
  /** Of the matrix products, on CUDA of the activations too; on WebGPU of the weights, which are multiplied in fp32. */
  precision: Precision;
  /** How attention is computed (GraphOptions). */
  attention: GraphOptions['attention'];
  /** NVIDIA's GPUs that it runs on. */
  gpus?: Pick<CudaDevice, 'name' | 'computeCapability' | 'totalMemory'>[];
  /** Why another device, precision or attention was not taken, a line each. */
  passedOver: string[];
}

export interface PlacementOptions extends CacheOptions {
  device: Device;
  precision: 'auto' | Precision;
  /** @default 'auto' */
  attention?: 'auto' | GpuAttention | undefined;
  /** Positions that prompts may have. */
  maxLength: number;
  /** Token ids of a few prompts, to see what int8 makes of their scores. */
  samplePrompts: () => Promise<number[][]>;
}

export interface Placed {
  model: EngineModel;
  placement: Placement;
  /** Tokens that a batch computes where the caller does not say, once the model is open. */
  batchTokens(): number;
}

/** GPUs that run replicas of one model. */
interface Gpus {
  kind: 'cuda' | 'webgpu';
  indices: readonly number[];
}

/** On the CPU, and on GPUs whose memory is not known. */
export const defaultBatchTokens = 2048;
const minCudaBatchTokens = 256;
const maxCudaBatchTokens = 16_384;

/**
 * How far the probe's logits on a GPU may lie from the CPU's: root mean square, relative to the logits'. Measured on a software
 * driver: fp32 1e-6 to 2e-6, fp16 0.002 to 0.006, attention that errs beyond its first tile 0.057 to 0.134.
 */
const probeTolerance: Record<GpuPrecision, number> = { fp32: 1e-3, fp16: 0.02, bf16: 0.05 };
/** How far int8 may move the logit of a sample, relative to 1 + its magnitude. */
const int8Tolerance = 0.5;

/**
 * What every WebGPU device binds as one buffer (the default of maxStorageBufferBindingSize). ONNX Runtime 1.30 parts a larger
 * tensor, and its Softmax leaves zeros in all parts but the first.
 */
const webGpuTensorBytes = 128 * 2 ** 20;

/**
 * Chooses where a checkpoint runs. `auto` takes CUDA where its provider can be loaded, else the CPU. A GPU is used only in a
 * form that has computed a small network with the heads of this checkpoint as the CPU does: ONNX Runtime 1.30's WebGPU
 * GroupQueryAttention, for one, errs beyond its first tile on some devices.
 */
export async function place(checkpoint: Checkpoint, options: PlacementOptions): Promise<Placed> {
  const passedOver: string[] = [];
  const gpus = requestedGpus(options.device);
  if (gpus !== undefined) {
    try {
      return await placeOnGpus(checkpoint, gpus, options, passedOver);
    } catch (error) {
      if (options.device !== 'auto' || !(error instanceof ZrankError)) throw error;
      passedOver.push(`cuda: ${error.message}`);
    }
  }
  if ((options.attention ?? 'auto') !== 'auto')
    throw new ZrankError('INVALID_ARGUMENT', `attention '${options.attention}' runs on GPUs; the CPU has one kind`);
  return placeOnCpu(checkpoint, options, passedOver);
}

function requestedGpus(device: Device): Gpus | undefined {
  if (device === 'cpu') return undefined;
  if (device === 'webgpu') return { kind: 'webgpu', indices: [0] };
  return { kind: 'cuda', indices: [...new Set((device.split(':')[1] ?? '0').split(',').map(Number))] };
}

async function placeOnCpu(checkpoint: Checkpoint, options: PlacementOptions, passedOver: string[]): Promise<Placed> {
  if (options.precision === 'fp16')
    throw new ZrankError('INVALID_ARGUMENT', `precision 'fp16' runs on GPUs; the CPU has 'fp32', 'bf16' and 'int8'`);
  const { precision, hasKernels } = planCpu(options.precision, checkpoint, loadAddon().kernels().arithmetics);
  const kernels = hasKernels ? precision : undefined;
  const weights = precision === 'int8' ? await checkedInt8(checkpoint, options, kernels) : checkpoint.weights;
  const model = cpuModel({ ...checkpoint, weights }, kernels);
  return {
    model,
    placement: { device: 'cpu', precision, attention: 'grouped', passedOver },
    batchTokens: () => defaultBatchTokens,
  };
}

/**
 * The weights in 8 bits. Throws where that is too little, as for the embedded zrank-tiny, some of whose weights were written by
 * hand to cancel each other out: the scores of a few prompts are compared once, when the weights are quantized.
 */
function checkedInt8(
  checkpoint: Checkpoint,
  options: PlacementOptions,
  kernels: GraphOptions['kernels'],
): Promise<Checkpoint['weights']> {
  const check = async (weights: Checkpoint['weights']) => {
    const prompts = await options.samplePrompts();
    const reference = await logitsOf(prompts, cpuModel(checkpoint));
    const logits = await logitsOf(prompts, cpuModel({ ...checkpoint, weights }, kernels));
    const error = Math.max(...reference.map((value, i) => Math.abs(logits[i]! - value) / (1 + Math.abs(value))));
    if (error <= int8Tolerance) return;
    throw new ZrankError(
      'INVALID_ARGUMENT',
      `precision 'int8' is too coarse for this model: a sample's logit is off by ${error.toPrecision(2)}, relative; use 'bf16' or 'fp32'`,
    );
  };
  return quantizeWeights(checkpoint.weights, { ...options, check });
}

async function placeOnGpus(
  checkpoint: Checkpoint,
  gpus: Gpus,
  options: PlacementOptions,
  passedOver: string[],
): Promise<Placed> {
  const { kind } = gpus;
  if (options.precision === 'int8')
    throw new ZrankError('INVALID_ARGUMENT', `precision 'int8' runs on the CPU, not on ${kind}`);
  // A device that is not there is found out before anything is computed or converted for it.
  checkDevices(gpus, options.precision);
  const precisions: GpuPrecision[] =
    options.precision === 'auto' ? (kind === 'cuda' ? ['fp16'] : ['fp16', 'fp32']) : [options.precision];
  if (kind === 'webgpu' && options.precision === 'bf16') {
    throw new ZrankError('INVALID_ARGUMENT', `WebGPU has no bf16; its precisions are 'fp32' and 'fp16'`);
  }
  const length = probeLength(options.attention);
  for (const precision of precisions) {
    // ONNX Runtime 1.30's WebGPU adds up products in the type of their factors, which in fp16 is coarse and overflows.
    const compute = kind === 'webgpu' ? 'fp32' : precision;
    const dtype = precision === 'fp16' ? 'F16' : 'F32';
    const probed = await probeCheckpoint(checkpoint, dtype, options.cacheFolder);
    const reference = await probeLogits(cpuModel(probed), length);
    for (const attention of attentions(kind, compute, options.attention ?? 'auto')) {
      const fault = await probe(probed, gpus, { compute, attention, positions: length }, reference);
      if (fault !== undefined) {
        passedOver.push(`${kind} in ${precision} with ${attention} attention: ${fault}`);
        continue;
      }
      const stored =
        precision === 'bf16' ? checkpoint.weights : await convertWeights(checkpoint.weights, dtype, options);
      const graph = { compute, attention, positions: options.maxLength };
      const model = {
        ...gpuModel({ ...checkpoint, weights: stored }, graph, gpus),
        fallback: cpuModel(checkpoint).replicas[0]!,
      };
      const placement = { precision, attention, passedOver };
      if (kind === 'webgpu')
        return { model, placement: { device: kind, ...placement }, batchTokens: () => defaultBatchTokens };
      return {
        model,
        placement: { device: `cuda:${gpus.indices.join()}`, ...placement, gpus: cudaDevices(gpus) },
        batchTokens: () =>
          cudaBatchTokens(cudaDevices(gpus), activationBytes(checkpoint.config, graph, paddedTokensPerToken)),
      };
    }
  }
  throw new ZrankError('DEVICE_UNAVAILABLE', `${kind} cannot run this model: ${passedOver.join('; ')}`);
}

function attentions(kind: Gpus['kind'], compute: Precision, asked: 'auto' | GpuAttention): readonly GpuAttention[] {
  if (asked === 'paged' && kind !== 'cuda')
    throw new ZrankError('INVALID_ARGUMENT', `attention 'paged' runs on CUDA only`);
  if (asked !== 'auto') return [asked];
  // CUDA has no GroupQueryAttention in fp32.
  return kind === 'cuda' && compute === 'fp32' ? ['plain'] : ['fused', 'plain'];
}

function checkDevices(gpus: Gpus, precision: 'auto' | Precision): void {
  try {
    if (gpus.kind === 'cuda') prepareCuda(gpus);
    for (const index of gpus.indices) loadAddon().checkDevice(gpus.kind, index);
    if (gpus.kind !== 'cuda' || precision !== 'bf16') return;
    for (const { index, name, computeCapability } of cudaDevices(gpus)) {
      if (parseFloat(computeCapability) >= 8) continue;
      throw new ZrankError(
        'INVALID_ARGUMENT',
        `precision 'bf16' needs a GPU of compute capability 8.0 or higher; cuda:${index}, ${name}, has ${computeCapability}`,
      );
    }
  } catch (error) {
    throw fromNative(error);
  }
}

function prepareCuda({ indices }: Gpus): void {
  // Without a driver, what else is missing would say nothing.
  const devices = loadAddon().cudaDevices();
  const absent = indices.find((index) => index >= devices.length);
  if (absent !== undefined) {
    const present = devices.map(({ index, name }) => `cuda:${index} (${name})`).join(', ');
    throw new ZrankError(
      'DEVICE_UNAVAILABLE',
      `there is no cuda:${absent}; this machine has ${present || 'no CUDA device'}`,
    );
  }
  openCudaLibraries(loadAddon());
}

function cudaDevices({ indices }: Gpus): CudaDevice[] {
  return loadAddon()
    .cudaDevices()
    .filter(({ index }) => indices.includes(index));
}

/** What fits four fifths of the memory that is free on the GPU with the least, up to a size that does not keep the next caller waiting. */
export function cudaBatchTokens(devices: readonly CudaDevice[], bytesPerToken: number): number {
  const free = Math.min(...devices.map(({ freeMemory, totalMemory }) => freeMemory ?? totalMemory));
  return Math.max(minCudaBatchTokens, Math.min(maxCudaBatchTokens, Math.floor((0.8 * free) / bytesPerToken)));
}

function cpuModel(checkpoint: Checkpoint, kernels?: GraphOptions['kernels']): EngineModel {
  const graph = writeQwen3Graph(checkpoint, { compute: 'fp32', attention: 'grouped', ...(kernels && { kernels }) });
  return { replicas: [{ ...packedDecoder(graph), device: 'cpu', deviceIndex: 0 }], files: graph.weightFiles };
}

function gpuModel(checkpoint: Checkpoint, options: GraphOptions, { kind, indices }: Gpus): EngineModel {
  const graph = writeQwen3Graph(checkpoint, options);
  const maxSquares =
    kind === 'webgpu' && options.attention === 'plain'
      ? Math.floor(webGpuTensorBytes / (4 * checkpoint.config.heads))
      : undefined;
  return {
    replicas: indices.map((deviceIndex) => ({ ...packedDecoder(graph), device: kind, deviceIndex, maxSquares })),
    files: graph.weightFiles,
  };
}

function packedDecoder({ model: graph, weightFolder, prepack }: Graph) {
  return { kind: 'packed-decoder', graph, weightFolder, prepack } as const;
}

/** Why this form of the graph is not to be used on these GPUs; undefined where all compute as the CPU does. */
async function probe(
  checkpoint: Checkpoint,
  { kind, indices }: Gpus,
  options: GraphOptions & { positions: number },
  reference: Float32Array,
): Promise<string | undefined> {
  for (const index of indices) {
    let logits: Float32Array;
    try {
      logits = await probeLogits(gpuModel(checkpoint, options, { kind, indices: [index] }), options.positions);
    } catch (error) {
      if (!(error instanceof ZrankError)) throw error;
      // The provider itself is missing: no other form of the graph will do better.
      if (error.code === 'DEVICE_UNAVAILABLE') throw error;
      return error.message.split('\n')[0]!;
    }
    const error = Math.sqrt(squares(reference.map((value, i) => logits[i]! - value)) / squares(reference));
    if (!(error <= probeTolerance[options.compute]))
      return `a probe of ${options.positions} tokens is off by ${error.toPrecision(2)}, relative`;
  }
  return undefined;
}

const squares = (values: Float32Array) => values.reduce((sum, value) => sum + value ** 2, 0);

/** Tokens of the longest sequence: more than any tile of attention, for `paged` more than a block of the cache. */
const probeLength = (asked: PlacementOptions['attention']) => (asked === 'paged' ? 300 : 110);

/** Logits of sequences that begin alike, of many lengths: one may end where little goes wrong. */
async function probeLogits(model: EngineModel, length: number): Promise<Float32Array> {
  // Knuth's multiplicative hash.
  const id = (seed: number) => (Math.imul(seed, 2_654_435_761) >>> 24) % probeVocabularySize;
  const sequences = Array.from({ length: 24 }, (_, s) =>
    Array.from({ length: length - 4 * s }, (_, i) => id(i < 8 ? i : 1000 * s + i)),
  );
  return logitsOf(sequences, model);
}

/** Logits of sequences that begin alike, in one batch. */
async function logitsOf(sequences: readonly number[][], model: EngineModel): Promise<Float32Array> {
  const engine = await Engine.open(model, { workers: 1, threads: 1 });
  try {
    const work = packedWork(
      sequences.map((ids) => ({ ids })),
      sequences.map(() => 'probe'),
      { maxBatchTokens: Infinity, maxQueueTokens: Infinity },
    );
    return await engine.run(work);
  } finally {
    await engine.close();
  }
}
