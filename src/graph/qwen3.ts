import { dirname, join, relative, sep } from 'node:path';
import type { Checkpoint } from '../checkpoint/checkpoint.js';
import type { Qwen3Config } from '../checkpoint/config.js';
import type { TensorRef } from '../checkpoint/safetensors.js';
import { dataType, OnnxGraphWriter, type Attribute, type DataType } from './onnx.js';

/** A graph and where its weights lie. */
export interface Graph {
  /** A serialized ONNX model whose weights are external data. */
  model: Uint8Array;
  /** The folder that the external data's locations are relative to: the nearest one that holds all weight files. */
  weightFolder: string;
  /** Paths of the files that hold the weights. */
  weightFiles: string[];
}

export interface GraphOptions {
  /** Type of weights and activations. Norms of the last rows and the head are in fp32 whatever it is. */
  compute: 'fp32' | 'fp16' | 'bf16';
  /**
   * How attention is written: as GroupQueryAttention behind norms of its own, with the norms inside the operator (CUDA and
   * WebGPU), or from plain operators.
   */
  attention: 'grouped' | 'fused' | 'plain';
  /**
   * Store the rotary tables of this many positions in the graph: on GPUs, whose sine and cosine are not good enough for large
   * angles. Otherwise each run computes those it needs.
   */
  positions?: number;
  /** Multiply by zrank's own operators (native/kernels/custom_ops.h), in this arithmetic, where `compute` is fp32. */
  kernels?: 'fp32' | 'bf16';
}

const microsoft = 'com.microsoft';
/** The domain of zrank's own operators. */
const own = 'zrank';
const storedType: Record<string, DataType> = { F32: dataType.float, F16: dataType.float16, BF16: dataType.bfloat16 };
const computeType = { fp32: dataType.float, fp16: dataType.float16, bf16: dataType.bfloat16 } as const;

/**
 * Qwen3's residual stream and SwiGLU product can pass 65,504, the largest fp16. In fp16 both are held this much smaller:
 * RMSNorm makes that the same function, and a power of two makes it exact but for subnormals.
 */
const fp16Scale = 2 ** -5;
/** Added to the scores of keys behind a query: zero after the softmax, and finite. */
const masked = -30_000;

/**
 * Writes a Qwen3 reranker as an ONNX graph over packed tokens (docs/architecture.md): norms, projections and the MLP see
 * the T unique tokens of a batch, attention alone sees B right-padded sequences of S tokens. The network is that of
 * transformers' models/qwen3/modeling_qwen3.py; its initializers point into the checkpoint's safetensors.
 *
 * Inputs, all int32: input_ids [T], expand [B, S], compact [T], seqlens_k [B], total_sequence_length [1], last [B],
 * last_flat [B] (native/core/pack.h). Output: logits [B, 1] in fp32.
 */
export function writeQwen3Graph(checkpoint: Checkpoint, options: GraphOptions = { compute: 'fp32', attention: 'grouped' }): Graph {
  return new Qwen3Writer(checkpoint, options).write();
}

/** What every layer's attention takes. */
interface AttentionTables {
  /** [S, headDim / 2] */
  cos: string;
  sin: string;
  /** [S, S] in fp32, for attention from plain operators. */
  mask: string | undefined;
}

class Qwen3Writer {
  readonly #graph = new OnnxGraphWriter();
  readonly #checkpoint: Checkpoint;
  readonly #config: Qwen3Config;
  readonly #weightFiles: string[];
  readonly #weightFolder: string;
  readonly #options: GraphOptions;
  /** The residual stream is held this many times its value. */
  readonly #scale: number;
  readonly #scalars = new Set<string>();
  #count = 0;

  constructor(checkpoint: Checkpoint, options: GraphOptions) {
    this.#options = options;
    this.#scale = options.compute === 'fp16' ? fp16Scale : 1;
    this.#checkpoint = checkpoint;
    this.#config = checkpoint.config;
    this.#weightFiles = [...new Set([...checkpoint.weights.values()].map((tensor) => tensor.path))];
    this.#weightFolder = commonFolder(this.#weightFiles);
  }

