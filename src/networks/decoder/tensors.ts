import type { Weights } from '../../checkpoint/weights.js';
import { ZrankError } from '../../error.js';
import { attentionProjections, mlpProjections, type DecoderConfig, type ProjectionName } from './config.js';

/** What all tensors of a layer begin with. */
export const layerPrefix = (layer: number): string => `model.layers.${layer}.`;

export const weightOf = (projection: ProjectionName): string => `${projection}_proj.weight`;

/** The name of a projection's bias; undefined where the network has none. */
export function biasOf({ biases }: DecoderConfig, projection: ProjectionName): string | undefined {
  return biases.includes(projection) ? `${projection}_proj.bias` : undefined;
}

/** Names of the weights of all layers' projections: nearly all of a network's parameters and work. */
export function* projectionWeights({ layers }: DecoderConfig): Generator<string> {
  for (let layer = 0; layer < layers; layer++) {
    for (const projection of [...attentionProjections, ...mlpProjections]) {
      yield layerPrefix(layer) + weightOf(projection);
    }
  }
}

/** Name and shape of every tensor that a checkpoint of this network must have. */
export function* expectedTensors(config: DecoderConfig): Generator<[name: string, shape: number[]]> {
  const { hiddenSize, intermediateSize, headDim, vocabularySize } = config;
  const queries = config.heads * headDim;
  const keys = config.keyValueHeads * headDim;
  const sizes: Record<ProjectionName, [columns: number, depth: number]> = {
    'self_attn.q': [queries, hiddenSize],
    'self_attn.k': [keys, hiddenSize],
    'self_attn.v': [keys, hiddenSize],
    'self_attn.o': [hiddenSize, queries],
    'mlp.gate': [intermediateSize, hiddenSize],
    'mlp.up': [intermediateSize, hiddenSize],
    'mlp.down': [hiddenSize, intermediateSize],
  };
  function* projections(prefix: string, names: readonly ProjectionName[]): Generator<[name: string, shape: number[]]> {
    for (const name of names) {
      yield [prefix + weightOf(name), sizes[name]];
      const bias = biasOf(config, name);
      if (bias !== undefined) yield [prefix + bias, [sizes[name][0]]];
    }
  }
  yield ['model.embed_tokens.weight', [vocabularySize, hiddenSize]];
  for (let layer = 0; layer < config.layers; layer++) {
    const prefix = layerPrefix(layer);
    yield [`${prefix}input_layernorm.weight`, [hiddenSize]];
    yield* projections(prefix, ['self_attn.q', 'self_attn.k', 'self_attn.v']);
    if (config.headNorms) {
      yield [`${prefix}self_attn.q_norm.weight`, [headDim]];
      yield [`${prefix}self_attn.k_norm.weight`, [headDim]];
    }
    yield* projections(prefix, ['self_attn.o']);
    yield [`${prefix}post_attention_layernorm.weight`, [hiddenSize]];
    yield* projections(prefix, mlpProjections);
  }
  yield ['model.norm.weight', [hiddenSize]];
  if (config.isClassifier) yield ['score.weight', [1, hiddenSize]];
  else if (!config.tiedEmbeddings) yield ['lm_head.weight', [vocabularySize, hiddenSize]];
}

/** The network's tensors in the order of their use: in a file of that order q, k, v and gate, up lie side by side. */
export function inOrderOfUse(config: DecoderConfig, weights: Weights): Weights {
  return new Map([...expectedTensors(config)].map(([name]) => [name, weights.get(name)!]));
}

/**
 * Compares the tensors with the config before anything runs: TENSOR_MISSING, TENSOR_SHAPE_MISMATCH,
 * TENSOR_DTYPE_UNSUPPORTED.
 */
export function checkTensors(config: DecoderConfig, weights: Weights): void {
  for (const [name, shape] of expectedTensors(config)) {
    const tensor = weights.get(name);
    if (tensor === undefined) throw new ZrankError('TENSOR_MISSING', `the checkpoint has no tensor ${name}`);
    if (tensor.shape.length !== shape.length || tensor.shape.some((dim, i) => dim !== shape[i])) {
      throw new ZrankError(
        'TENSOR_SHAPE_MISMATCH',
        `${tensor.path}: ${name} has the shape [${tensor.shape}], config.json asks for [${shape}]`,
        { expected: `[${shape}]`, received: `[${tensor.shape}]` },
      );
    }
    if (!['F32', 'F16', 'BF16'].includes(tensor.dtype)) {
      throw new ZrankError(
        'TENSOR_DTYPE_UNSUPPORTED',
        `${tensor.path}: ${name} is stored as ${tensor.dtype}; supported are F32, F16 and BF16`,
      );
    }
  }
}
