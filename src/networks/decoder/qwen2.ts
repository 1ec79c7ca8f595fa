import { headDimOf, type DecoderArchitecture } from './config.js';

/** transformers' models/qwen2: biases on queries, keys and values, whatever config.json says. */
export const qwen2: DecoderArchitecture = {
  name: 'Qwen2',
  defaultKeyValueHeads: 32,
  read(config) {
    config.only('use_sliding_window', false);
    return {
      headDim: headDimOf(config),
      headNorms: false,
      biases: ['self_attn.q', 'self_attn.k', 'self_attn.v'],
      maxPositions: config.positiveInteger('max_position_embeddings'),
    };
  },
};
