import { attentionProjections, type DecoderArchitecture } from './config.js';

/** transformers' models/qwen3: an RMSNorm on each head of queries and keys. */
export const qwen3: DecoderArchitecture = {
  name: 'Qwen3',
  defaultKeyValueHeads: 32,
  read(config) {
    config.only('use_sliding_window', false);
    return {
      headDim: config.positiveInteger('head_dim', 128),
      headNorms: true,
      biases: config.boolean('attention_bias', false) ? attentionProjections : [],
      maxPositions: config.positiveInteger('max_position_embeddings'),
    };
  },
};
