import type { Checkpoint } from './checkpoint/checkpoint.js';
import { convertWeights, type ConvertOptions } from './checkpoint/convert-weights.js';
import { probeCheckpoint, probeVocabularySize } from './checkpoint/probe-checkpoint.js';
import { ZrankError } from './error.js';
import { writeQwen3Graph, type Graph, type GraphOptions } from './graph/qwen3.js';
import { fromNative, loadAddon } from './runtime/addon.js';
import { planCpu } from './runtime/cpu-precision.js';
import { Engine, type EngineModel } from './runtime/engine.js';
import { packedWork } from './runtime/work.js';

/** `cuda` is the first GPU, `cuda:0,1` a pool of the two named. */
export type Device = 'auto' | 'cpu' | 'webgpu' | 'cuda' | `cuda:${string}`;
/** What a Device looks like. */
export const devicePattern = /^(auto|cpu|webgpu|cuda(:\d+(,\d+)*)?)$/;
export type Precision = 'fp32' | 'bf16' | 'fp16';

/** Where a model runs and how. */
export interface Placement {
  device: 'cpu' | 'webgpu' | `cuda:${string}`;
  /** Of the matrix products; on GPUs of the activations too. */
  precision: Precision;
  /** How attention is computed (GraphOptions). */
  attention: GraphOptions['attention'];
  /** Why another device, precision or attention was not taken, a line each. */
  passedOver: string[];
}

export interface PlacementOptions extends ConvertOptions {
  device: Device;
  precision: 'auto' | Precision;
  /** Positions that prompts may have. */
  maxLength: number;
}

/** GPUs that run replicas of one model. */
interface Gpus {
  kind: 'cuda' | 'webgpu';
  indices: readonly number[];
}

/** How far a logit on a GPU may lie from the CPU's in the probe, relative to 1 + its magnitude. */
const probeTolerance: Record<Precision, number> = { fp32: 1e-3, fp16: 0.02, bf16: 0.15 };

/**
 * Chooses where a checkpoint runs. `auto` takes CUDA where its provider can be loaded, else the CPU. A GPU is used only in a
 * form that has computed a small network with the heads of this checkpoint as the CPU does: ONNX Runtime 1.30's WebGPU
 * GroupQueryAttention, for one, errs beyond its first tile on some devices.
 */
export async function place(checkpoint: Checkpoint, options: PlacementOptions): Promise<{ model: EngineModel; placement: Placement }> {
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
  return placeOnCpu(checkpoint, options.precision, passedOver);
}

function requestedGpus(device: Device): Gpus | undefined {
  if (device === 'cpu') return undefined;
  if (device === 'webgpu') return { kind: 'webgpu', indices: [0] };
  return { kind: 'cuda', indices: [...new Set((device.split(':')[1] ?? '0').split(',').map(Number))] };
}

function placeOnCpu(checkpoint: Checkpoint, asked: 'auto' | Precision, passedOver: string[]): { model: EngineModel; placement: Placement } {
  if (asked === 'fp16') throw new ZrankError('INVALID_ARGUMENT', `precision 'fp16' runs on GPUs; the CPU has 'fp32' and 'bf16'`);
  const { precision, hasKernels } = planCpu(asked, checkpoint, loadAddon().kernels());
  const model = cpuModel(checkpoint, hasKernels ? precision : undefined);
  return { model, placement: { device: 'cpu', precision, attention: 'grouped', passedOver } };
}

