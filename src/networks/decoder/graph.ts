import type { TensorRef } from '../../checkpoint/safetensors.js';
import { Attention } from '../../graph/attention.js';
import { dataType, type DataType } from '../../graph/onnx.js';
import { microsoft, Operators, own, type GraphForm, type Projection, type RowCount } from '../../graph/operators.js';
import type { DecoderConfig, ProjectionName } from './config.js';
import type { Decoder } from './decoder.js';
import { biasOf, layerPrefix, weightOf } from './tensors.js';

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
 * A decoder's residual stream and SwiGLU product can pass 65,504, the largest fp16. In fp16 both are held this much
 * smaller: RMSNorm makes that the same function, and a power of two makes it exact but for subnormals.
 */
const fp16Scale = 2 ** -5;

/**
 * Writes a decoder as an ONNX graph over packed tokens (docs/architecture.md): norms, projections and the MLP see the T
 * unique tokens of a batch, attention alone sees complete sequences. The networks are those of transformers'
 * models/{llama,mistral,qwen2,qwen3}; the initializers point into the checkpoint's safetensors.
 *
 * Inputs, in int32 (native/core/pack.h): input_ids [T], expand [B, S], compact [T], last [B], last_flat [B], seqlens_k
 * [B], total_sequence_length [1], or those of PagedBatch for PagedAttention and of TiledBatch (native/core/tiles.h) for
 * our own on CUDA. Output: logits [B, 1] in fp32.
 */
export function writeGraph(decoder: Decoder, form: GraphForm = { compute: 'fp32', attention: 'grouped' }): Graph {
  return new DecoderWriter(decoder, form).write();
}

class DecoderWriter {
  readonly #decoder: Decoder;
  readonly #config: DecoderConfig;
  readonly #ops: Operators;
  /** The residual stream is held this many times its value. */
  readonly #scale: number;

  constructor(decoder: Decoder, form: GraphForm) {
    this.#decoder = decoder;
    this.#config = decoder.config;
    this.#ops = new Operators(decoder.weights, form);
    this.#scale = form.compute === 'fp16' ? fp16Scale : 1;
  }

