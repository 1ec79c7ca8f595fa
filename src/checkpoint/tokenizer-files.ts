import { join } from 'node:path';
import { ZrankError } from '../error.js';
import { isObject, readJsonIfPresent, type JsonObject } from '../json.js';
import { readTokenizer } from './folder.js';
import { tokenizerClasses, type TokenizerClass } from './tokenizer-classes.js';

/** The files beside tokenizer.json that say what its tokens are. */
interface TokenizerFiles {
  /** tokenizer_config.json */
  config: JsonObject;
  /** config.json */
  model: JsonObject;
  /** special_tokens_map.json and added_tokens.json, which count where `config` has no added_tokens_decoder. */
  legacy: { specialTokens: JsonObject; addedTokens: JsonObject };
}

interface AddedToken {
  id: number;
  content: string;
  single_word: boolean;
  lstrip: boolean;
  rstrip: boolean;
  normalized: boolean;
  special: boolean;
}

/**
 * The text of tokenizer.json as transformers 5 completes it (AutoTokenizer.from_pretrained): with the special tokens
 * that the other files name, and with the pipeline that its class of tokenizers brings. Throws TOKENIZER_INVALID for
 * what zrank cannot do. add_bos_token and add_eos_token are without effect beside a tokenizer.json.
 */
export async function readAutoTokenizer(folder: string): Promise<string> {
  const read = async (name: string) => (await readJsonIfPresent(join(folder, name))) ?? {};
  const [text, config, model] = [
    await readTokenizer(folder),
    await read('tokenizer_config.json'),
    await read('config.json'),
  ];
  const path = join(folder, 'tokenizer_config.json');
  if (config['split_special_tokens'] === true) throw unsupported(path, 'split_special_tokens = true');
  if (Array.isArray(config['fast_tokenizer_files']) && config['fast_tokenizer_files'].length > 1)
    throw unsupported(path, 'fast_tokenizer_files, a tokenizer for each version of transformers,');
  const isLegacy = !isObject(config['added_tokens_decoder']);
  const legacy = {
    specialTokens: isLegacy ? await read('special_tokens_map.json') : {},
    addedTokens: isLegacy ? await read('added_tokens.json') : {},
  };
  return completeTokenizer(text, { config, model, legacy });
}

function unsupported(path: string, what: string): ZrankError {
  return new ZrankError('TOKENIZER_INVALID', `${path}: ${what} is not supported`);
}

/** Gives the same text where there is nothing to complete. */
function completeTokenizer(text: string, { config, model, legacy }: TokenizerFiles): string {
  const file = splitAtVocabulary(text);
  // What is wrong with such a file, the tokenizers library says better.
  if (file === undefined) return text;
  const { head, vocabulary } = file;
  const own = tokenizerClass(config, model, head);
  const { additional_special_tokens: additional = legacy.specialTokens['additional_special_tokens'] } = config;
  const options = { ...config, ...legacy.specialTokens, additional_special_tokens: additional };
  const named = new Map(namedTokens(options, own?.defaults ?? {}));
  const listed = (Array.isArray(head['added_tokens']) ? head['added_tokens'] : []) as AddedToken[];
  const decoder = decoderTokens(config['added_tokens_decoder'], legacy.addedTokens, listed);
  const tokens = mergeTokens(own ? [] : listed, decoder, [...named.values(), ...extraTokens(options)]);
  if (own === undefined && tokens.length === listed.length) return text;
  const special = (name: string): [token: string, id: number] => {
    const content = named.get(name)?.content ?? '';
    return [content, listed.find((token) => token.content === content)?.id ?? idOf(content, text)];
  };
  const { model: modelOptions, ...pipeline } = own?.pipeline(options, special, head) ?? { model: {} };
  const { vocab, ...kept } = head['model'] as JsonObject;
  const completed = { ...head, ...pipeline, added_tokens: tokens, model: { ...kept, ...modelOptions, vocab } };
  return JSON.stringify(completed).slice(0, -placeholder.length) + vocabulary;
}

/** What closes the head of a tokenizer.json whose vocabulary, the most of it by far, is left out. */
const placeholder = '"vocab":null}}';

/** Spares the parsing of the vocabulary where it stands at the end, as the library writes it. */
function splitAtVocabulary(text: string): { head: JsonObject; vocabulary: string } | undefined {
  const start = text.search(/"vocab"\s*:/);
  const head = parseIfJson(text.slice(0, Math.max(0, start)) + placeholder);
  const parts = ['added_tokens', 'normalizer', 'pre_tokenizer', 'post_processor', 'model'];
  if (head && parts.every((part) => part in head) && isObject(head['model']) && 'type' in head['model'])
    return { head, vocabulary: text.slice(start) };
  const { model, ...rest } = parseIfJson(text) ?? {};
  if (!isObject(model) || model['vocab'] === undefined) return undefined;
  const { vocab, merges, ...options } = model;
  const vocabulary = `${JSON.stringify({ vocab, merges }).slice(1)}}`;
  return { head: { ...rest, model: { ...options, vocab: null } }, vocabulary };
}

