import { attentionProjections, headDimOf, mlpProjections, type DecoderArchitecture } from './config.js';

/** transformers' models/llama: biases where config.json asks for them. */
export const llama: DecoderArchitecture = {
  name: 'Llama',
  read(config) {
    return {
      headDim: headDimOf(config),
      headNorms: false,
      biases: [
        ...(config.boolean('attention_bias', false) ? attentionProjections : []),
        ...(config.boolean('mlp_bias', false) ? mlpProjections : []),
      ],
      maxPositions: config.positiveInteger('max_position_embeddings'),
    };
  },
};
