import type { Checkpoint } from './checkpoint/checkpoint.js';
import { convertWeights, type ConvertOptions } from './checkpoint/convert-weights.js';
import { probeCheckpoint } from './checkpoint/probe-checkpoint.js';
import { ZrankError } from './error.js';
import { writeQwen3Graph, type GraphOptions } from './graph/qwen3.js';
import { fromNative, loadAddon, type NativeModel } from './runtime/addon.js';
import { planCpu } from './runtime/cpu-precision.js';
import { Engine, type EngineModel } from './runtime/engine.js';
import { packedWork } from './runtime/work.js';

export type Device = 'auto' | 'cpu' | 'webgpu' | 'cuda' | `cuda:${number}`;
export type Precision = 'fp32' | 'bf16' | 'fp16';

/** Where a model runs and how. */
export interface Placement {
  device: 'cpu' | 'webgpu' | `cuda:${number}`;
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

interface Gpu {
  kind: 'cuda' | 'webgpu';
  index: number;
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
  const gpu = requestedGpu(options.device);
  if (gpu !== undefined) {
    try {
      return await placeOnGpu(checkpoint, gpu, options, passedOver);
    } catch (error) {
      if (options.device !== 'auto' || !(error instanceof ZrankError)) throw error;
      passedOver.push(`cuda: ${error.message}`);
    }
  }
  return placeOnCpu(checkpoint, options.precision, passedOver);
}

function requestedGpu(device: Device): Gpu | undefined {
  if (device === 'cpu') return undefined;
  if (device === 'webgpu') return { kind: 'webgpu', index: 0 };
  return { kind: 'cuda', index: Number(device.split(':')[1] ?? 0) };
}

function placeOnCpu(checkpoint: Checkpoint, asked: 'auto' | Precision, passedOver: string[]): { model: EngineModel; placement: Placement } {
  if (asked === 'fp16') throw new ZrankError('INVALID_ARGUMENT', `precision 'fp16' runs on GPUs; the CPU has 'fp32' and 'bf16'`);
  const { precision, hasKernels } = planCpu(asked, checkpoint, loadAddon().kernels());
  const model = engineModel(checkpoint, { compute: 'fp32', attention: 'grouped', ...(hasKernels && { kernels: precision }) });
  return { model, placement: { device: 'cpu', precision, attention: 'grouped', passedOver } };
}

async function placeOnGpu(checkpoint: Checkpoint, gpu: Gpu, options: PlacementOptions, passedOver: string[]) {
  // A device that is not there is found out before anything is computed or converted for it.
  checkDevice(gpu);
  const precisions: Precision[] = options.precision === 'auto' ? (gpu.kind === 'cuda' ? ['fp16'] : ['fp16', 'fp32']) : [options.precision];
  if (gpu.kind === 'webgpu' && options.precision === 'bf16') {
    throw new ZrankError('INVALID_ARGUMENT', `WebGPU has no bf16; its precisions are 'fp32' and 'fp16'`);
  }
  const probed = await probeCheckpoint(checkpoint, options.cacheFolder);
  const reference = await probeLogits(probed, undefined, { compute: 'fp32', attention: 'grouped' });
  for (const compute of precisions) {
    // CUDA has no GroupQueryAttention in fp32.
    for (const attention of gpu.kind === 'cuda' && compute === 'fp32' ? (['plain'] as const) : (['fused', 'plain'] as const)) {
      const fault = await probe(probed, gpu, { compute, attention, positions: probeLength }, reference);
      if (fault !== undefined) {
        passedOver.push(`${gpu.kind} in ${compute} with ${attention} attention: ${fault}`);
        continue;
      }
      const stored = compute === 'bf16' ? checkpoint.weights : await convertWeights(checkpoint.weights, compute === 'fp16' ? 'F16' : 'F32', options);
      const device = gpu.kind === 'cuda' ? (`cuda:${gpu.index}` as const) : 'webgpu';
      const safer = engineModel(checkpoint, { compute: 'fp32', attention: 'grouped' }).native;
      const model = { ...engineModel({ ...checkpoint, weights: stored }, { compute, attention, positions: options.maxLength }, gpu), safer };
      return { model, placement: { device, precision: compute, attention, passedOver } satisfies Placement };
    }
  }
  throw new ZrankError('DEVICE_UNAVAILABLE', `${gpu.kind} cannot run this model: ${passedOver.join('; ')}`);
}

function checkDevice({ kind, index }: Gpu): void {
  try {
    loadAddon().checkDevice(kind, index);
  } catch (error) {
    throw fromNative(error);
  }
}

function engineModel(checkpoint: Checkpoint, options: GraphOptions, gpu?: Gpu): EngineModel {
  const graph = writeQwen3Graph(checkpoint, options);
  const native: NativeModel = {
    kind: 'packed-decoder',
    graph: graph.model,
    weightFolder: graph.weightFolder,
    device: gpu?.kind ?? 'cpu',
    deviceIndex: gpu?.index ?? 0,
  };
  return { native, files: graph.weightFiles };
}

/** Why this form of the graph is not to be used on this GPU; undefined where it computes as the CPU does. */
async function probe(checkpoint: Checkpoint, gpu: Gpu, options: GraphOptions, reference: Float32Array): Promise<string | undefined> {
  let logits: Float32Array;
  try {
    logits = await probeLogits(checkpoint, gpu, options);
  } catch (error) {
    if (!(error instanceof ZrankError)) throw error;
    // The provider itself is missing: no other form of the graph will do better.
    if (error.code === 'DEVICE_UNAVAILABLE') throw error;
    return error.message.split('\n')[0]!;
  }
  const error = Math.max(...reference.map((value, i) => Math.abs(logits[i]! - value) / (1 + Math.abs(value))));
  return error <= probeTolerance[options.compute] ? undefined : `a probe of ${probeLength} tokens is off by ${error.toPrecision(2)}, relative`;
}

const probeLength = 110;

/** Logits of two sequences that begin alike and are longer than any tile. */
async function probeLogits(checkpoint: Checkpoint, gpu: Gpu | undefined, options: GraphOptions): Promise<Float32Array> {
  const { vocabularySize } = checkpoint.config;
  const ids = (length: number, salt: number) => Array.from({ length }, (_, i) => (i * 7919 + (i < 40 ? 0 : salt)) % vocabularySize);
  const sequences = [{ ids: ids(probeLength, 0) }, { ids: ids(97, 31) }];
  const engine = await Engine.open(engineModel(checkpoint, options, gpu), { workers: 1, threads: 1 });
  try {
    return await engine.run(packedWork(sequences, ['probe', 'probe'], { maxBatchTokens: 4 * probeLength, maxQueueTokens: Infinity }));
  } finally {
    await engine.close();
  }
}
