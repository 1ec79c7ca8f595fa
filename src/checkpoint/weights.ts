import { readdir } from 'node:fs/promises';
import { join, normalize } from 'node:path';
import { ZrankError } from '../error.js';
import { isObject, readJsonIfPresent } from '../json.js';
import { readSafetensorsHeader, type TensorRef } from './safetensors.js';

export type Weights = ReadonlyMap<string, TensorRef>;

/**
 * The tensors of a folder: model.safetensors, else the shards that model.safetensors.index.json names (transformers'
 * modeling_utils.py, _get_resolved_checkpoint_files). Throws SHARD_MISSING, TENSOR_MISSING and the codes of a malformed
 * safetensors file.
 */
export async function readWeights(folder: string): Promise<Weights> {
  const names = await readdir(folder).catch((cause: unknown) => {
    throw new ZrankError('FILE_NOT_FOUND', `${folder} is no folder of weights`, { cause });
  });
  const indexPath = join(folder, 'model.safetensors.index.json');
  if (names.includes('model.safetensors')) {
    const tensors = await readSafetensorsHeader(join(folder, 'model.safetensors'));
    return new Map(tensors.map((tensor) => [tensor.name, tensor]));
  }
  const index = await readJsonIfPresent(indexPath);
  if (index === undefined) throw new ZrankError('SHARD_MISSING', absence(folder, names));

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

/** Kinds of weights that zrank does not read, and what makes those that it does. */
const otherWeights: readonly (readonly [pattern: RegExp, advice: string])[] = [
  [/^adapter_model\./, 'an adapter is merged into its base model by PEFT: merge_and_unload(), then save_pretrained()'],
  [
    /\.(bin|pt|pth)$/,
    "transformers writes PyTorch's files anew as safetensors: from_pretrained(), then save_pretrained()",
  ],
  [/\.gguf$/, 'a GGUF is made from a folder of safetensors: take that one'],
];

function absence(folder: string, names: readonly string[]): string {
  const missing = `${join(folder, 'model.safetensors')} is missing`;
  for (const [pattern, advice] of otherWeights) {
    const other = names.find((name) => pattern.test(name));
    if (other !== undefined) return `${missing}; there is ${other}, which zrank does not read: ${advice}`;
  }
  return missing;
}