function parseIfJson(text: string): JsonObject | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function idOf(content: string, text: string): number {
  const { vocab } = (JSON.parse(text) as { model: { vocab: Record<string, number> | [string, number][] } }).model;
  return Array.isArray(vocab) ? vocab.findIndex(([token]) => token === content) : (vocab[content] ?? -1);
}

/** Kinds of models whose own class of tokenizers takes tokenizer.json as it is. */
const genericModels = ['ministral', 'mistral', 'modernbert', 'modernbert-decoder', 'nystromformer', 'xlm-roberta-xl'];

/** Kinds of models whose folders name the wrong class (MODELS_WITH_INCORRECT_HUB_TOKENIZER_CLASS). */
const misnamedModels = ['modernbert', 'modernbert-decoder', 'qwen2'];

/**
 * The class that AutoTokenizer takes (models/auto/tokenization_auto.py) among those that bring a pipeline of their own;
 * undefined where tokenizer.json counts as it is.
 */
function tokenizerClass(config: JsonObject, model: JsonObject, head: JsonObject): TokenizerClass | undefined {
  const given = config['tokenizer_class'] ?? model['tokenizer_class'];
  const name = typeof given === 'string' ? given.replace(/Fast$/, '') : undefined;
  const type = String(model['model_type']);
  const registered = tokenizerClasses.find(({ modelTypes }) => modelTypes.includes(type));
  const isByteLevel = /"type":"ByteLevel"/.test(JSON.stringify([head['pre_tokenizer'], head['decoder']]));
  if (name === 'LlamaTokenizer' && isByteLevel && !misnamedModels.includes(type)) return undefined;
  if (name === undefined) return registered;
  if (genericModels.includes(type)) return undefined;
  if (registered && misnamedModels.includes(type)) return registered;
  return tokenizerClasses.find(({ names }) => names.includes(name));
}

const specialNames = ['bos_token', 'eos_token', 'unk_token', 'sep_token', 'pad_token', 'cls_token', 'mask_token'];

/** Special tokens by name, those of the model's own, such as `image_token`, last. */
function* namedTokens(
  options: JsonObject,
  defaults: Readonly<Record<string, string>>,
): Generator<[name: string, token: AddedToken]> {
  for (const name of specialNames) {
    const token = addedToken(name in options ? options[name] : defaults[name]);
    if (token) yield [name, token];
  }
  const extra = options['extra_special_tokens'];
  const own = Object.entries({ ...options, ...(isObject(extra) ? extra : {}) });
  for (const [name, value] of own) {
    const isNamed = (isObject(extra) && name in extra) || (name.endsWith('_token') && !specialNames.includes(name));
    const token = isNamed && typeof value === 'string' ? addedToken(value) : undefined;
    if (token) yield [name, token];
  }
}

function extraTokens(options: JsonObject): AddedToken[] {
  const { extra_special_tokens: extra, additional_special_tokens: additional } = options;
  const tokens = Array.isArray(extra) && extra.length > 0 ? extra : isObject(extra) ? [] : additional;
  return Array.isArray(tokens) ? tokens.flatMap((token: unknown) => addedToken(token) ?? []) : [];
}

/** The tokens that are known by their ids, in the order of these. */
function decoderTokens(decoder: unknown, legacy: JsonObject, listed: readonly AddedToken[]): AddedToken[] {
  if (isObject(decoder)) {
    return Object.entries(decoder)
      .sort(([a], [b]) => Number(a) - Number(b))
      .flatMap(([, token]) => addedToken(token) ?? []);
  }
  const byId = new Map(Object.entries(legacy).map(([content, id]) => [id, addedToken({ content })!]));
  for (const token of listed) byId.set(token.id, token);
  return [...byId].sort(([a], [b]) => Number(a) - Number(b)).map(([, token]) => token);
}

/** Each content once, the first that comes; of special tokens the form that `decoder` gives them. */
function mergeTokens(
  listed: readonly AddedToken[],
  decoder: readonly AddedToken[],
  specials: readonly AddedToken[],
): AddedToken[] {
  const merged = new Map<string, AddedToken>();
  for (const token of [...listed, ...decoder, ...specials]) {
    if (!merged.has(token.content)) merged.set(token.content, token);
  }
  const names = new Set(specials.map(({ content }) => content));
  const isListed = new Set(listed);
  const asSpecial = (token: AddedToken) => ({ ...token, special: token.special || names.has(token.content) });
  return [...merged.values()].map((token) => (isListed.has(token) ? token : asSpecial(token)));
}

/** The library finds the id by the content, in the vocabulary or behind it. */
function addedToken(value: unknown): AddedToken | undefined {
  const { content, ...given } =
    typeof value === 'string' ? { content: value, special: true } : ((value ?? {}) as JsonObject);
  if (typeof content !== 'string' || content === '') return undefined;
  const special = given['special'] === true;
  const is = (name: string, otherwise = false) => (given[name] ?? otherwise) === true;
  return {
    id: 0,
    content,
    single_word: is('single_word'),
    lstrip: is('lstrip'),
    rstrip: is('rstrip'),
    normalized: is('normalized', !special),
    special,
  };
}