async function placeOnGpus(checkpoint: Checkpoint, gpus: Gpus, options: PlacementOptions, passedOver: string[]) {
  const { kind } = gpus;
  // A device that is not there is found out before anything is computed or converted for it.
  checkDevices(gpus);
  const precisions: Precision[] = options.precision === 'auto' ? (kind === 'cuda' ? ['fp16'] : ['fp16', 'fp32']) : [options.precision];
  if (kind === 'webgpu' && options.precision === 'bf16') {
    throw new ZrankError('INVALID_ARGUMENT', `WebGPU has no bf16; its precisions are 'fp32' and 'fp16'`);
  }
  const probed = await probeCheckpoint(checkpoint, options.cacheFolder);
  const reference = await probeLogits(cpuModel(probed));
  for (const compute of precisions) {
    // CUDA has no GroupQueryAttention in fp32.
    for (const attention of kind === 'cuda' && compute === 'fp32' ? (['plain'] as const) : (['fused', 'plain'] as const)) {
      const fault = await probe(probed, gpus, { compute, attention, positions: probeLength }, reference);
      if (fault !== undefined) {
        passedOver.push(`${kind} in ${compute} with ${attention} attention: ${fault}`);
        continue;
      }
      const stored = compute === 'bf16' ? checkpoint.weights : await convertWeights(checkpoint.weights, compute === 'fp16' ? 'F16' : 'F32', options);
      const model = gpuModel({ ...checkpoint, weights: stored }, { compute, attention, positions: options.maxLength }, gpus);
      const safer = cpuModel(checkpoint).replicas[0]!;
      const device = kind === 'cuda' ? (`cuda:${gpus.indices.join()}` as const) : 'webgpu';
      return { model: { ...model, safer }, placement: { device, precision: compute, attention, passedOver } satisfies Placement };
    }
  }
  throw new ZrankError('DEVICE_UNAVAILABLE', `${kind} cannot run this model: ${passedOver.join('; ')}`);
}

function checkDevices({ kind, indices }: Gpus): void {
  try {
    for (const index of indices) loadAddon().checkDevice(kind, index);
  } catch (error) {
    throw fromNative(error);
  }
}

function cpuModel(checkpoint: Checkpoint, kernels?: GraphOptions['kernels']): EngineModel {
  const graph = writeQwen3Graph(checkpoint, { compute: 'fp32', attention: 'grouped', ...(kernels && { kernels }) });
  return { replicas: [{ ...packedDecoder(graph), device: 'cpu', deviceIndex: 0 }], files: graph.weightFiles };
}

function gpuModel(checkpoint: Checkpoint, options: GraphOptions, { kind, indices }: Gpus): EngineModel {
  const graph = writeQwen3Graph(checkpoint, options);
  return { replicas: indices.map((deviceIndex) => ({ ...packedDecoder(graph), device: kind, deviceIndex })), files: graph.weightFiles };
}

function packedDecoder({ model: graph, weightFolder }: Graph) {
  return { kind: 'packed-decoder', graph, weightFolder } as const;
}

/** Why this form of the graph is not to be used on these GPUs; undefined where all compute as the CPU does. */
async function probe(checkpoint: Checkpoint, { kind, indices }: Gpus, options: GraphOptions, reference: Float32Array): Promise<string | undefined> {
  for (const index of indices) {
    let logits: Float32Array;
    try {
      logits = await probeLogits(gpuModel(checkpoint, options, { kind, indices: [index] }));
    } catch (error) {
      if (!(error instanceof ZrankError)) throw error;
      // The provider itself is missing: no other form of the graph will do better.
      if (error.code === 'DEVICE_UNAVAILABLE') throw error;
      return error.message.split('\n')[0]!;
    }
    const error = Math.max(...reference.map((value, i) => Math.abs(logits[i]! - value) / (1 + Math.abs(value))));
    if (!(error <= probeTolerance[options.compute])) return `a probe of ${probeLength} tokens is off by ${error.toPrecision(2)}, relative`;
  }
  return undefined;
}

const probeLength = 110;

/** Logits of two sequences that begin alike and are longer than any tile. */
async function probeLogits(model: EngineModel): Promise<Float32Array> {
  const ids = (length: number, salt: number) => Array.from({ length }, (_, i) => (i * 7919 + (i < 40 ? 0 : salt)) % probeVocabularySize);
  const sequences = [{ ids: ids(probeLength, 0) }, { ids: ids(97, 31) }];
  const engine = await Engine.open(model, { workers: 1, threads: 1 });
  try {
    return await engine.run(packedWork(sequences, ['probe', 'probe'], { maxBatchTokens: 4 * probeLength, maxQueueTokens: Infinity }));
  } finally {
    await engine.close();
  }
}
