import type { ConfigReader } from '../../checkpoint/config-reader.js';
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
export function readDecoderConfig(config: ConfigReader): DecoderConfig {
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
  config.only('use_bidirectional_attention', false);
  checkLayerTypes(config);
  if (config.get('quantization_config') !== undefined) {
    throw config.unsupported('quantization_config is not supported: expected weights in fp32, fp16 or bf16');
  }

  const heads = config.positiveInteger('num_attention_heads');
  const decoder = decoderArchitectures.get(architecture)!;
  const keyValueHeads = config.positiveInteger('num_key_value_heads', decoder.defaultKeyValueHeads ?? heads);
  if (heads % keyValueHeads !== 0) {
    throw config.invalid(`a divisor of the ${heads} query heads`, 'num_key_value_heads', keyValueHeads);
  }
  const own = decoder.read(config);
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

/** transformers 5 lists the attention of each layer. */
function checkLayerTypes(config: ConfigReader): void {
  const types = config.get('layer_types') ?? [];
  const other = Array.isArray(types) ? types.find((type) => type !== 'full_attention') : types;
  if (other !== undefined) {
    throw config.unsupported(`layer_types has ${JSON.stringify(other)}; only "full_attention" is supported`);
  }
}

/** Keys of config.json that say nothing about a score: how the network was trained, saved, or generates text. */
export const harmlessConfigKeys: readonly string[] = [
  '_attn_implementation',
  '_attn_implementation_autoset',
  '_name_or_path',
  'attention_dropout',
  'auto_map',
  'bos_token_id',
  'classifier_dropout',
  'dtype',
  'eos_token_id',
  'finetuning_task',
  'id2label',
  'initializer_range',
  'label2id',
  'max_window_layers',
  'model_type',
  'num_labels',
  'output_attentions',
  'output_hidden_states',
  'pretraining_tp',
  'problem_type',
  'return_dict',
  'sentence_transformers',
  'sliding_window',
  'task_specific_params',
  'torch_dtype',
  'transformers_version',
  'unsloth_fixed',
  'unsloth_version',
  'use_cache',
];
