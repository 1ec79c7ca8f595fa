import { headDimOf, type DecoderArchitecture } from './config.js';

/** Of MistralConfig, where config.json does not mention sliding_window; null is none. */
const defaultWindow = 4096;

/**
 * transformers' models/mistral: each token attends to a window of the last ones. It changes nothing for prompts that
 * fit it, so it bounds their length here.
 */
export const mistral: DecoderArchitecture = {
  name: 'Mistral',
  defaultKeyValueHeads: 8,
  read(config) {
    const isWindowless = config.has('sliding_window') && config.get('sliding_window') === undefined;
    const window = isWindowless ? Infinity : config.positiveInteger('sliding_window', defaultWindow);
    return {
      headDim: headDimOf(config),
      headNorms: false,
      biases: [],
      maxPositions: Math.min(config.positiveInteger('max_position_embeddings'), window),
    };
  },
};
