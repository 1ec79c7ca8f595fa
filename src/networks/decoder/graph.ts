import type { Checkpoint } from './checkpoint.js';
import type { TensorRef } from '../../checkpoint/safetensors.js';
import { Attention } from '../../graph/attention.js';
import { dataType, type DataType } from '../../graph/onnx.js';
import { microsoft, Operators, own, type GraphOptions, type RowCount } from '../../graph/operators.js';

export type { GraphOptions } from '../../graph/operators.js';

/** A graph and where its weights lie. */
export interface Graph {
  /** A serialized ONNX model whose weights are external data. */
  model: Uint8Array;
  /** The folder that the external data's locations are relative to: the nearest one that holds all weight files. */
  weightFolder: string;
  /** Paths of the files that hold the weights. */
  weightFiles: string[];
  /** Whether ONNX Runtime must copy weights into a layout of its own to multiply in int8. */
  prepack: boolean;
}

/**
 * Qwen3's residual stream and SwiGLU product can pass 65,504, the largest fp16. In fp16 both are held this much smaller:
 * RMSNorm makes that the same function, and a power of two makes it exact but for subnormals.
 */
const fp16Scale = 2 ** -5;

/**
 * Writes a Qwen3 reranker as an ONNX graph over packed tokens (docs/architecture.md): norms, projections and the MLP see
 * the T unique tokens of a batch, attention alone sees complete sequences. The network is that of
 * transformers' models/qwen3/modeling_qwen3.py; its initializers point into the checkpoint's safetensors.
 *
 * Inputs, in int32 (native/core/pack.h): input_ids [T], expand [B, S], compact [T], last [B], last_flat [B], seqlens_k [B],
 * total_sequence_length [1], or those of PagedBatch for PagedAttention. Output: logits [B, 1] in fp32.
 */
export function writeQwen3Graph(
  checkpoint: Checkpoint,
  options: GraphOptions = { compute: 'fp32', attention: 'grouped' },
): Graph {
  return new Qwen3Writer(checkpoint, options).write();
}

class Qwen3Writer {
  readonly #checkpoint: Checkpoint;
  readonly #ops: Operators;
  /** The residual stream is held this many times its value. */
  readonly #scale: number;

  constructor(checkpoint: Checkpoint, options: GraphOptions) {
    this.#checkpoint = checkpoint;
    this.#ops = new Operators(checkpoint, options);
    this.#scale = options.compute === 'fp16' ? fp16Scale : 1;
  }

