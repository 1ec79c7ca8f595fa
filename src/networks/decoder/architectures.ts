import { ConfigReader } from '../../checkpoint/config-reader.js';
import type { JsonObject } from '../../json.js';
import { readRope, type DecoderArchitecture, type DecoderConfig } from './config.js';
import { llama } from './llama.js';
import { mistral } from './mistral.js';
import { qwen2 } from './qwen2.js';
import { qwen3 } from './qwen3.js';

/** A decoder is a file beside this one and an entry here. */
const decoders: readonly DecoderArchitecture[] = [qwen3, qwen2, llama, mistral];

/** Names in config.json of the decoders that the graph computes, and who reads the rest of it. */
export const decoderArchitectures: ReadonlyMap<string, DecoderArchitecture> = new Map(
  decoders.flatMap((decoder) =>
    ['ForCausalLM', 'ForSequenceClassification'].map((task) => [`${decoder.name}${task}`, decoder] as const),
  ),
);

/** ONNX Runtime's GroupQueryAttention refuses other head sizes than multiples of this when it rotates them. */
const headDimStep = 16;

/**
 * Reads config.json. Throws CONFIG_INVALID, and ARCHITECTURE_UNSUPPORTED for a network that the graph does not compute.
 */
export function readDecoderConfig(json: JsonObject, path: string): DecoderConfig {
  const config = new ConfigReader(json, path);
  const architecture = config.architectures().find((name) => decoderArchitectures.has(name));
  if (architecture === undefined) {
    const received = JSON.stringify(config.get('architectures') ?? null);
    const known = [...decoderArchitectures.keys()].join(', ');
    throw config.unsupported(`expected one of the architectures ${known} but received ${received}`);
  }
  const isClassifier = architecture.endsWith('ForSequenceClassification');
  if (isClassifier) config.checkOneLabel();
  config.only('hidden_act', 'silu');
  config.only('is_causal', true);

  const heads = config.positiveInteger('num_attention_heads');
  const keyValueHeads = config.positiveInteger('num_key_value_heads', heads);
  if (heads % keyValueHeads !== 0) {
    throw config.invalid(`a divisor of the ${heads} query heads`, 'num_key_value_heads', keyValueHeads);
  }
  const own = decoderArchitectures.get(architecture)!.read(config);
  if (own.headDim % 2 !== 0) throw config.invalid('an even number, to be rotated in pairs,', 'head_dim', own.headDim);
  if (own.headDim % headDimStep !== 0) {
    throw config.unsupported(`head_dim = ${own.headDim} is not supported, only multiples of ${headDimStep}`);
  }
  const padTokenId = config.get('pad_token_id');
  return {
    ...own,
    architecture,
    isClassifier,
    layers: config.positiveInteger('num_hidden_layers'),
    hiddenSize: config.positiveInteger('hidden_size'),
    intermediateSize: config.positiveInteger('intermediate_size'),
    heads,
    keyValueHeads,
    vocabularySize: config.positiveInteger('vocab_size'),
    rmsNormEpsilon: config.positiveNumber('rms_norm_eps', 1e-6),
    rope: readRope(config),
    tiedEmbeddings: config.boolean('tie_word_embeddings', false),
    padTokenId: typeof padTokenId === 'number' ? padTokenId : undefined,
  };
}