  write(): Graph {
    const { int32, float } = dataType;
    const graph = this.#graph;
    graph.input('input_ids', int32, ['T']);
    graph.input('expand', int32, ['B', 'S']);
    graph.input('compact', int32, ['T']);
    graph.input('seqlens_k', int32, ['B']);
    graph.input('total_sequence_length', int32, [1]);
    graph.input('last', int32, ['B']);
    graph.input('last_flat', int32, ['B']);

    const tables = this.#attentionTables();
    let residual = this.#node('Gather', [this.#stored(this.#embedding()), 'input_ids'], { axis: { int: 0 } });
    residual = this.#cast(residual, storedType[this.#embedding().dtype]!, this.#compute);
    if (this.#scale !== 1) residual = this.#node('Mul', [residual, this.#scalar('embedding_scale', this.#scale)]);
    let update: string | undefined;
    for (let layer = 0; layer < this.#config.layers; layer++) {
      [residual, update] = this.#layer(layer, residual, update, tables);
    }
    const last = [residual, update!].map((rows) => this.#cast(rows, this.#compute, float));
    const [hidden] = this.#norm(last[0]!, last[1], 'model.norm.weight', float);
    graph.node(`${microsoft}:FusedMatMul`, [hidden, this.#scoringRow()], ['logits'], { transB: { int: 1 } });
    graph.output('logits', float, ['B', 1]);
    return {
      model: graph.finish('zrank', { '': 21, [microsoft]: 1, [own]: 1 }),
      weightFolder: this.#weightFolder,
      weightFiles: this.#weightFiles,
    };
  }

  /** One decoder layer. `update` is the last layer's MLP output, added to the residual by the norm that follows. */
  #layer(layer: number, residual: string, update: string | undefined, tables: AttentionTables): [string, string] {
    const prefix = `model.layers.${layer}.`;
    let hidden: string;
    [hidden, residual] = this.#norm(residual, update, `${prefix}input_layernorm.weight`);
    // Behind the last layer's attention only the last token of each sequence matters.
    const isLast = layer === this.#config.layers - 1;
    const rowCount = isLast ? 'B' : 'T';
    const rows = this.#attention(`${prefix}self_attn.`, hidden, isLast ? 'last_flat' : 'compact', tables);
    if (isLast) residual = this.#node('Gather', [residual, 'last'], { axis: { int: 0 } });

    const [output] = this.#project(rows, rowCount, [`${prefix}self_attn.o_proj.weight`], this.#scale);
    [hidden, residual] = this.#norm(residual, output, `${prefix}post_attention_layernorm.weight`);
    [update] = this.#project(this.#gatedUnits(hidden, rowCount, `${prefix}mlp.`), rowCount, [`${prefix}mlp.down_proj.weight`]);
    return [residual, update!];
  }

  /** silu(gate) * up, [T or B, intermediate]. */
  #gatedUnits(hidden: string, rowCount: 'T' | 'B', prefix: string): string {
    const names = [`${prefix}gate_proj.weight`, `${prefix}up_proj.weight`] as const;
    const { kernels } = this.#options;
    if (kernels !== undefined) {
      const weights = names.map((name) => this.#stored(this.#tensor(name)));
      const units = this.#product(names[0], rowCount);
      this.#graph.node(`${own}:GatedMatMul`, [hidden, ...weights], [units], { arithmetic: { string: kernels } });
      return units;
    }
    const [gate] = this.#project(hidden, rowCount, [names[0]]);
    const [up] = this.#project(hidden, rowCount, [names[1]], this.#scale);
    // QuickGelu with alpha 1 is x sigmoid(x), SiLU.
    return this.#node('Mul', [this.#node(`${microsoft}:QuickGelu`, [gate!], { alpha: { float: 1 } }), up!]);
  }

  /** Attention over the sequences of the batch: from [T, hidden] to the positions `rows` of B * S, [rows, heads * headDim]. */
  #attention(prefix: string, hidden: string, rows: 'compact' | 'last_flat', tables: AttentionTables): string {
    const { heads, keyValueHeads, headDim } = this.#config;
    const isFused = this.#options.attention === 'fused';
    const projected = this.#project(hidden, 'T', ['q', 'k', 'v'].map((name) => `${prefix}${name}_proj.weight`)) as [string, string, string];
    if (this.#hasOwnAttention()) return this.#ownAttention(projected, prefix, rows, tables);
    if (!isFused) {
      projected[0] = this.#headNorm(projected[0], heads, `${prefix}q_norm.weight`);
      projected[1] = this.#headNorm(projected[1], keyValueHeads, `${prefix}k_norm.weight`);
    }
    const [queries, keys, values] = projected.map((row) => this.#node('Gather', [row, 'expand'], { axis: { int: 0 } })) as [string, string, string];
    const attended =
      this.#options.attention === 'plain'
        ? this.#plainAttention(queries, keys, values, tables)
        : this.#groupedAttention(queries, keys, values, tables, isFused ? prefix : undefined);
    const flat = this.#node('Reshape', [attended, this.#shape(-1, heads * headDim)]);
    return this.#node('Gather', [flat, rows], { axis: { int: 0 } });
  }

  /** zrank's own attention is made for heads of whole registers. */
  #hasOwnAttention(): boolean {
    return this.#options.kernels !== undefined && this.#config.headDim % 32 === 0;
  }

  /** zrank's own attention takes the unique tokens as they are, and norms and rotates them itself. */
  #ownAttention(projected: readonly string[], prefix: string, rows: 'compact' | 'last_flat', { cos, sin }: AttentionTables): string {
    const { heads, keyValueHeads, headDim, rmsNormEpsilon } = this.#config;
    const attended = this.#graph.value(this.#name(), dataType.float, [rows === 'compact' ? 'T' : 'B', heads * headDim]);
    const norms = ['q', 'k'].map((name) => this.#weight(`${prefix}${name}_norm.weight`));
    this.#graph.node(`${own}:Attention`, [...projected, ...norms, cos, sin, 'expand', rows], [attended], {
      arithmetic: { string: this.#options.kernels! },
      heads: { int: heads },
      key_value_heads: { int: keyValueHeads },
      epsilon: { float: rmsNormEpsilon },
    });
    return attended;
  }

  /** GroupQueryAttention of com.microsoft; `normPrefix` names the norms that it applies itself. */
  #groupedAttention(queries: string, keys: string, values: string, { cos, sin }: AttentionTables, normPrefix: string | undefined): string {
    const { heads, keyValueHeads, rmsNormEpsilon } = this.#config;
    const norms =
      normPrefix === undefined ? [] : ['', '', '', '', '', this.#weight(`${normPrefix}q_norm.weight`), this.#weight(`${normPrefix}k_norm.weight`)];
    const attended = this.#name();
    // The present outputs, though unused, turn on the operator's flash path on the CPU and are needed on CUDA.
    this.#graph.node(
      `${microsoft}:GroupQueryAttention`,
      [queries, keys, values, '', '', 'seqlens_k', 'total_sequence_length', cos, sin, ...norms],
      [attended, this.#name(), this.#name()],
      {
        num_heads: { int: heads },
        kv_num_heads: { int: keyValueHeads },
        do_rotary: { int: 1 },
        ...(normPrefix !== undefined && { qk_norm_epsilon: { float: rmsNormEpsilon } }),
      },
    );
    return attended;
  }

  /** softmax(q k^T / sqrt(headDim) + mask) v with the softmax in fp32, for devices whose GroupQueryAttention errs. */
  #plainAttention(queries: string, keys: string, values: string, { cos, sin, mask }: AttentionTables): string {
    const { heads, keyValueHeads, headDim } = this.#config;
    const split = (rows: string, count: number) => {
      const parted = this.#node('Reshape', [rows, this.#graph.constant(`shape_0_0_${count}_${headDim}`, BigInt64Array.of(0n, 0n, BigInt(count), BigInt(headDim)), [4])]);
      return this.#node('Transpose', [parted], { perm: { ints: [0, 2, 1, 3] } });
    };
    const start = this.#graph.constant('rope_start', BigInt64Array.of(0n), [1]);
    const rotate = (parted: string) => this.#node(`${microsoft}:RotaryEmbedding`, [parted, start, cos, sin]);
    // Each key/value head serves the query heads of its group.
    const groupOf = Int32Array.from({ length: heads }, (_, head) => Math.floor((head * keyValueHeads) / heads));
    const repeat = (parted: string) =>
      heads === keyValueHeads ? parted : this.#node('Gather', [parted, this.#graph.constant('head_group', groupOf, [heads])], { axis: { int: 1 } });

    const scaled = this.#node('Mul', [rotate(split(queries, heads)), this.#scalar('query_scale', headDim ** -0.5)]);
    const transposed = this.#node('Transpose', [repeat(rotate(split(keys, keyValueHeads)))], { perm: { ints: [0, 1, 3, 2] } });
    const scores = this.#cast(this.#node('MatMul', [scaled, transposed]), this.#compute, dataType.float);
    const weights = this.#node('Softmax', [this.#node('Add', [scores, mask!])], { axis: { int: -1 } });
    const attended = this.#node('MatMul', [this.#cast(weights, dataType.float, this.#compute), repeat(split(values, keyValueHeads))]);
    return this.#node('Transpose', [attended], { perm: { ints: [0, 2, 1, 3] } });
  }

  /** RMSNorm of residual + update. Returns the normed rows and the sum. */
  #norm(residual: string, update: string | undefined, weight: string, type: DataType = this.#compute): [string, string] {
    // RMSNorm of s x with epsilon s^2 is RMSNorm of x with epsilon.
    const epsilon = { float: this.#config.rmsNormEpsilon * this.#scale ** 2 };
    if (update === undefined) {
      return [this.#node('SimplifiedLayerNormalization', [residual, this.#weight(weight, type)], { axis: { int: -1 }, epsilon, stash_type: { int: 1 } }), residual];
    }
    const normed = this.#name();
    const sum = this.#name();
    this.#graph.node(`${microsoft}:SkipSimplifiedLayerNormalization`, [residual, update, this.#weight(weight, type)], [normed, '', '', sum], { epsilon });
    return [normed, sum];
  }

  /** RMSNorm of each head of [T, heads * headDim]. */
  #headNorm(rows: string, heads: number, weight: string): string {
    const { headDim, rmsNormEpsilon } = this.#config;
    const split = this.#node('Reshape', [rows, this.#shape(-1, headDim)]);
    const normed = this.#node('SimplifiedLayerNormalization', [split, this.#weight(weight)], {
      axis: { int: -1 },
      epsilon: { float: rmsNormEpsilon },
      stash_type: { int: 1 },
    });
    return this.#node('Reshape', [normed, this.#shape(-1, heads * headDim)]);
  }

  /** rows [T or B, in] times each of the weights, [out, in] as Hugging Face stores them, times alpha. */
  #project(rows: string, rowCount: 'T' | 'B', weights: readonly string[], alpha = 1): string[] {
    const { kernels } = this.#options;
    if (kernels === undefined) {
      const attributes = { transB: { int: 1 }, ...(alpha !== 1 && { alpha: { float: alpha } }) };
      return weights.map((weight) => this.#node(`${microsoft}:FusedMatMul`, [rows, this.#weight(weight)], attributes));
    }
    const outputs = weights.map((weight) => this.#product(weight, rowCount));
    const stored = weights.map((weight) => this.#stored(this.#tensor(weight)));
    this.#graph.node(`${own}:MatMul`, [rows, ...stored], outputs, { arithmetic: { string: kernels } });
    return outputs;
  }

  /**
   * A name for what one of zrank's operators makes of a weight, with its shape: ONNX Runtime takes outputs of unknown shape
   * for equals in size, and plans buffers for them that do not fit.
   */
  #product(weight: string, rowCount: 'T' | 'B'): string {
    return this.#graph.value(this.#name(), dataType.float, [rowCount, this.#tensor(weight).shape[0]!]);
  }

  /**
   * cos and sin of position times frequency, in fp32 as Qwen3RotaryEmbedding computes them, and the causal mask where
   * attention is written from plain operators.
   */
  #attentionTables(): AttentionTables {
    const { headDim, ropeTheta, ropeScale } = this.#config;
    const frequencies = Float32Array.from({ length: headDim / 2 }, (_, i) => 1 / Math.fround(ropeTheta ** Math.fround((2 * i) / headDim)) / ropeScale);
    const integer = (name: string, value: number) => this.#graph.constant(name, Int32Array.of(value), []);
    const total = this.#node('Reshape', ['total_sequence_length', this.#graph.constant('shape_scalar', new BigInt64Array(0), [0])]);
    const positions = this.#node('Cast', [this.#node('Range', [integer('zero', 0), total, integer('one', 1)])], { to: { int: dataType.float } });
    const column = this.#node('Reshape', [positions, this.#shape(-1, 1)]);
    const [cos, sin] = this.#rotaryTables(frequencies, column).map((table) => this.#cast(table, dataType.float, this.#compute)) as [string, string];
    if (this.#options.attention !== 'plain') return { cos, sin, mask: undefined };
    // min(query - key, 0) is negative where the key lies behind the query.
    const distance = this.#node('Sub', [column, this.#node('Reshape', [positions, this.#shape(1, -1)])]);
    const float = (name: string, value: number) => this.#graph.constant(name, Float32Array.of(value), []);
    const ahead = this.#node('Min', [distance, float('float_zero', 0)]);
    return { cos, sin, mask: this.#node('Mul', [ahead, float('mask_slope', -masked)]) };
  }

  /** `frequencies` [headDim / 2] times positions; `column` holds those of the run, [S, 1]. */
  #rotaryTables(frequencies: Float32Array, column: string): [string, string] {
    const width = frequencies.length;
    if (this.#options.positions === undefined) {
      const angles = this.#node('Mul', [column, this.#graph.constant('rope_frequencies', frequencies, [1, width])]);
      return [this.#node('Cos', [angles]), this.#node('Sin', [angles])];
    }
    // Sequences are padded up to a size that recurs (PadToBuckets in native/core/pack.cc), at most by this much.
    const positions = 16 + Math.ceil((this.#options.positions * 9) / 8);
    const angle = (i: number) => Math.fround(Math.floor(i / width) * frequencies[i % width]!);
    const table = (name: string, f: (angle: number) => number) =>
      this.#graph.constant(name, Float32Array.from({ length: positions * width }, (_, i) => f(angle(i))), [positions, width]);
    return [table('rope_cos', Math.cos), table('rope_sin', Math.sin)];
  }

  /** The row of the head that gives the score, [1, hidden] in fp32: never the projection to the whole vocabulary. */
  #scoringRow(): string {
    const { head } = this.#checkpoint;
    if (head.kind === 'classifier') return this.#weight('score.weight', dataType.float);
    const matrix = this.#config.tiedEmbeddings ? this.#embedding() : this.#tensor('lm_head.weight');
    const row = (token: number) => {
      const bytes = matrix.length / this.#config.vocabularySize;
      const name = `${matrix.name}[${token}]`;
      const part = { ...matrix, name, shape: [1, this.#config.hiddenSize], offset: matrix.offset + token * bytes, length: bytes };
      return this.#typed(part, dataType.float);
    };
    if (head.kind === 'token') return row(head.trueTokenId);
    const difference = this.#name();
    this.#graph.weightNode('Sub', [row(head.trueTokenId), row(head.falseTokenId)], [difference]);
    return difference;
  }

  #embedding(): TensorRef {
    return this.#tensor('model.embed_tokens.weight');
  }

  #tensor(name: string): TensorRef {
    return this.#checkpoint.weights.get(name)!;
  }

  get #compute(): DataType {
    return computeType[this.#options.compute];
  }

  /** A weight in the type that it is used in. Where it is stored in another, it is converted at each use, and the mapped file stays the only copy. */
  #weight(name: string, type: DataType = this.#compute): string {
    return this.#typed(this.#tensor(name), type);
  }

  #typed(tensor: TensorRef, type: DataType): string {
    const stored = this.#stored(tensor);
    if (storedType[tensor.dtype] === type) return stored;
    const converted = this.#name();
    this.#graph.weightNode('Cast', [stored], [converted], { to: { int: type } });
    return converted;
  }

  #cast(value: string, from: DataType, to: DataType): string {
    return from === to ? value : this.#node('Cast', [value], { to: { int: to } });
  }

  /** A scalar constant in the type of the computation. */
  #scalar(name: string, value: number): string {
    const constant = this.#graph.constant(name, Float32Array.of(value), []);
    if (this.#compute === dataType.float) return constant;
    const converted = `${name}_typed`;
    if (!this.#scalars.has(converted)) this.#graph.weightNode('Cast', [constant], [converted], { to: { int: this.#compute } });
    this.#scalars.add(converted);
    return converted;
  }

  #stored({ name, dtype, shape, path, offset, length }: TensorRef): string {
    return this.#graph.external(name, storedType[dtype]!, shape, { location: relative(this.#weightFolder, path), offset, length });
  }

  #shape(...dims: number[]): string {
    return this.#graph.constant(`shape_${dims.join('_')}`, BigInt64Array.from(dims, BigInt), [dims.length]);
  }

  #node(op: string, inputs: readonly string[], attributes: Record<string, Attribute> = {}): string {
    const name = this.#name();
    this.#graph.node(op, inputs, [name], attributes);
    return name;
  }

  #name(): string {
    return `v${this.#count++}`;
  }
}

/** The nearest folder that holds all the files. */
function commonFolder(paths: readonly string[]): string {
  let folder = dirname(paths[0]!);
  while (!paths.every((path) => path.startsWith(join(folder, sep)))) folder = dirname(folder);
  return folder;
}
