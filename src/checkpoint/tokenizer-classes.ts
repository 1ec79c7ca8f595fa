import type { JsonObject } from '../json.js';

/** What a class of transformers puts in place of what tokenizer.json says; left out is what it keeps. */
export interface Pipeline {
  normalizer?: JsonObject | null;
  pre_tokenizer: JsonObject;
  post_processor?: JsonObject;
  /** Options of the model. */
  model: JsonObject;
}

export interface TokenizerClass {
  /** Names in tokenizer_class, without `Fast`. */
  names: readonly string[];
  /** Values of model_type in config.json whose tokenizer it is where no class is named. */
  modelTypes: readonly string[];
  /** Special tokens where tokenizer_config.json names none. */
  defaults: Readonly<Record<string, string>>;
  /** `options` are those of tokenizer_config.json; `special` gives a special token with its id. */
  pipeline(options: JsonObject, special: (name: string) => [token: string, id: number], file: JsonObject): Pipeline;
}

const bertTokens = {
  unk_token: '[UNK]',
  sep_token: '[SEP]',
  pad_token: '[PAD]',
  cls_token: '[CLS]',
  mask_token: '[MASK]',
};

const robertaTokens = {
  bos_token: '<s>',
  eos_token: '</s>',
  unk_token: '<unk>',
  sep_token: '</s>',
  pad_token: '<pad>',
  cls_token: '<s>',
  mask_token: '<mask>',
};

const bpe = {
  type: 'BPE',
  unk_token: null,
  continuing_subword_prefix: '',
  end_of_word_suffix: '',
  ignore_merges: false,
};

/** models/bert/tokenization_bert.py */
const bert: TokenizerClass = {
  names: [
    'BertTokenizer',
    'DistilBertTokenizer',
    'ElectraTokenizer',
    'LayoutLMTokenizer',
    'LxmertTokenizer',
    'MobileBertTokenizer',
    'SqueezeBertTokenizer',
  ],
  modelTypes: [
    'bert',
    'convbert',
    'distilbert',
    'electra',
    'ernie',
    'layoutlm',
    'megatron-bert',
    'nezha',
    'nomic_bert',
  ],
  defaults: bertTokens,
  pipeline(options, special) {
    return { ...wordPiece(options, special), post_processor: clsSep(special, 1) };
  },
};

/** models/mpnet/tokenization_mpnet.py */
const mpnet: TokenizerClass = {
  names: ['MPNetTokenizer'],
  modelTypes: ['mpnet'],
  defaults: { ...robertaTokens, unk_token: '[UNK]' },
  pipeline(options, special) {
    return { ...wordPiece(options, special), post_processor: robertaProcessing(special, false) };
  },
};

/** models/roberta/tokenization_roberta.py */
const roberta: TokenizerClass = {
  names: ['RobertaTokenizer', 'BartTokenizer', 'LEDTokenizer', 'LongformerTokenizer'],
  modelTypes: ['data2vec-text', 'ibert', 'longformer', 'mega', 'mra', 'roberta', 'roberta-prelayernorm'],
  defaults: robertaTokens,
  pipeline(options, special) {
    const add_prefix_space = options['add_prefix_space'] === true;
    return {
      normalizer: null,
      pre_tokenizer: { type: 'ByteLevel', add_prefix_space, trim_offsets: true, use_regex: true },
      post_processor: robertaProcessing(special, add_prefix_space),
      model: { ...bpe, fuse_unk: false, byte_fallback: false },
    };
  },
};

/** models/xlm_roberta/tokenization_xlm_roberta.py */
const xlmRoberta: TokenizerClass = {
  names: ['XLMRobertaTokenizer'],
  modelTypes: ['gte', 'jina_embeddings_v3', 'xlm-roberta', 'xmod'],
  defaults: robertaTokens,
  pipeline(options, special, file) {
    const prepend_scheme = options['add_prefix_space'] === false ? 'never' : 'always';
    const [bos, eos] = [special('bos_token'), special('eos_token')];
    return {
      normalizer: precompiled(file['normalizer']),
      pre_tokenizer: sequence({ type: 'WhitespaceSplit' }, metaspace(prepend_scheme, true)),
      post_processor: template([bos, 'A', eos], [bos, 'A', eos, eos, 'B', eos], 0),
      model: { type: 'Unigram', unk_id: 3 },
    };
  },
};

/** models/deberta_v2/tokenization_deberta_v2.py */
const debertaV2: TokenizerClass = {
  names: ['DebertaV2Tokenizer'],
  modelTypes: ['deberta-v2'],
  defaults: { ...bertTokens, bos_token: '[CLS]', eos_token: '[SEP]' },
  pipeline(options, special) {
    const lowercase = options['do_lower_case'] === true ? [{ type: 'Lowercase' }] : [];
    const punctuation = options['split_by_punct'] === true ? [{ type: 'Punctuation', behavior: 'Isolated' }] : [];
    const prepend_scheme = options['add_prefix_space'] === false ? 'first' : 'always';
    return {
      normalizer: {
        type: 'Sequence',
        normalizers: [
          ...lowercase,
          { type: 'Replace', pattern: { Regex: '\\s{2,}|[\\n\\r\\t]' }, content: ' ' },
          { type: 'NFC' },
          { type: 'Strip', strip_left: false, strip_right: true },
        ],
      },
      pre_tokenizer: sequence(...punctuation, metaspace(prepend_scheme, true)),
      post_processor: clsSep(special, 1),
      model: { type: 'Unigram' },
    };
  },
};

