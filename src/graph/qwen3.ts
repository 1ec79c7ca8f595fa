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

const microsoft = 'com.microsoft';
const toFloat = { to: { int: dataType.float } };
const storedType: Record<string, DataType> = { F32: dataType.float, F16: dataType.float16, BF16: dataType.bfloat16 };

/**
 * Writes a Qwen3 reranker as an ONNX graph over packed tokens (docs/architecture.md): norms, projections and the MLP see
 * the T unique tokens of a batch, attention alone sees B right-padded sequences of S tokens. The network is that of
 * transformers' models/qwen3/modeling_qwen3.py; its initializers point into the checkpoint's safetensors.
 *
 * Inputs, all int32: input_ids [T], expand [B, S], compact [T], seqlens_k [B], total_sequence_length [1], last [B],
 * last_flat [B] (native/core/pack.h). Output: logits [B, 1] in fp32.
 */
export function writeQwen3Graph(checkpoint: Checkpoint): Graph {
  return new Qwen3Writer(checkpoint).write();
}

class Qwen3Writer {
  readonly #graph = new OnnxGraphWriter();
  readonly #checkpoint: Checkpoint;
  readonly #config: Qwen3Config;
  readonly #weightFiles: string[];
  readonly #weightFolder: string;
  #count = 0;

