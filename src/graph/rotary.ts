import { dataType, type DataType } from './onnx.js';
import type { Operators } from './operators.js';

/** How positions turn into angles; the types of transformers' modeling_rope_utils.py. */
export type Rope =
  | { type: 'default'; theta: number }
  /** Positions are divided by `factor`. */
  | { type: 'linear'; theta: number; factor: number }
  /**
   * As `linear` for waves much longer than the original positions, as `default` for much shorter ones, between them
   * mixed.
   */
  | {
      type: 'llama3';
      theta: number;
      factor: number;
      lowFrequencyFactor: number;
      highFrequencyFactor: number;
      originalPositions: number;
    };

/** The angle between two positions for each pair of a head's elements, [headDim / 2]. */
export function rotaryFrequencies(rope: Rope, headDim: number): Float32Array {
  return Float32Array.from({ length: headDim / 2 }, (_, i) =>
    scaled(1 / Math.fround(rope.theta ** Math.fround((2 * i) / headDim)), rope),
  );
}

function scaled(frequency: number, rope: Rope): number {
  if (rope.type === 'default') return frequency;
  if (rope.type === 'linear') return frequency / rope.factor;
  const waves = (rope.originalPositions * frequency) / (2 * Math.PI);
  if (waves < rope.lowFrequencyFactor) return frequency / rope.factor;
  if (waves > rope.highFrequencyFactor) return frequency;
  const share = (waves - rope.lowFrequencyFactor) / (rope.highFrequencyFactor - rope.lowFrequencyFactor);
  return ((1 - share) * frequency) / rope.factor + share * frequency;
}

/**
 * Sequences are padded up to a length that recurs: none below `least`, `steps` of them between powers of two
 * (PadToBuckets in native/core/pack.cc, with the numbers of native/core/contract.h).
 */
export const paddedLengths = { least: 16, steps: 8 };

/** The positions of a run's longest sequence, [S, 1] in fp32. */
export function positionColumn(ops: Operators): string {
  const integer = (name: string, value: number) => ops.graph.constant(name, Int32Array.of(value), []);
  const scalar = ops.graph.constant('shape_scalar', new BigInt64Array(0), [0]);
  const total = ops.node('Reshape', ['total_sequence_length', scalar]);
  const range = ops.node('Range', [integer('zero', 0), total, integer('one', 1)]);
  const positions = ops.node('Cast', [range], { to: { int: dataType.float } });
  return ops.node('Reshape', [positions, ops.shape(-1, 1)]);
}

/**
 * cos and sin of position times frequency, [S or more, headDim / 2] in `type`; the angles in fp32, as transformers has
 * them.
 */
export function rotaryTables(ops: Operators, frequencies: Float32Array, type: DataType): { cos: string; sin: string } {
  const width = frequencies.length;
  const typed = (table: string) => ops.cast(table, dataType.float, type);
  if (ops.form.positions === undefined) {
    const row = ops.graph.constant('rope_frequencies', frequencies, [1, width]);
    const angles = ops.node('Mul', [positionColumn(ops), row]);
    return { cos: typed(ops.node('Cos', [angles])), sin: typed(ops.node('Sin', [angles])) };
  }
  // The most that padding makes of them.
  const positions = paddedLengths.least + Math.ceil(ops.form.positions * (1 + 1 / paddedLengths.steps));
  const angle = (i: number) => Math.fround(Math.floor(i / width) * frequencies[i % width]!);
  const table = (name: string, f: (angle: number) => number) => {
    const values = Float32Array.from({ length: positions * width }, (_, i) => f(angle(i)));
    return typed(ops.graph.constant(name, values, [positions, width]));
  };
  return { cos: table('rope_cos', Math.cos), sin: table('rope_sin', Math.sin) };
}
