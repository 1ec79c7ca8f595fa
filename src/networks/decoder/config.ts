import type { ConfigReader } from '../../checkpoint/config-reader.js';
import type { AttentionConfig } from '../../graph/attention.js';
import type { Rope } from '../../graph/rotary.js';

/** A decoder whose layers are causal attention and a gated MLP, each behind an RMSNorm. */
export interface DecoderConfig extends AttentionConfig {
  /** Of config.json, such as Qwen3ForCausalLM. */
  architecture: string;
  /** Whether a row of its own gives the score; else it is read from the vocabulary's head. */
  isClassifier: boolean;
  layers: number;
  hiddenSize: number;
  intermediateSize: number;
  vocabularySize: number;
  maxPositions: number;
  /** Whether each head of queries and keys has an RMSNorm. */
  headNorms: boolean;
  /** Projections that add a bias. */
  biases: readonly ProjectionName[];
  tiedEmbeddings: boolean;
  /** A classifier reads its score at the last token that is not this one. */
  padTokenId: number | undefined;
}

/** The projections of a layer by their names in checkpoints, without `_proj`. */
export const attentionProjections = ['self_attn.q', 'self_attn.k', 'self_attn.v', 'self_attn.o'] as const;
export const mlpProjections = ['mlp.gate', 'mlp.up', 'mlp.down'] as const;
export type ProjectionName = (typeof attentionProjections | typeof mlpProjections)[number];

/** What sets a decoder apart from the others. */
export interface DecoderArchitecture {
  /** Its architectures in config.json are `${name}ForCausalLM` and `${name}ForSequenceClassification`. */
  name: string;
  /** What a missing num_key_value_heads stands for, where it is not the number of query heads. */
  defaultKeyValueHeads?: number;
  /** Throws ARCHITECTURE_UNSUPPORTED where config.json asks for what the graph does not compute. */
  read(config: ConfigReader): Pick<DecoderConfig, 'headDim' | 'headNorms' | 'biases' | 'maxPositions'>;
}

/** head_dim, or the hidden size shared out evenly. */
export function headDimOf(config: ConfigReader): number {
  const hiddenSize = config.positiveInteger('hidden_size');
  const heads = config.positiveInteger('num_attention_heads');
  return config.positiveInteger('head_dim', hiddenSize / heads);
}

/** transformers 4 writes rope_theta and rope_scaling, transformers 5 both in rope_parameters. */
export function readRope(config: ConfigReader): Rope {
  const rope = config.object(config.get('rope_scaling') === undefined ? 'rope_parameters' : 'rope_scaling');
  const type = rope.get('rope_type') ?? rope.get('type') ?? 'default';
  const theta = rope.positiveNumber('rope_theta', config.positiveNumber('rope_theta', 10_000));
  rope.only('partial_rotary_factor', 1);
  switch (type) {
    case 'default':
      return { type: 'default', theta };
    case 'linear':
      return { type: 'linear', theta, factor: rope.positiveNumber('factor') };
    case 'llama3':
      return {
        type: 'llama3',
        theta,
        factor: rope.positiveNumber('factor'),
        lowFrequencyFactor: rope.positiveNumber('low_freq_factor'),
        highFrequencyFactor: rope.positiveNumber('high_freq_factor'),
        originalPositions: rope.positiveInteger('original_max_position_embeddings'),
      };
    default:
      throw config.unsupported(
        `rope type ${JSON.stringify(type)} is not supported, only "default", "linear" and "llama3"`,
      );
  }
}
