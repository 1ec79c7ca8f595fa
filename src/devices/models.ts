import type { CpuPrecision, NativeModel } from '../addon.js';
import type { GraphForm } from '../graph/operators.js';
import type { Decoder } from '../networks/decoder/decoder.js';
import { writeGraph, type Graph } from '../networks/decoder/graph.js';
import type { EngineModel } from '../runtime/engine.js';

/** GPUs of one kind that run replicas of a model. */
export interface Gpus {
  kind: 'cuda' | 'webgpu';
  indices: readonly number[];
  /** Options of CUDA's provider beside zrank's own, or in their place. */
  providerOptions?: Readonly<Record<string, string>>;
  /** Bytes of the largest tensor that attention from plain operators may make; no bound where it is not given. */
  maxTensorBytes?: number;
}

/** A decoder in fp32, or in the arithmetic of zrank's kernels. */
export function cpuModel(decoder: Decoder, kernels?: CpuPrecision): EngineModel {
  const graph = writeGraph(decoder, { compute: 'fp32', attention: 'grouped', ...(kernels && { kernels }) });
  const isDivisible = kernels !== undefined && !graph.prepack;
  return {
    replicas: [{ ...packedDecoder(graph), device: 'cpu', deviceIndex: 0 }],
    files: graph.weightFiles,
    isDivisible,
  };
}

/** A decoder on GPUs, in a form of its graph that they compute. */
export function gpuModel(
  decoder: Decoder,
  form: GraphForm,
  { kind, indices, providerOptions, maxTensorBytes }: Gpus,
): EngineModel {
  const graph = writeGraph(decoder, form);
  const bounded = maxTensorBytes !== undefined && form.attention === 'plain';
  // Scores of attention, in fp32.
  const maxSquares = bounded ? Math.floor(maxTensorBytes / (4 * decoder.config.heads)) : undefined;
  const replicas = indices.map((deviceIndex): NativeModel => {
    return { ...packedDecoder(graph), device: kind, deviceIndex, providerOptions, maxSquares };
  });
  return { replicas, files: graph.weightFiles };
}

function packedDecoder({ model: graph, weightFolder, prepack }: Graph) {
  return { kind: 'packed-decoder', graph, weightFolder, prepack } as const;
}
