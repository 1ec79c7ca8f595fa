import { join } from 'node:path';
import type { ConfigReader } from '../../checkpoint/config-reader.js';
import type { TensorRef } from '../../checkpoint/safetensors.js';
import { readWeights } from '../../checkpoint/weights.js';
import { ZrankError } from '../../error.js';

/** Functions of torch.nn that may follow a Dense module. */
export const activations = {
  Identity: (x: number) => x,
  ReLU: (x: number) => Math.max(x, 0),
  Sigmoid: (x: number) => 1 / (1 + Math.exp(-x)),
  Tanh: Math.tanh,
};
export type Activation = keyof typeof activations;

/** A linear layer behind the pooling (sentence_transformers/base/modules/dense.py): activation(weight · x + bias). */
export interface DenseModule {
  /** [outputs, inputs] */
  weight: TensorRef;
  /** [outputs] */
  bias: TensorRef | undefined;
  activation: Activation;
}

/**
 * Reads a Dense module's folder. Throws ARCHITECTURE_UNSUPPORTED for another activation, and the codes of its weights.
 */
export async function readDense(folder: string, config: ConfigReader): Promise<DenseModule> {
  const weights = await readWeights(folder);
  const weight = weights.get('linear.weight');
  if (weight === undefined) throw new ZrankError('TENSOR_MISSING', `${folder} has no tensor linear.weight`);
  const bias = weights.get('linear.bias');
  const [outputs, inputs] = weight.shape;
  if (weight.shape.length !== 2 || !outputs || !inputs || (bias && `${bias.shape}` !== `${outputs}`)) {
    throw new ZrankError(
      'TENSOR_SHAPE_MISMATCH',
      `${join(folder, 'model.safetensors')}: expected linear.weight [outputs, inputs] and linear.bias [outputs] ` +
        `but received [${weight.shape}] and [${bias?.shape ?? 'none'}]`,
    );
  }
  return { weight, bias, activation: activationOf(config) };
}

function activationOf(config: ConfigReader): Activation {
  const name = config.get('activation_function') ?? 'torch.nn.modules.activation.Tanh';
  const [, known] = /^torch\.nn\.(?:modules\.\w+\.)?(\w+)$/.exec(String(name)) ?? [];
  if (known !== undefined && Object.hasOwn(activations, known)) return known as Activation;
  throw config.unsupported(
    `activation_function = ${JSON.stringify(name)} is not supported, ` +
      `only ${Object.keys(activations).join(', ')} of torch.nn`,
  );
}