const qwen2Pattern =
  "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|" +
  '\\s+(?!\\S)|\\s+';

/** models/qwen2/tokenization_qwen2.py */
const qwen2: TokenizerClass = {
  names: ['Qwen2Tokenizer'],
  modelTypes: ['qwen2', 'qwen3'],
  defaults: { unk_token: '<|endoftext|>', eos_token: '<|endoftext|>', pad_token: '<|endoftext|>' },
  pipeline(options) {
    const add_prefix_space = options['add_prefix_space'] === true;
    return {
      normalizer: { type: 'NFC' },
      pre_tokenizer: sequence(
        { type: 'Split', pattern: { Regex: qwen2Pattern }, behavior: 'Isolated', invert: false },
        { type: 'ByteLevel', add_prefix_space, trim_offsets: true, use_regex: false },
      ),
      model: { ...bpe, fuse_unk: false, byte_fallback: false },
    };
  },
};

/** models/llama/tokenization_llama.py */
const llama: TokenizerClass = {
  names: ['LlamaTokenizer'],
  modelTypes: [],
  defaults: { unk_token: '<unk>', bos_token: '<s>', eos_token: '</s>' },
  pipeline(options) {
    const scheme = options['legacy'] === true ? 'always' : 'first';
    return {
      normalizer: null,
      pre_tokenizer: metaspace(options['add_prefix_space'] === false ? 'never' : scheme, false),
      model: { ...bpe, continuing_subword_prefix: null, end_of_word_suffix: null, fuse_unk: true, byte_fallback: true },
    };
  },
};

export const tokenizerClasses: readonly TokenizerClass[] = [bert, mpnet, roberta, xlmRoberta, debertaV2, qwen2, llama];

type Special = (name: string) => [token: string, id: number];

function wordPiece(options: JsonObject, special: Special): Pipeline {
  return {
    normalizer: {
      type: 'BertNormalizer',
      clean_text: true,
      handle_chinese_chars: options['tokenize_chinese_chars'] !== false,
      strip_accents: options['strip_accents'] ?? null,
      lowercase: options['do_lower_case'] !== false,
    },
    pre_tokenizer: { type: 'BertPreTokenizer' },
    model: {
      type: 'WordPiece',
      unk_token: special('unk_token')[0],
      continuing_subword_prefix: '##',
      max_input_chars_per_word: 100,
    },
  };
}

function clsSep(special: Special, pairType: number): JsonObject {
  const [cls, sep] = [special('cls_token'), special('sep_token')];
  return template([cls, 'A', sep], [cls, 'A', sep, 'B', sep], pairType);
}

function robertaProcessing(special: Special, add_prefix_space: boolean): JsonObject {
  const [sep, cls] = [special('sep_token'), special('cls_token')];
  return { type: 'RobertaProcessing', sep, cls, trim_offsets: true, add_prefix_space };
}

/** `pairType` is the segment of the second text and of what follows it. */
function template(
  single: readonly (string | [string, number])[],
  pair: readonly (string | [string, number])[],
  pairType: number,
): JsonObject {
  const second = pair.indexOf('B');
  const piece = (part: string | [string, number], i: number, isPair: boolean) => {
    const type_id = isPair && i >= second ? pairType : 0;
    return typeof part === 'string' ? { Sequence: { id: part, type_id } } : { SpecialToken: { id: part[0], type_id } };
  };
  const tokens = single.filter((part) => typeof part !== 'string') as [string, number][];
  return {
    type: 'TemplateProcessing',
    single: single.map((part, i) => piece(part, i, false)),
    pair: pair.map((part, i) => piece(part, i, true)),
    special_tokens: Object.fromEntries(tokens.map(([id, tokenId]) => [id, { id, ids: [tokenId], tokens: [id] }])),
  };
}

function sequence(...pretokenizers: JsonObject[]): JsonObject {
  return { type: 'Sequence', pretokenizers };
}

function metaspace(prepend_scheme: string, split: boolean): JsonObject {
  return { type: 'Metaspace', replacement: '▁', prepend_scheme, split };
}

/** The normalizer that SentencePiece compiled, where the file has one. */
function precompiled(normalizer: unknown): JsonObject | null {
  const { normalizers = [normalizer] } = (normalizer ?? {}) as { normalizers?: unknown[] };
  const steps = normalizers as (JsonObject | null)[];
  return steps.find((step) => step?.['type'] === 'Precompiled') ?? null;
}
