import { join, normalize } from 'node:path';
import { ZrankError } from '../error.js';
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
