import { join, normalize } from 'node:path';
import { ZrankError } from '../error.js';
import type { Qwen3Config } from '../networks/decoder/config.js';
import { isObject, readJsonIfPresent } from '../json.js';
import { readSafetensorsHeader, type TensorRef } from './safetensors.js';

export type Weights = ReadonlyMap<string, TensorRef>;

/**
 * The tensors of a folder: model.safetensors.index.json and its shards, else model.safetensors.
 * Throws SHARD_MISSING, TENSOR_MISSING and the codes of a malformed safetensors file.
 */
export async function readWeights(folder: string): Promise<Weights> {
  const indexPath = join(folder, 'model.safetensors.index.json');
  const index = await readJsonIfPresent(indexPath);
  if (index === undefined)
    return new Map(
      (await readSafetensorsHeader(join(folder, 'model.safetensors'))).map((tensor) => [tensor.name, tensor]),
    );

  const weightMap = index['weight_map'];
  if (!isObject(weightMap)) throw new ZrankError('CONFIG_INVALID', `${indexPath} has no weight_map`);
  const shards = [...new Set(Object.values(weightMap))];
  const tensors = new Map<string, TensorRef>();
  for (const shard of shards) {
    if (typeof shard !== 'string' || normalize(shard).startsWith('..')) {
      throw new ZrankError(
        'CONFIG_INVALID',
        `${indexPath} names the shard ${JSON.stringify(shard)}, which is no file of this folder`,
      );
    }
    for (const tensor of await readSafetensorsHeader(join(folder, shard))) {
      if (weightMap[tensor.name] === shard) tensors.set(tensor.name, tensor);
    }
  }
  for (const [name, shard] of Object.entries(weightMap)) {
    if (!tensors.has(name))
      throw new ZrankError('TENSOR_MISSING', `${indexPath} places ${name} in ${shard}, which does not hold it`);
  }
  return tensors;
}

/** Name and shape of every tensor that a Qwen3 checkpoint must have. */
export function* expectedTensors(config: Qwen3Config): Generator<[name: string, shape: number[]]> {
  const { hiddenSize, intermediateSize, headDim } = config;
  const queries = config.heads * headDim;
  const keys = config.keyValueHeads * headDim;
  yield ['model.embed_tokens.weight', [config.vocabularySize, hiddenSize]];
  for (let layer = 0; layer < config.layers; layer++) {
    const prefix = `model.layers.${layer}.`;
    yield [`${prefix}input_layernorm.weight`, [hiddenSize]];
    yield [`${prefix}self_attn.q_proj.weight`, [queries, hiddenSize]];
    yield [`${prefix}self_attn.k_proj.weight`, [keys, hiddenSize]];
    yield [`${prefix}self_attn.v_proj.weight`, [keys, hiddenSize]];
    yield [`${prefix}self_attn.q_norm.weight`, [headDim]];
    yield [`${prefix}self_attn.k_norm.weight`, [headDim]];
    yield [`${prefix}self_attn.o_proj.weight`, [hiddenSize, queries]];
    yield [`${prefix}post_attention_layernorm.weight`, [hiddenSize]];
    yield [`${prefix}mlp.gate_proj.weight`, [intermediateSize, hiddenSize]];
    yield [`${prefix}mlp.up_proj.weight`, [intermediateSize, hiddenSize]];
    yield [`${prefix}mlp.down_proj.weight`, [hiddenSize, intermediateSize]];
  }
  yield ['model.norm.weight', [hiddenSize]];
  if (config.architecture === 'Qwen3ForSequenceClassification') {
    yield ['score.weight', [1, hiddenSize]];
  } else if (!config.tiedEmbeddings) {
    yield ['lm_head.weight', [config.vocabularySize, hiddenSize]];
  }
}

/** Compares the tensors with the config before anything runs: TENSOR_MISSING, TENSOR_SHAPE_MISMATCH, TENSOR_DTYPE_UNSUPPORTED. */
export function checkWeights(config: Qwen3Config, weights: Weights): void {
  for (const [name, shape] of expectedTensors(config)) {
    const tensor = weights.get(name);
    if (tensor === undefined) throw new ZrankError('TENSOR_MISSING', `the checkpoint has no tensor ${name}`);
    if (tensor.shape.length !== shape.length || tensor.shape.some((dim, i) => dim !== shape[i])) {
      throw new ZrankError(
        'TENSOR_SHAPE_MISMATCH',
        `${tensor.path}: ${name} has the shape [${tensor.shape}], config.json asks for [${shape}]`,
        {
          expected: `[${shape}]`,
          received: `[${tensor.shape}]`,
        },
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
