import { dirname, join, relative, sep } from 'node:path';
import { int8Block, int8Parts } from '../checkpoint/quantize-weights.js';
import type { TensorRef } from '../checkpoint/safetensors.js';
import type { Weights } from '../checkpoint/weights.js';
import { dataType, OnnxGraphWriter, type Attribute, type DataType } from './onnx.js';

/** How a graph is written: what differs between the devices that run it. */
export interface GraphForm {
  /**
   * Type of weights and activations. Attention from plain operators, norms of the last rows and the head are in fp32
   * whatever it is.
   */
  compute: 'fp32' | 'fp16' | 'bf16';
  /**
   * How attention is written: as GroupQueryAttention behind norms of its own, with the norms inside the operator (CUDA
   * and WebGPU), as PagedAttention (CUDA, with `positions`), as zrank's own kernels (CUDA in fp16 and bf16, with
   * `positions`), or from plain operators.
   */
  attention: 'grouped' | 'fused' | 'paged' | 'tiled' | 'plain';
  /** Whether zrank's own kernel computes silu(gate) * up: on CUDA in fp16 and bf16. */
  fusesGatedUnits?: boolean;
  /** Whether cuBLASLt multiplies, by zrank's operator TunedMatMul: on CUDA in fp16 and bf16. */
  tunesProducts?: boolean;
  /**
   * Store the rotary tables of this many positions in the graph: on GPUs, whose sine and cosine are not good enough for
   * large angles. Otherwise each run computes those it needs.
   */
  positions?: number;
  /**
   * Multiply by zrank's own operators (native/kernels/ops/custom_ops.h), in this arithmetic, where `compute` is fp32.
   * In int8 the weights are quantized (quantizeWeights); without kernels MatMulNBits multiplies those.
   */
  kernels?: 'fp32' | 'bf16' | 'int8';
}

/** A linear map of a network: the names of its weight and its bias. */
export interface Projection {
  weight: string;
  bias?: string | undefined;
}

/** Columns of a matrix, from `first` on: one product of several weights gives those of all. */
export interface Columns {
  matrix: string;
  first: number;
}

/** Rows that a projection is applied to: of every token, or of every sequence's last. */
export type RowCount = 'T' | 'B';

/** ONNX Runtime's domain of contributed operators. */
export const microsoft = 'com.microsoft';
/** The domain of zrank's own operators. */
export const own = 'zrank';
const storedType: Record<string, DataType> = {
  U8: dataType.uint8,
  F32: dataType.float,
  F16: dataType.float16,
  BF16: dataType.bfloat16,
};
const computeType = { fp32: dataType.float, fp16: dataType.float16, bf16: dataType.bfloat16 } as const;

/** What the parts of a network are written with: nodes, the checkpoint's weights as they are stored, projections. */
export class Operators {
  readonly graph = new OnnxGraphWriter();
  readonly form: GraphForm;
  /** Paths of the files that hold the weights. */
  readonly weightFiles: string[];
  /** The nearest folder that holds them all. */
  readonly weightFolder: string;
  /** Type of weights and activations. */
  readonly compute: DataType;
  /** Whether the graph has MatMulNBits, which without a layout of its own widens its weights and multiplies in fp32. */
  prepack = false;
  readonly #weights: Weights;
  readonly #scalars = new Set<string>();
  #count = 0;

  constructor(weights: Weights, form: GraphForm) {
    this.form = form;
    this.compute = computeType[form.compute];
    this.#weights = weights;
    this.weightFiles = [...new Set([...weights.values()].map((tensor) => tensor.path))];
    this.weightFolder = commonFolder(this.weightFiles);
  }

  tensor(name: string): TensorRef {
    return this.#weights.get(name)!;
  }

  /** A weight as it is stored, left in its file. */
  stored({ name, dtype, shape, path, offset, length }: TensorRef): string {
    return this.graph.external(name, storedType[dtype]!, shape, {
      location: relative(this.weightFolder, path),
      offset,
      length,
    });
  }

