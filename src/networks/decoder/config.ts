import { ZrankError } from '../../error.js';
import { isObject, type JsonObject } from '../../json.js';

export type Architecture = 'Qwen3ForCausalLM' | 'Qwen3ForSequenceClassification';

/** What config.json says of a Qwen3 network; names as in Hugging Face's Qwen3Config. */
export interface Qwen3Config {
  architecture: Architecture;
  layers: number;
  hiddenSize: number;
  intermediateSize: number;
  heads: number;
  keyValueHeads: number;
  headDim: number;
  vocabularySize: number;
  maxPositions: number;
  rmsNormEpsilon: number;
  ropeTheta: number;
  /** Positions are divided by this (rope type `linear`); 1 otherwise. */
  ropeScale: number;
  tiedEmbeddings: boolean;
  /** A classifier reads its score at the last token that is not this one. */
  padTokenId: number | undefined;
}

/** ONNX Runtime's GroupQueryAttention refuses other head sizes than multiples of this when it rotates them. */
const headDimStep = 16;

/** Reads config.json. Throws ARCHITECTURE_UNSUPPORTED for a network that the graph writer does not know. */
export function parseConfig(config: JsonObject, path: string): Qwen3Config {
  const architecture = supportedArchitecture(config, path);
  const integer = (name: string, fallback?: number): number => {
    const value = config[name] ?? fallback;
    if (typeof value === 'number' && Number.isInteger(value) && value > 0) return value;
    throw new ZrankError(
      'CONFIG_INVALID',
      `${path}: expected a positive integer for ${name} but received ${JSON.stringify(value)}`,
    );
  };
  const number = (name: string, value: unknown): number => {
    if (typeof value === 'number' && value > 0 && Number.isFinite(value)) return value;
    throw new ZrankError(
      'CONFIG_INVALID',
      `${path}: expected a positive number for ${name} but received ${JSON.stringify(value)}`,
    );
  };
  const only = (name: string, supported: unknown): void => {
    const value = config[name] ?? supported;
    if (value !== supported) {
      throw new ZrankError(
        'ARCHITECTURE_UNSUPPORTED',
        `${path}: ${name} = ${JSON.stringify(value)} is not supported, only ${JSON.stringify(supported)}`,
      );
    }
  };
  only('hidden_act', 'silu');
  only('attention_bias', false);
  only('use_sliding_window', false);

  const heads = integer('num_attention_heads');
  const keyValueHeads = integer('num_key_value_heads', heads);
  if (heads % keyValueHeads !== 0) {
    throw new ZrankError(
      'CONFIG_INVALID',
      `${path}: ${heads} query heads cannot share ${keyValueHeads} key/value heads evenly`,
    );
  }
  const headDim = integer('head_dim', 128);
  if (headDim % 2 !== 0)
    throw new ZrankError('CONFIG_INVALID', `${path}: head_dim = ${headDim} is odd, rotary positions need pairs`);
  if (headDim % headDimStep !== 0) {
    throw new ZrankError(
      'ARCHITECTURE_UNSUPPORTED',
      `${path}: head_dim = ${headDim} is not supported, only multiples of ${headDimStep}`,
    );
  }
  const { theta, scale } = rope(config, path, number);
  return {
    architecture,
    layers: integer('num_hidden_layers'),
    hiddenSize: integer('hidden_size'),
    intermediateSize: integer('intermediate_size'),
    heads,
    keyValueHeads,
    headDim,
    vocabularySize: integer('vocab_size'),
    maxPositions: integer('max_position_embeddings'),
    rmsNormEpsilon: number('rms_norm_eps', config['rms_norm_eps'] ?? 1e-6),
    ropeTheta: theta,
    ropeScale: scale,
    tiedEmbeddings: config['tie_word_embeddings'] === true,
    padTokenId: typeof config['pad_token_id'] === 'number' ? config['pad_token_id'] : undefined,
  };
}

function supportedArchitecture(config: JsonObject, path: string): Architecture {
  const names = Array.isArray(config['architectures']) ? config['architectures'] : [];
  for (const name of names) {
    if (name === 'Qwen3ForCausalLM') return name;
    if (name === 'Qwen3ForSequenceClassification') {
      const labels = isObject(config['id2label'])
        ? Object.keys(config['id2label']).length
        : (config['num_labels'] ?? 1);
      if (labels === 1) return name;
      throw new ZrankError(
        'ARCHITECTURE_UNSUPPORTED',
        `${path}: a reranker has one label, this classifier has ${labels}`,
      );
    }
  }
  throw new ZrankError(
    'ARCHITECTURE_UNSUPPORTED',
    `${path}: expected the architecture Qwen3ForCausalLM or Qwen3ForSequenceClassification but received ${JSON.stringify(config['architectures'] ?? null)}`,
  );
}

/** transformers 4 writes rope_theta and rope_scaling, transformers 5 both in rope_parameters. */
function rope(config: JsonObject, path: string, number: (name: string, value: unknown) => number) {
  const parameters = config['rope_parameters'] ?? config['rope_scaling'] ?? {};
  if (!isObject(parameters)) throw new ZrankError('CONFIG_INVALID', `${path}: the rope parameters are not an object`);
  const type = parameters['rope_type'] ?? parameters['type'] ?? 'default';
  if (type !== 'default' && type !== 'linear') {
    throw new ZrankError(
      'ARCHITECTURE_UNSUPPORTED',
      `${path}: rope type ${JSON.stringify(type)} is not supported, only "default" and "linear"`,
    );
  }
  return {
    theta: number('rope_theta', parameters['rope_theta'] ?? config['rope_theta'] ?? 10_000),
    scale: type === 'linear' ? number('the rope factor', parameters['factor']) : 1,
  };
}