  constructor(checkpoint: Checkpoint) {
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

    const [cos, sin] = this.#rotaryTables();
    let residual = this.#node('Gather', [this.#stored(this.#embedding()), 'input_ids'], { axis: { int: 0 } });
    if (this.#embedding().dtype !== 'F32') residual = this.#node('Cast', [residual], toFloat);
    let update: string | undefined;
    for (let layer = 0; layer < this.#config.layers; layer++) {
      [residual, update] = this.#layer(layer, residual, update, cos, sin);
    }
    const [hidden] = this.#norm(residual, update, 'model.norm.weight');
    graph.node(`${microsoft}:FusedMatMul`, [hidden, this.#scoringRow()], ['logits'], { transB: { int: 1 } });
    graph.output('logits', float, ['B', 1]);
    return {
      model: graph.finish('zrank', { '': 21, [microsoft]: 1 }),
      weightFolder: this.#weightFolder,
      weightFiles: this.#weightFiles,
    };
  }

  /** One decoder layer. `update` is the last layer's MLP output, added to the residual by the norm that follows. */
  #layer(layer: number, residual: string, update: string | undefined, cos: string, sin: string): [string, string] {
    const prefix = `model.layers.${layer}.`;
    const { heads, keyValueHeads, headDim } = this.#config;
    let hidden: string;
    [hidden, residual] = this.#norm(residual, update, `${prefix}input_layernorm.weight`);

    const attention = `${prefix}self_attn.`;
    const queries = this.#headNorm(this.#project(hidden, `${attention}q_proj.weight`), heads, `${attention}q_norm.weight`);
    const keys = this.#headNorm(this.#project(hidden, `${attention}k_proj.weight`), keyValueHeads, `${attention}k_norm.weight`);
    const values = this.#project(hidden, `${attention}v_proj.weight`);
    const [queriesBs, keysBs, valuesBs] = [queries, keys, values].map((rows) => this.#node('Gather', [rows, 'expand'], { axis: { int: 0 } }));
    // On the CPU the present outputs, though unused, turn on the operator's flash path.
    const attended = this.#name();
    this.#graph.node(
      `${microsoft}:GroupQueryAttention`,
      [queriesBs!, keysBs!, valuesBs!, '', '', 'seqlens_k', 'total_sequence_length', cos, sin],
      [attended, this.#name(), this.#name()],
      { num_heads: { int: heads }, kv_num_heads: { int: keyValueHeads }, do_rotary: { int: 1 } },
    );
    const flat = this.#node('Reshape', [attended, this.#shape(-1, heads * headDim)]);
    // Behind the last layer's attention only the last token of each sequence matters.
    const isLast = layer === this.#config.layers - 1;
    const rows = this.#node('Gather', [flat, isLast ? 'last_flat' : 'compact'], { axis: { int: 0 } });
    if (isLast) residual = this.#node('Gather', [residual, 'last'], { axis: { int: 0 } });

    [hidden, residual] = this.#norm(residual, this.#project(rows, `${attention}o_proj.weight`), `${prefix}post_attention_layernorm.weight`);
    const gate = this.#project(hidden, `${prefix}mlp.gate_proj.weight`);
    const up = this.#project(hidden, `${prefix}mlp.up_proj.weight`);
    // QuickGelu with alpha 1 is x sigmoid(x), SiLU.
    const activated = this.#node('Mul', [this.#node(`${microsoft}:QuickGelu`, [gate], { alpha: { float: 1 } }), up]);
    return [residual, this.#project(activated, `${prefix}mlp.down_proj.weight`)];
  }

  /** RMSNorm of residual + update. Returns the normed rows and the sum. */
  #norm(residual: string, update: string | undefined, weight: string): [string, string] {
    const epsilon = { float: this.#config.rmsNormEpsilon };
    if (update === undefined) {
      return [this.#node('SimplifiedLayerNormalization', [residual, this.#weight(weight)], { axis: { int: -1 }, epsilon, stash_type: { int: 1 } }), residual];
    }
    const normed = this.#name();
    const sum = this.#name();
    this.#graph.node(`${microsoft}:SkipSimplifiedLayerNormalization`, [residual, update, this.#weight(weight)], [normed, '', '', sum], { epsilon });
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

  /** rows [T, in] times a weight as Hugging Face stores it, [out, in]. */
  #project(rows: string, weight: string): string {
    return this.#node(`${microsoft}:FusedMatMul`, [rows, this.#weight(weight)], { transB: { int: 1 } });
  }

  /** cos and sin of position times frequency, [S, headDim / 2], in fp32 as Qwen3RotaryEmbedding computes them. */
  #rotaryTables(): [string, string] {
    const { headDim, ropeTheta, ropeScale } = this.#config;
    const frequencies = Float32Array.from({ length: headDim / 2 }, (_, i) => 1 / Math.fround(ropeTheta ** Math.fround((2 * i) / headDim)) / ropeScale);
    const scalar = (name: string, value: number) => this.#graph.constant(name, Int32Array.of(value), []);
    const total = this.#node('Reshape', ['total_sequence_length', this.#graph.constant('shape_scalar', new BigInt64Array(0), [0])]);
    const positions = this.#node('Range', [scalar('zero', 0), total, scalar('one', 1)]);
    const column = this.#node('Reshape', [this.#node('Cast', [positions], toFloat), this.#shape(-1, 1)]);
    const angles = this.#node('Mul', [column, this.#graph.constant('rope_frequencies', frequencies, [1, headDim / 2])]);
    return [this.#node('Cos', [angles]), this.#node('Sin', [angles])];
  }

  /** The row of the head that gives the score, [1, hidden]: never the projection to the whole vocabulary. */
  #scoringRow(): string {
    const { head } = this.#checkpoint;
    if (head.kind === 'classifier') return this.#weight('score.weight');
    const matrix = this.#config.tiedEmbeddings ? this.#embedding() : this.#tensor('lm_head.weight');
    const row = (token: number) => {
      const bytes = matrix.length / this.#config.vocabularySize;
      const name = `${matrix.name}[${token}]`;
      return this.#float({ ...matrix, name, shape: [1, this.#config.hiddenSize], offset: matrix.offset + token * bytes, length: bytes });
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

  /** A weight in fp32. Stored in 16 bits it is widened when it is used, so that the mapped file stays the only copy. */
  #weight(name: string): string {
    return this.#float(this.#tensor(name));
  }

  #float(tensor: TensorRef): string {
    const stored = this.#stored(tensor);
    if (tensor.dtype === 'F32') return stored;
    const widened = this.#name();
    this.#graph.weightNode('Cast', [stored], [widened], toFloat);
    return widened;
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