  /**
   * A weight in the type that it is used in. Where it is stored in another, it is converted at each use, and the mapped
   * file stays the only copy.
   */
  weight(tensor: TensorRef | string, type: DataType = this.compute): string {
    if (typeof tensor === 'string') return this.weight(this.tensor(tensor), type);
    const stored = this.stored(tensor);
    if (storedType[tensor.dtype] === type) return stored;
    const converted = this.name();
    this.graph.weightNode('Cast', [stored], [converted], { to: { int: type } });
    return converted;
  }

  /** Rows of a stored matrix, in the type of the computation. */
  rowsOf(matrix: TensorRef, indices: string): string {
    return this.cast(this.gather(this.stored(matrix), indices), storedType[matrix.dtype]!, this.compute);
  }

  /**
   * What zrank's own operators take for a weight: the weight as it is stored, or its bytes and scales where it is
   * quantized.
   */
  factor(name: string): string[] {
    return (this.#isQuantized(name) ? int8Parts(name) : [name]).map((part) => this.stored(this.tensor(part)));
  }

  #isQuantized(name: string): boolean {
    return this.#weights.has(int8Parts(name)[0]);
  }

  /**
   * rows [T or B, in] times each of the weights, [out, in] as Hugging Face stores them, plus its bias [out], all times
   * alpha.
   */
  project(rows: string, rowCount: RowCount, projections: readonly Projection[], alpha = 1): string[] {
    const { kernels, tunesProducts } = this.form;
    if (tunesProducts) return projections.map((projection) => this.#tuned(rows, rowCount, [projection], alpha));
    if (kernels === undefined) return projections.map((projection) => this.#multiply(rows, projection, alpha));
    const outputs = projections.map(({ weight }) => this.product(weight, rowCount));
    const factors = projections.flatMap(({ weight }) => this.factor(weight));
    this.graph.node(`${own}:MatMul`, [rows, ...factors], outputs, { arithmetic: { string: kernels } });
    return outputs.map((output, i) => this.#add(output, projections[i]!.bias));
  }

  /**
   * The same, for zrank's CUDA kernels: with tuned products, weights that lie side by side in their file are one weight,
   * and multiplied at once.
   */
  projectTogether(rows: string, rowCount: RowCount, projections: readonly Projection[], alpha = 1): Columns[] {
    if (!this.form.tunesProducts)
      return this.project(rows, rowCount, projections, alpha).map((matrix) => ({ matrix, first: 0 }));
    const columns = new Map<Projection, Columns>();
    for (const adjoining of this.#adjoining(projections)) {
      const matrix = this.#tuned(rows, rowCount, adjoining, alpha);
      let first = 0;
      for (const projection of adjoining) {
        columns.set(projection, { matrix, first });
        first += this.tensor(projection.weight).shape[0]!;
      }
    }
    return projections.map((projection) => columns.get(projection)!);
  }

  /** In runs of those whose weights follow each other in a file. Where there is a bias, each alone. */
  #adjoining(projections: readonly Projection[]): Projection[][] {
    const tensorOf = ({ weight }: Projection) => this.tensor(weight);
    const runs: Projection[][] = [];
    for (const projection of [...projections].sort((a, b) => tensorOf(a).offset - tensorOf(b).offset)) {
      const run = runs.at(-1);
      const before = run?.at(-1);
      const hasBias = (before?.bias ?? projection.bias) !== undefined;
      if (before !== undefined && !hasBias && follows(tensorOf(before), tensorOf(projection))) run!.push(projection);
      else runs.push([projection]);
    }
    return runs;
  }

  /** By TunedMatMul, of weights that are one behind the other; by Gemm where there is a bias. */
  #tuned(rows: string, rowCount: RowCount, projections: readonly Projection[], alpha: number): string {
    const [first] = projections as [Projection];
    if (first.bias !== undefined) return this.#multiply(rows, first, alpha);
    const weight = stacked(projections.map(({ weight }) => this.tensor(weight)));
    const output = this.graph.value(this.name(), this.compute, [rowCount, weight.shape[0]!]);
    this.graph.node(`${own}:TunedMatMul`, [rows, this.weight(weight)], [output], { alpha: { float: alpha } });
    return output;
  }

  /**
   * By Gemm, which every provider has; FusedMatMul would leave WebGPU for the CPU. What is quantized is multiplied by
   * MatMulNBits.
   */
  #multiply(rows: string, { weight, bias }: Projection, alpha: number): string {
    if (this.#isQuantized(weight)) return this.#add(this.#multiplyQuantized(rows, weight), bias);
    const inputs = [rows, this.weight(weight), ...(bias === undefined ? [] : [this.weight(bias)])];
    return this.node('Gemm', inputs, {
      transB: { int: 1 },
      ...(alpha !== 1 && { alpha: { float: alpha }, beta: { float: alpha } }),
    });
  }

  #multiplyQuantized(rows: string, weight: string): string {
    this.prepack = true;
    const [columns, depth] = this.tensor(weight).shape as [number, number];
    return this.node(`${microsoft}:MatMulNBits`, [rows, ...this.factor(weight)], {
      K: { int: depth },
      N: { int: columns },
      bits: { int: 8 },
      block_size: { int: int8Block },
      accuracy_level: { int: 4 }, // activations in int8 too
    });
  }

