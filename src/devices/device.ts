import type { CudaDevice } from '../addon.js';
import type { CacheOptions } from '../checkpoint/cache-file.js';
import type { GraphForm } from '../graph/operators.js';
import type { DecoderNetwork } from '../networks/cross-encoder.js';
import type { EngineModel } from '../runtime/engine.js';
import type { MemoryShare } from './gpu-memory.js';

/** Where a model is asked to run. `cuda` is the first GPU, `cuda:0,1` a pool of the two named. */
export type Device = 'auto' | 'cpu' | 'webgpu' | 'cuda' | `cuda:${string}`;

export type Precision = 'fp32' | 'bf16' | 'fp16' | 'int8';

/** How attention may be computed on GPUs (GraphForm). */
export type GpuAttention = 'fused' | 'paged' | 'tiled' | 'plain';

/** How silu(gate) * up may be computed on GPUs: by a kernel of zrank's own (CUDA), or by ONNX Runtime's operators. */
export type GatedUnits = 'fused' | 'plain';

/** What multiplies matrices on GPUs: cuBLASLt by zrank's own operator (CUDA), or ONNX Runtime's. */
export type Products = 'tuned' | 'plain';

/** Where a model runs and how. */
export interface Placement {
  device: 'cpu' | 'webgpu' | `cuda:${string}`;
  /** Of the matrix products, on CUDA of the activations too; on WebGPU of the weights, which are multiplied in fp32. */
  precision: Precision;
  /** How attention is computed (GraphForm). */
  attention: GraphForm['attention'];
  /** How silu(gate) * up is computed on CUDA. */
  gatedUnits?: GatedUnits;
  /** What multiplies matrices on CUDA. */
  products?: Products;
  /** NVIDIA's GPUs that it runs on. */
  gpus?: Pick<CudaDevice, 'name' | 'computeCapability' | 'totalMemory'>[];
  /** Why another device, precision or attention was not taken, a line each. */
  rejected: string[];
}

export interface PlacementOptions extends CacheOptions {
  precision: 'auto' | Precision;
  attention: 'auto' | GpuAttention;
  gatedUnits: 'auto' | GatedUnits;
  products: 'auto' | Products;
  /** Positions that prompts may have. */
  maxLength: number;
}

/** A model made for the device that it is to run on. */
export interface Placed {
  model: EngineModel;
  placement: Placement;
  /** On devices whose memory is parted among models: this one's part, once it is open. */
  shareMemory?(batchTokens: number | undefined): MemoryShare;
}

/** A kind of device. */
export interface DeviceKind {
  /** As in the option `device`, before a colon. */
  name: Exclude<Placement['device'], `cuda:${string}`> | 'cuda';
  /** Whether `auto` asks for it. */
  isAutomatic: boolean;
  /** Whether a colon and numbers may follow the name. */
  isNumbered: boolean;
  /**
   * Throws INVALID_ARGUMENT for a precision or attention that it does not have, DEVICE_UNAVAILABLE where it is not
   * there or no form of the network computes rightly on it. What it tried in vain is added to `rejected`.
   *
   * @param indices of the devices that are asked for, where it is numbered
   */
  place(
    network: DecoderNetwork,
    options: PlacementOptions,
    indices: readonly number[],
    rejected: string[],
  ): Promise<Placed>;
}

/** Tokens of a batch on the CPU, and on GPUs whose memory is not known. */
export const defaultBatchTokens = 2048;

/**
 * What a long query may multiply them by on the CPU, where no limit is given, since every batch computes it once: of
 * 300 tokens, 7 % of the work instead of 15 %.
 */
export const defaultPrefixStretch = 2;
