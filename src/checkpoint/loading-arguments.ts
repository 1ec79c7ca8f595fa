import type { ConfigReader } from './config-reader.js';

/** Arguments of from_pretrained() that say where and how a network is computed, not what. */
export const harmlessArguments: readonly string[] = [
  'add_pooling_layer',
  'attn_implementation',
  'cache_dir',
  'code_revision',
  'device_map',
  'dtype',
  'local_files_only',
  'low_cpu_mem_usage',
  'padding_side',
  'revision',
  'token',
  'torch_dtype',
  'trust_remote_code',
  'unpad_inputs',
  'use_cache',
  'use_fast',
  'use_memory_efficient_attention',
];

/** Where sentence_bert_config.json holds such arguments: names of sentence-transformers before 5.4, and since. */
const argumentKeys = [
  'config_args',
  'config_kwargs',
  'model_args',
  'model_kwargs',
  'processor_kwargs',
  'tokenizer_args',
] as const;

/** Throws ARCHITECTURE_UNSUPPORTED for arguments of sentence_bert_config.json that may change what is computed. */
export function refuseArguments(transformer: ConfigReader): void {
  for (const name of argumentKeys) {
    const [other] = transformer.object(name).unread(harmlessArguments);
    if (other !== undefined) throw transformer.unsupported(`${other} in ${name} is not supported`);
  }
}
