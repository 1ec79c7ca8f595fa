import type { ConfigReader } from '../../checkpoint/config-reader.js';
import { harmlessArguments } from '../../checkpoint/loading-arguments.js';
import { isObject } from '../../json.js';

/** Its value decides an embedding, and is computed where it is read. */
const computed = 'computed';
/** Its value means nothing to an embedding. */
const harmless = 'harmless';
/** One value is computed; a missing key stands for it, and another is refused by name. */
const only = (value: unknown) => ({ value });

/** No value is computed. */
const refused = 'refused';

type Meaning = typeof computed | typeof harmless | typeof refused | ReturnType<typeof only>;

/** Every key that the files of a bi-encoder can have, of sentence-transformers up to 6.2. */
export const keysOf = {
  'config_sentence_transformers.json': {
    __version__: harmless,
    model_type: only('SentenceTransformer'),
    prompts: computed,
    default_prompt_name: computed,
    similarity_fn_name: computed,
    truncate_dim: computed,
  },
  'sentence_bert_config.json': {
    max_seq_length: computed,
    do_lower_case: computed,
    transformer_task: only('feature-extraction'),
    modality_config: computed,
    module_output_name: only('token_embeddings'),
    // Arguments of from_pretrained(): refuseArguments() tells them apart.
    config_args: computed,
    config_kwargs: computed,
    model_args: computed,
    model_kwargs: computed,
    processor_kwargs: computed,
    tokenizer_args: computed,
    processing_kwargs: refused,
    tokenizer_name_or_path: refused,
    query_length: refused,
    document_length: refused,
    query_expansion: refused,
    unpad_inputs: harmless,
  },
  'Pooling/config.json': {
    // The width is the ONNX file's.
    embedding_dimension: harmless,
    word_embedding_dimension: harmless,
    include_prompt: computed,
    pooling_mode: computed,
    pooling_mode_cls_token: computed,
    pooling_mode_max_tokens: computed,
    pooling_mode_mean_tokens: computed,
    pooling_mode_mean_sqrt_len_tokens: computed,
    pooling_mode_weightedmean_tokens: computed,
    pooling_mode_lasttoken: computed,
  },
  'Dense/config.json': {
    // The tensors say both, and whether there is a bias.
    in_features: harmless,
    out_features: harmless,
    bias: harmless,
    activation_function: computed,
    module_input_name: only('sentence_embedding'),
    module_output_name: only('sentence_embedding'),
    use_residual: only(false),
  },
  'Normalize/config.json': {
    module_input_name: only('sentence_embedding'),
    module_output_name: only('sentence_embedding'),
  },
} satisfies Record<string, Record<string, Meaning>>;

/**
 * Returns the keys that the table does not have: they may mean something to an embedding. Throws
 * ARCHITECTURE_UNSUPPORTED for a value that is not computed.
 */
export function checkKeys(file: keyof typeof keysOf, config: ConfigReader): string[] {
  const table: Record<string, Meaning> = keysOf[file];
  for (const [name, meaning] of Object.entries(table)) {
    if (typeof meaning === 'object') config.only(name, meaning.value);
    if (meaning === refused && !isEmpty(config.get(name))) throw config.unsupported(`${name} is not supported`);
  }
  return config.unread([...Object.keys(table), ...harmlessArguments]);
}

function isEmpty(value: unknown): boolean {
  return value === undefined || (isObject(value) && Object.keys(value).length === 0);
}
