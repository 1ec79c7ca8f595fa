import { dataType, type DataType } from './onnx.js';
import type { Operators } from './operators.js';

/**
 * Sequences are padded up to a length that recurs: none below `least`, `steps` of them between powers of two (PadToBuckets in
 * native/core/pack.cc, with the numbers of native/core/contract.h).
 */
export const paddedLengths = { least: 16, steps: 8 };

/** The positions of a run's longest sequence, [S, 1] in fp32. */
export function positionColumn(ops: Operators): string {
  const integer = (name: string, value: number) => ops.graph.constant(name, Int32Array.of(value), []);
  const total = ops.node('Reshape', [
    'total_sequence_length',
    ops.graph.constant('shape_scalar', new BigInt64Array(0), [0]),
  ]);
  const positions = ops.node('Cast', [ops.node('Range', [integer('zero', 0), total, integer('one', 1)])], {
    to: { int: dataType.float },
  });
  return ops.node('Reshape', [positions, ops.shape(-1, 1)]);
}

/**
 * cos and sin of position times frequency, [S or more, headDim / 2] in `type`; the angles in fp32, as
 * transformers' Qwen3RotaryEmbedding computes them.
 */
export function rotaryTables(ops: Operators, type: DataType): { cos: string; sin: string } {
  const { headDim, ropeTheta, ropeScale } = ops.config;
  const width = headDim / 2;
  const frequencies = Float32Array.from(
    { length: width },
    (_, i) => 1 / Math.fround(ropeTheta ** Math.fround((2 * i) / headDim)) / ropeScale,
  );
  const typed = (table: string) => ops.cast(table, dataType.float, type);
  if (ops.options.positions === undefined) {
    const angles = ops.node('Mul', [
      positionColumn(ops),
      ops.graph.constant('rope_frequencies', frequencies, [1, width]),
    ]);
    return { cos: typed(ops.node('Cos', [angles])), sin: typed(ops.node('Sin', [angles])) };
  }
  // The most that padding makes of them.
  const positions = paddedLengths.least + Math.ceil(ops.options.positions * (1 + 1 / paddedLengths.steps));
  const angle = (i: number) => Math.fround(Math.floor(i / width) * frequencies[i % width]!);
  const table = (name: string, f: (angle: number) => number) =>
    typed(
      ops.graph.constant(
        name,
        Float32Array.from({ length: positions * width }, (_, i) => f(angle(i))),
        [positions, width],
      ),
    );
  return { cos: table('rope_cos', Math.cos), sin: table('rope_sin', Math.sin) };
}