  write(): Graph {
    const { int32, float } = dataType;
    const ops = this.#ops;
    ops.graph.input('input_ids', int32, ['T']);
    ops.graph.input('last', int32, ['B']);

    const attention = new Attention(ops);
    let residual = ops.rowsOf(this.#embedding(), 'input_ids');
    if (this.#scale !== 1) residual = ops.node('Mul', [residual, ops.scalar('embedding_scale', this.#scale)]);
    let update: string | undefined;
    for (let layer = 0; layer < ops.config.layers; layer++)
      [residual, update] = this.#layer(layer, residual, update, attention);
    const last = [residual, update!].map((rows) => ops.cast(rows, ops.compute, float));
    const [hidden] = this.#norm(last[0]!, last[1], 'model.norm.weight', float);
    ops.graph.node('Gemm', [hidden, this.#scoringRow()], ['logits'], { transB: { int: 1 } });
    ops.graph.output('logits', float, ['B', 1]);
    const { weightFolder, weightFiles, prepack } = ops;
    return {
      model: ops.graph.finish('zrank', { '': 21, [microsoft]: 1, [own]: 1 }),
      weightFolder,
      weightFiles,
      prepack,
    };
  }

  /** One decoder layer. `update` is the last layer's MLP output, added to the residual by the norm that follows. */
  #layer(layer: number, residual: string, update: string | undefined, attention: Attention): [string, string] {
    const ops = this.#ops;
    const prefix = `model.layers.${layer}.`;
    let hidden: string;
    [hidden, residual] = this.#norm(residual, update, `${prefix}input_layernorm.weight`);
    // Behind the last layer's attention only the last token of each sequence matters.
    const isLast = layer === ops.config.layers - 1;
    const rowCount = isLast ? 'B' : 'T';
    const attended = attention.layer(`${prefix}self_attn.`, hidden, isLast ? 'last_flat' : 'compact');
    if (isLast) residual = ops.gather(residual, 'last');

    const [output] = ops.project(attended, rowCount, [`${prefix}self_attn.o_proj.weight`], this.#scale);
    [hidden, residual] = this.#norm(residual, output, `${prefix}post_attention_layernorm.weight`);
    [update] = ops.project(this.#gatedUnits(hidden, rowCount, `${prefix}mlp.`), rowCount, [
      `${prefix}mlp.down_proj.weight`,
    ]);
    return [residual, update!];
  }

  /** silu(gate) * up, [T or B, intermediate]. */
  #gatedUnits(hidden: string, rowCount: RowCount, prefix: string): string {
    const ops = this.#ops;
    const names = [`${prefix}gate_proj.weight`, `${prefix}up_proj.weight`] as const;
    const { kernels } = ops.options;
    if (kernels !== undefined) {
      const weights = names.flatMap((name) => ops.factor(name));
      const units = ops.product(names[0], rowCount);
      ops.graph.node(`${own}:GatedMatMul`, [hidden, ...weights], [units], { arithmetic: { string: kernels } });
      return units;
    }
    const [gate] = ops.project(hidden, rowCount, [names[0]]);
    const [up] = ops.project(hidden, rowCount, [names[1]], this.#scale);
    // QuickGelu with alpha 1 is x sigmoid(x), SiLU.
    return ops.node('Mul', [ops.node(`${microsoft}:QuickGelu`, [gate!], { alpha: { float: 1 } }), up!]);
  }

  /** RMSNorm of residual + update. Returns the normed rows and the sum. */
  #norm(
    residual: string,
    update: string | undefined,
    weight: string,
    type: DataType = this.#ops.compute,
  ): [string, string] {
    const ops = this.#ops;
    // RMSNorm of s x with epsilon s^2 is RMSNorm of x with epsilon.
    const epsilon = ops.config.rmsNormEpsilon * this.#scale ** 2;
    if (update === undefined) return [ops.rmsNorm(residual, ops.weight(weight, type), epsilon), residual];
    const normed = ops.name();
    const sum = ops.name();
    ops.graph.node(
      `${microsoft}:SkipSimplifiedLayerNormalization`,
      [residual, update, ops.weight(weight, type)],
      [normed, '', '', sum],
      { epsilon: { float: epsilon } },
    );
    return [normed, sum];
  }

  /** The row of the head that gives the score, [1, hidden] in fp32: never the projection to the whole vocabulary. */
  #scoringRow(): string {
    const ops = this.#ops;
    const { head } = this.#checkpoint;
    if (head.kind === 'classifier') return ops.weight('score.weight', dataType.float);
    const matrix = ops.config.tiedEmbeddings ? this.#embedding() : ops.tensor('lm_head.weight');
    const row = (token: number) => {
      const bytes = matrix.length / ops.config.vocabularySize;
      const name = `${matrix.name}[${token}]`;
      const part = {
        ...matrix,
        name,
        shape: [1, ops.config.hiddenSize],
        offset: matrix.offset + token * bytes,
        length: bytes,
      };
      return ops.weight(part, dataType.float);
    };
    if (head.kind === 'token') return row(head.trueTokenId);
    const difference = ops.name();
    ops.graph.weightNode('Sub', [row(head.trueTokenId), row(head.falseTokenId)], [difference]);
    return difference;
  }

  #embedding(): TensorRef {
    return this.#ops.tensor('model.embed_tokens.weight');
  }
}