  #add(rows: string, bias: string | undefined): string {
    return bias === undefined ? rows : this.node('Add', [rows, this.weight(bias)]);
  }

  /**
   * A name for what one of zrank's operators makes of a weight, with its shape: ONNX Runtime takes outputs of unknown
   * shape for equals in size, and plans buffers for them that do not fit.
   */
  product(weight: string, rowCount: RowCount): string {
    return this.graph.value(this.name(), this.compute, [rowCount, this.tensor(weight).shape[0]!]);
  }

  /** RMSNorm over the last axis. */
  rmsNorm(rows: string, weight: string, epsilon: number): string {
    return this.node('SimplifiedLayerNormalization', [rows, weight], {
      axis: { int: -1 },
      epsilon: { float: epsilon },
      stash_type: { int: 1 },
    });
  }

  gather(rows: string, indices: string, axis = 0): string {
    return this.node('Gather', [rows, indices], { axis: { int: axis } });
  }

  cast(value: string, from: DataType, to: DataType): string {
    return from === to ? value : this.node('Cast', [value], { to: { int: to } });
  }

  /** A scalar constant in the type of the computation. */
  scalar(name: string, value: number): string {
    const constant = this.graph.constant(name, Float32Array.of(value), []);
    if (this.compute === dataType.float) return constant;
    const converted = `${name}_typed`;
    if (!this.#scalars.has(converted))
      this.graph.weightNode('Cast', [constant], [converted], { to: { int: this.compute } });
    this.#scalars.add(converted);
    return converted;
  }

  /** A shape for Reshape: -1 is what remains, 0 the input's own. */
  shape(...dims: number[]): string {
    return this.graph.constant(`shape_${dims.join('_')}`, BigInt64Array.from(dims, BigInt), [dims.length]);
  }

  node(op: string, inputs: readonly string[], attributes: Record<string, Attribute> = {}): string {
    const name = this.name();
    this.graph.node(op, inputs, [name], attributes);
    return name;
  }

  name(): string {
    return `v${this.#count++}`;
  }
}

/** Whether the rows of `after` lie behind those of `before`, as those of one matrix. */
function follows(before: TensorRef, after: TensorRef): boolean {
  return (
    before.path === after.path &&
    before.offset + before.length === after.offset &&
    before.dtype === after.dtype &&
    before.shape[1] === after.shape[1]
  );
}

/** The matrix that these make, each following the one before it. */
function stacked(matrices: readonly TensorRef[]): TensorRef {
  const [first] = matrices as [TensorRef];
  const sum = (numbers: readonly number[]) => numbers.reduce((total, number) => total + number);
  return {
    ...first,
    name: matrices.map(({ name }) => name).join('|'),
    shape: [sum(matrices.map(({ shape }) => shape[0]!)), first.shape[1]!],
    length: sum(matrices.map(({ length }) => length)),
  };
}

/** The nearest folder that holds all the files. */
function commonFolder(paths: readonly string[]): string {
  let folder = dirname(paths[0]!);
  while (!paths.every((path) => path.startsWith(join(folder, sep)))) folder = dirname(folder);
  return folder;
}
