import type { Checkpoint } from '../checkpoint/checkpoint.js';

/** Arithmetics of the matrix products. Everything else is in fp32. */
export const cpuPrecisions = ['fp32', 'bf16', 'int8'] as const;
export type CpuPrecision = (typeof cpuPrecisions)[number];

export interface CpuPlan {
  precision: CpuPrecision;
  /** Whether zrank's kernels multiply (native/kernels); ONNX Runtime does where the processor lacks their instructions. */
  hasKernels: boolean;
  /** Why, in a few words. */
  reason: string;
}

/**
 * What the CPU computes in. int8 is taken only where it is asked for, since it costs accuracy. `auto` takes bf16 for layers stored in bf16 where the processor multiplies it: the products
 * are as sentence-transformers forms them by default, the rest is more accurate. `kernels` says what the processor has.
 */
export function planCpu(
  asked: 'auto' | CpuPrecision,
  checkpoint: Checkpoint,
  kernels: readonly CpuPrecision[],
): CpuPlan {
  const plan = (precision: CpuPrecision, reason: string): CpuPlan => ({
    precision,
    hasKernels: kernels.includes(precision),
    reason,
  });
  if (asked === 'fp32' || asked === 'int8') return plan(asked, 'as asked');
  if (!kernels.includes('bf16')) return plan('fp32', 'this processor does not multiply bf16');
  if (asked === 'bf16') return plan('bf16', 'as asked');
  const layers = [...checkpoint.weights.values()].filter(
    (tensor) => tensor.shape.length === 2 && tensor.name.startsWith('model.layers.'),
  );
  const other = layers.find((tensor) => tensor.dtype !== 'BF16');
  return other === undefined
    ? plan('bf16', 'weights in bf16, and a processor that multiplies it')
    : plan('fp32', `weights in ${other.dtype}`);
}
