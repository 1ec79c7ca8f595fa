import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { ZrankError } from '../error.js';
import { isObject, readJsonIfPresent, readTextIfPresent, type JsonObject } from '../json.js';

/** What a folder says of its chat template. */
export interface TemplateFiles {
  /** Jinja source; undefined where a pair is tokenized as two texts. */
  source: string | undefined;
  /** Whether the folder says that pairs go through the template, which is else inferred from there being one. */
  isDeclared: boolean;
  /** Variables of the template beside `messages`: special tokens and processing_kwargs.chat_template. */
  variables: JsonObject;
  /** A message's content: its text, or a list of one part of type `text`. */
  contentFormat: 'flat' | 'structured';
  /** The default prompt of config_sentence_transformers.json. */
  defaultPrompt: string | undefined;
}

/** Arguments of apply_chat_template() and of sentence-transformers that do not reach the template. */
const noVariables = [
  'chat_template',
  'common_kwargs',
  'continue_final_message',
  'max_length',
  'padding',
  'restore_suffix',
  'return_assistant_tokens_mask',
  'return_dict',
  'return_tensors',
  'sanitize_control_tokens',
  'tokenize',
  'tokenizer_kwargs',
  'truncation',
];

/**
 * Pairs go through the template where modality_config names the modality `message`. A sentence_bert_config.json without
 * modality_config is of a time when there were only texts; where there is no such file, a template is taken for one of
 * pairs (sentence_transformers.base.modules.transformer, load_config and infer_modalities).
 */
export async function readTemplate(
  folder: string,
  tokenizer: JsonObject,
  transformer: JsonObject | undefined,
): Promise<Omit<TemplateFiles, 'defaultPrompt'>> {
  const path = join(folder, 'sentence_bert_config.json');
  const extra = objectAt(objectAt(transformer, 'processing_kwargs', path), 'chat_template', path);
  const modalities = objectAt(transformer, 'modality_config', path);
  const isDeclared = 'message' in modalities;
  const goThroughTemplate = isDeclared || transformer === undefined;
  const source = goThroughTemplate ? await readSource(folder, tokenizer, extra['chat_template']) : undefined;
  if (isDeclared && source === undefined) {
    throw new ZrankError(
      'TEMPLATE_INVALID',
      `${path} says that pairs go through a chat template, but there is none: ` +
        'expected chat_template.jinja, or chat_template in tokenizer_config.json',
    );
  }
  const variables = { ...(await specialTokens(folder, tokenizer)), ...extra };
  return {
    source,
    isDeclared,
    variables: Object.fromEntries(Object.entries(variables).filter(([name]) => !noVariables.includes(name))),
    contentFormat: contentFormat(objectAt(modalities, 'message', path)['format'], source ?? ''),
  };
}

/** Throws CONFIG_INVALID where there is something else: it would have meant something to a score. */
function objectAt(parent: JsonObject | undefined, name: string, path: string): JsonObject {
  const value = parent?.[name] ?? {};
  if (isObject(value)) return value;
  const received = JSON.stringify(value).slice(0, 60);
  throw new ZrankError('CONFIG_INVALID', `${path}: expected an object for ${name} but received ${received}`);
}

/** As sentence-transformers infers it where it is not given (base/modality.py, _infer_format). */
function contentFormat(given: unknown, source: string): 'flat' | 'structured' {
  if (given === 'flat' || given === 'structured') return given;
  const ofParts = ['content[0]', '.type', "'type'", '"type"', 'message.content['];
  return ofParts.some((pattern) => source.includes(pattern)) ? 'structured' : 'flat';
}

/**
 * The template that apply_chat_template() takes (transformers' tokenization_utils_base.py, get_chat_template): the
 * default one, or what processing_kwargs ask for, a name or the template itself. tokenizer_config.json holds one
 * template, or a list of named ones; chat_template.jinja and additional_chat_templates/NAME.jinja take their place.
 * Throws TEMPLATE_INVALID where there are some but no default.
 */
async function readSource(folder: string, tokenizer: JsonObject, asked: unknown): Promise<string | undefined> {
  const templates = new Map(namedTemplates(tokenizer['chat_template']));
  const additional = join(folder, 'additional_chat_templates');
  for (const name of await readdir(additional).catch(() => [])) {
    const source = name.endsWith('.jinja') ? await readTextIfPresent(join(additional, name)) : undefined;
    if (source !== undefined) templates.set(name.slice(0, -'.jinja'.length), source);
  }
  const standard = await readTextIfPresent(join(folder, 'chat_template.jinja'));
  if (standard !== undefined) templates.set('default', standard);
  if (typeof asked === 'string') return templates.get(asked) ?? asked;
  const source = templates.get('default');
  if (source !== undefined || templates.size === 0) return source;
  const names = Array.from(templates.keys(), (name) => JSON.stringify(name)).join(', ');
  throw new ZrankError('TEMPLATE_INVALID', `${folder} has the chat templates ${names}, but none that is the default`);
}

function* namedTemplates(template: unknown): Generator<[name: string, source: string]> {
  if (typeof template === 'string') yield ['default', template];
  for (const entry of Array.isArray(template) ? template : []) {
    if (!isObject(entry)) continue;
    const { name, template: source } = entry;
    if (typeof name === 'string' && typeof source === 'string') yield [name, source];
  }
}

/**
 * Special tokens by the names that templates know. special_tokens_map.json counts where tokenizer_config.json has no
 * added_tokens_decoder (transformers, tokenization_utils_base.py, _from_pretrained).
 */
async function specialTokens(folder: string, tokenizer: JsonObject): Promise<JsonObject> {
  const map =
    'added_tokens_decoder' in tokenizer ? undefined : await readJsonIfPresent(join(folder, 'special_tokens_map.json'));
  const tokens: JsonObject = {};
  for (const name of ['bos_token', 'eos_token', 'unk_token', 'sep_token', 'pad_token', 'cls_token', 'mask_token']) {
    const token = map?.[name] ?? tokenizer[name];
    if (typeof token === 'string') tokens[name] = token;
    else if (isObject(token) && typeof token['content'] === 'string') tokens[name] = token['content'];
  }
  return tokens;
}
