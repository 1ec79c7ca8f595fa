import type { Weights } from '../../checkpoint/weights.js';
import type { DecoderConfig } from './config.js';
import type { ScoringHead } from './scoring-head.js';

/** A decoder that scores prompts: what its graph is written from. */
export interface Decoder {
  config: DecoderConfig;
  head: ScoringHead;
  weights: Weights;
}

/** A network with the attention of this one, small otherwise, whose weights are to be made. */
export function reduced({ config }: Decoder, layers: number, vocabularySize: number): Omit<Decoder, 'weights'> {
  return {
    config: {
      ...config,
      isClassifier: false,
      layers,
      hiddenSize: 64,
      intermediateSize: 64,
      vocabularySize,
      tiedEmbeddings: true,
    },
    head: { kind: 'token', trueTokenId: 1 },
  };
}
