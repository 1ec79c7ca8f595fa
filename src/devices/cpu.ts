import type { CpuPrecision } from '../addon.js';
import { quantizeWeights } from '../checkpoint/quantize-weights.js';
import type { Weights } from '../checkpoint/weights.js';
import { ZrankError } from '../error.js';
import { openAddon } from '../libraries/open-addon.js';
import type { DecoderNetwork } from '../networks/cross-encoder.js';
import type { Decoder } from '../networks/decoder/decoder.js';
import { projectionWeights } from '../networks/decoder/tensors.js';
import type { DeviceKind, PlacementOptions, Precision } from './device.js';
import { cpuModel } from './models.js';
import { logitsOf } from './probe.js';

/** How far int8 may move the logit of a sample, relative to 1 + its magnitude. */
const int8Tolerance = 0.5;

/** The processor: zrank's kernels multiply where it has their instructions, else ONNX Runtime. */
export const cpu: DeviceKind = {
  name: 'cpu',
  isAutomatic: true,
  isNumbered: false,
  async place(network, options, _, rejected) {
    refuseGpuKinds(options);
    const { precision, hasKernels } = planCpu(options.precision, network, openAddon().kernels().arithmetics);
    const kernels = hasKernels ? precision : undefined;
    const weights = precision === 'int8' ? await checkedInt8(network, options, kernels) : network.weights;
    return {
      model: cpuModel({ ...network, weights }, kernels),
      placement: { device: 'cpu', precision, attention: 'grouped', rejected },
    };
  },
};

/** Throws INVALID_ARGUMENT where one of the kinds of operators is asked for that GPUs alone have. */
export function refuseGpuKinds(options: PlacementOptions): void {
  for (const [name, where] of [
    ['attention', 'GPUs'],
    ['gatedUnits', 'CUDA'],
    ['products', 'CUDA'],
  ] as const) {
    if (options[name] !== 'auto')
      throw new ZrankError('INVALID_ARGUMENT', `${name} '${options[name]}' runs on ${where}; the CPU has one kind`);
  }
}

export interface CpuPlan {
  precision: CpuPrecision;
  /**
   * Whether zrank's kernels multiply (native/kernels); ONNX Runtime does where the processor lacks their instructions.
   */
  hasKernels: boolean;
  /** Why, in a few words. */
  reason: string;
}

/**
 * What the CPU computes in. int8 is taken only where it is asked for, since it costs accuracy. `auto` takes bf16 for
 * projections stored in bf16 where the processor multiplies it: the products are as sentence-transformers forms them by
 * default, the rest is more accurate.
 *
 * @param kernels the arithmetics of zrank's kernels on this processor
 */
export function planCpu(
  asked: 'auto' | Precision,
  { config, weights }: Decoder,
  kernels: readonly CpuPrecision[],
): CpuPlan {
  const plan = (precision: CpuPrecision, reason: string): CpuPlan => {
    return { precision, hasKernels: kernels.includes(precision), reason };
  };
  if (asked === 'fp16') {
    throw new ZrankError('INVALID_ARGUMENT', `precision 'fp16' runs on GPUs; the CPU has 'fp32', 'bf16' and 'int8'`);
  }
  if (asked === 'fp32' || asked === 'int8') return plan(asked, 'as asked');
  if (!kernels.includes('bf16')) return plan('fp32', 'no kernel multiplies bf16 here');
  if (asked === 'bf16') return plan('bf16', 'as asked');
  const dtypes = Array.from(projectionWeights(config), (name) => weights.get(name)!.dtype);
  const other = dtypes.find((dtype) => dtype !== 'BF16');
  if (other !== undefined) return plan('fp32', `weights in ${other}`);
  return plan('bf16', 'weights in bf16, and kernels that multiply it');
}

/**
 * The weights in 8 bits. Throws where that is too little, as for the embedded zrank-tiny, some of whose weights were
 * written by hand to cancel each other out: the scores of a few prompts are compared once, when the weights are
 * quantized.
 */
function checkedInt8(
  network: DecoderNetwork,
  { cacheFolder, onProgress }: PlacementOptions,
  kernels: CpuPrecision | undefined,
): Promise<Weights> {
  const check = async (weights: Weights) => {
    const prompts = await network.samplePrompts();
    const reference = await logitsOf(prompts, cpuModel(network));
    const logits = await logitsOf(prompts, cpuModel({ ...network, weights }, kernels));
    const error = Math.max(...reference.map((value, i) => Math.abs(logits[i]! - value) / (1 + Math.abs(value))));
    if (error <= int8Tolerance) return;
    throw new ZrankError(
      'INVALID_ARGUMENT',
      `precision 'int8' is too coarse for this model: a sample's logit is off by ${error.toPrecision(2)}, relative; ` +
        "use 'bf16' or 'fp32'",
    );
  };
  return quantizeWeights(network.weights, projectionWeights(network.config), { cacheFolder, onProgress, check });
}
