import { join } from 'node:path';
import { parseConfig, type Qwen3Config } from './config.js';
import { checkFolder, maxLength, readConfig, readTokenizer } from './folder.js';
import { isObject, readJsonIfPresent, readTextIfPresent, type JsonObject } from './json.js';
import { readScoringHead, type ScoringHead } from './scoring-head.js';
import { checkWeights, readWeights, type Weights } from './weights.js';

/** What a model folder in the Hugging Face / sentence-transformers layout says, checked. */
export interface Checkpoint {
  folder: string;
  config: Qwen3Config;
  weights: Weights;
  head: ScoringHead;
  /** tokenizer.json as text. */
  tokenizer: string;
  template: TemplateFiles;
  /** The longest prompt in tokens: the least of the tokenizer's and the network's limits. */
  maxLength: number;
}

export interface TemplateFiles {
  /** Jinja source; undefined where a pair is tokenized as two texts. */
  source: string | undefined;
  /** Variables of the template beside `messages`: special tokens and processing_kwargs.chat_template. */
  variables: JsonObject;
  /** The default prompt of config_sentence_transformers.json. */
  defaultPrompt: string | undefined;
}

/** Reads a model folder. Throws FILE_NOT_FOUND where there is none, and the codes of what is wrong in it. */
export async function readCheckpoint(folder: string): Promise<Checkpoint> {
  await checkFolder(folder);
  const config = parseConfig(await readConfig(folder), join(folder, 'config.json'));
  const weights = await readWeights(folder);
  checkWeights(config, weights);

  const tokenizerConfig = (await readJsonIfPresent(join(folder, 'tokenizer_config.json'))) ?? {};
  const transformer = (await readJsonIfPresent(join(folder, 'sentence_bert_config.json'))) ?? {};
  return {
    folder,
    config,
    weights,
    head: await readScoringHead(folder, config),
    tokenizer: await readTokenizer(folder),
    template: await readTemplate(folder, tokenizerConfig, transformer),
    maxLength: maxLength(tokenizerConfig, transformer, config.maxPositions),
  };
}

async function readTemplate(folder: string, tokenizer: JsonObject, transformer: JsonObject): Promise<TemplateFiles> {
  const processing = transformer['processing_kwargs'];
  const extra = isObject(processing) && isObject(processing['chat_template']) ? processing['chat_template'] : {};
  const prompts = (await readJsonIfPresent(join(folder, 'config_sentence_transformers.json'))) ?? {};
  const modalities = transformer['modality_config'];
  const takesMessages = !isObject(modalities) || 'message' in modalities;
  const source = (await readTextIfPresent(join(folder, 'chat_template.jinja'))) ?? templateOf(tokenizer);
  return {
    source: takesMessages ? source : undefined,
    variables: { ...specialTokens(tokenizer), ...extra },
    defaultPrompt: defaultPrompt(prompts),
  };
}

/** tokenizer_config.json holds one template, or a list of named ones. */
function templateOf(tokenizer: JsonObject): string | undefined {
  const template = tokenizer['chat_template'];
  if (typeof template === 'string') return template;
  const named = Array.isArray(template) ? template.find((entry) => isObject(entry) && entry['name'] === 'default') : undefined;
  return typeof named?.template === 'string' ? named.template : undefined;
}

function specialTokens(tokenizer: JsonObject): JsonObject {
  const tokens: JsonObject = {};
  for (const name of ['bos_token', 'eos_token', 'unk_token', 'sep_token', 'pad_token', 'cls_token', 'mask_token']) {
    const token = tokenizer[name];
    if (typeof token === 'string') tokens[name] = token;
    else if (isObject(token) && typeof token['content'] === 'string') tokens[name] = token['content'];
  }
  return tokens;
}

function defaultPrompt(config: JsonObject): string | undefined {
  const name = config['default_prompt_name'];
  const prompt = typeof name === 'string' && isObject(config['prompts']) ? config['prompts'][name] : undefined;
  return typeof prompt === 'string' ? prompt : undefined;
}