  write(): Graph {
    const { int32, float } = dataType;
    const ops = this.#ops;
    ops.graph.input('input_ids', int32, ['T']);
    ops.graph.input('last', int32, ['B']);

    const attention = new Attention(ops, this.#config);
    let residual = ops.rowsOf(this.#embedding(), 'input_ids');
    if (this.#scale !== 1) residual = ops.node('Mul', [residual, ops.scalar('embedding_scale', this.#scale)]);
    let update: string | undefined;
    for (let layer = 0; layer < this.#config.layers; layer++) {
      [residual, update] = this.#layer(layer, residual, update, attention);
    }
    const last = [residual, update!].map((rows) => ops.cast(rows, ops.compute, float));
    const [hidden] = this.#norm(last[0]!, last[1], 'model.norm.weight', float);
    ops.graph.node('Gemm', [hidden, this.#scoringRow()], ['logits'], { transB: { int: 1 } });
    ops.graph.output('logits', float, ['B', 1]);
    const { weightFolder, weightFiles, prepack } = ops;
    const model = ops.graph.finish('zrank', { '': 21, [microsoft]: 1, [own]: 1 });
    return { model, weightFolder, weightFiles, prepack };
  }

  /** One decoder layer. `update` is the last layer's MLP output, added to the residual by the norm that follows. */
  #layer(
    layer: number,
    residual: string,
    update: string | undefined,
    attention: Attention,
  ): [residual: string, update: string] {
    const ops = this.#ops;
    const prefix = layerPrefix(layer);
    const projection = (name: ProjectionName): Projection => {
      const bias = biasOf(this.#config, name);
      return { weight: prefix + weightOf(name), bias: bias && prefix + bias };
    };
    // Behind the last layer's attention only the last token of each sequence matters.
    const isLast = layer === this.#config.layers - 1;
    const rowCount = isLast ? 'B' : 'T';

    let [hidden, sum] = this.#norm(residual, update, `${prefix}input_layernorm.weight`);
    const attended = attention.layer(
      {
        projections: [projection('self_attn.q'), projection('self_attn.k'), projection('self_attn.v')],
        norms: this.#config.headNorms
          ? [`${prefix}self_attn.q_norm.weight`, `${prefix}self_attn.k_norm.weight`]
          : undefined,
      },
      hidden,
      isLast ? 'last' : 'all',
    );
    if (isLast) sum = ops.gather(sum, 'last');

    const [output] = ops.project(attended, rowCount, [projection('self_attn.o')], this.#scale);
    [hidden, sum] = this.#norm(sum, output, `${prefix}post_attention_layernorm.weight`);
    const units = this.#gatedUnits(hidden, rowCount, projection('mlp.gate'), projection('mlp.up'));
    const [down] = ops.project(units, rowCount, [projection('mlp.down')]);
    return [sum, down!];
  }

  /** silu(gate) * up, [T or B, intermediate]. */
  #gatedUnits(hidden: string, rowCount: RowCount, gate: Projection, up: Projection): string {
    const ops = this.#ops;
    const { kernels } = ops.form;
    if (kernels !== undefined && gate.bias === undefined) {
      const units = ops.product(gate.weight, rowCount);
      const inputs = [hidden, ...ops.factor(gate.weight), ...ops.factor(up.weight)];
      ops.graph.node(`${own}:GatedMatMul`, inputs, [units], { arithmetic: { string: kernels } });
      return units;
    }
    if (ops.form.fusesGatedUnits) {
      const units = ops.product(gate.weight, rowCount);
      const factors = ops.projectTogether(hidden, rowCount, [gate, up], this.#scale);
      const matrices = factors.map(({ matrix }) => matrix);
      ops.graph.node(`${own}:GatedUnits`, matrices, [units], {
        columns: { int: this.#config.intermediateSize },
        first: { ints: factors.map(({ first }) => first) },
        scale: { float: 1 / this.#scale },
      });
      return units;
    }
    const [gated] = ops.project(hidden, rowCount, [gate]);
    const [factor] = ops.project(hidden, rowCount, [up], this.#scale);
    // QuickGelu with alpha 1 is x sigmoid(x), SiLU.
    return ops.node('Mul', [ops.node(`${microsoft}:QuickGelu`, [gated!], { alpha: { float: 1 } }), factor!]);
  }

  /** RMSNorm of residual + update. Returns the normed rows and the sum. */
  #norm(
    residual: string,
    update: string | undefined,
    weight: string,
    type: DataType = this.#ops.compute,
  ): [normed: string, sum: string] {
    const ops = this.#ops;
    // RMSNorm of s x with epsilon s^2 is RMSNorm of x with epsilon.
    const epsilon = this.#config.rmsNormEpsilon * this.#scale ** 2;
    if (update === undefined) return [ops.rmsNorm(residual, ops.weight(weight, type), epsilon), residual];
    const normed = ops.name();
    const sum = ops.name();
    const inputs = [residual, update, ops.weight(weight, type)];
    const outputs = [normed, '', '', sum];
    const attributes = { epsilon: { float: epsilon } };
    ops.graph.node(`${microsoft}:SkipSimplifiedLayerNormalization`, inputs, outputs, attributes);
    return [normed, sum];
  }

  /** The row of the head that gives the score, [1, hidden] in fp32: never the projection to the whole vocabulary. */
  #scoringRow(): string {
    const ops = this.#ops;
    const { head, config } = this.#decoder;
    if (head.kind === 'classifier') return ops.weight('score.weight', dataType.float);
    const matrix = config.tiedEmbeddings ? this.#embedding() : ops.tensor('lm_head.weight');
    const row = (token: number) => {
      const length = matrix.length / config.vocabularySize;
      const part = { name: `${matrix.name}[${token}]`, shape: [1, config.hiddenSize], length };
      return ops.weight({ ...matrix, ...part, offset: matrix.offset + token * length }, dataType.float);
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
