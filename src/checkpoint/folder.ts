import { open, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { ZrankError } from '../error.js';
import { ConfigReader } from './config-reader.js';
import { isObject, readJsonIfPresent, readTextIfPresent, refuseLfsPointer, type JsonObject } from '../json.js';

/** Throws FILE_NOT_FOUND where there is no such folder. */
export async function checkFolder(folder: string): Promise<void> {
  const isFolder = await stat(folder).then(
    (s) => s.isDirectory(),
    () => false,
  );
  if (isFolder) return;
  throw new ZrankError('FILE_NOT_FOUND', `expected a model folder but found none at ${folder}`);
}

/** config.json. Throws FILE_NOT_FOUND and JSON_INVALID. */
export async function readConfig(folder: string): Promise<ConfigReader> {
  const path = join(folder, 'config.json');
  const config = await readJsonIfPresent(path);
  if (config === undefined)
    throw new ZrankError('FILE_NOT_FOUND', `${path} is missing: ${folder} is not a model folder`);
  return new ConfigReader(config, path);
}

/** A JSON file that may be missing: it then has no keys. Throws JSON_INVALID. */
export async function readOptionalConfig(path: string): Promise<ConfigReader> {
  return new ConfigReader((await readJsonIfPresent(path)) ?? {}, path);
}

/** tokenizer.json as text; whether it is one, the tokenizer says. */
export async function readTokenizer(folder: string): Promise<string> {
  const path = join(folder, 'tokenizer.json');
  const text = await readTextIfPresent(path);
  if (text === undefined) throw new ZrankError('FILE_NOT_FOUND', `${path} is missing`);
  return text;
}

/**
 * The prompt that default_prompt_name of config_sentence_transformers.json names; undefined where that is none or
 * empty.
 */
export async function readDefaultPrompt(folder: string): Promise<string | undefined> {
  const { prompts, default_prompt_name: name } =
    (await readJsonIfPresent(join(folder, 'config_sentence_transformers.json'))) ?? {};
  const prompt = typeof name === 'string' && isObject(prompts) ? prompts[name] : undefined;
  return typeof prompt === 'string' && prompt !== '' ? prompt : undefined;
}

/**
 * The longest input in tokens, as sentence-transformers sets it: max_seq_length of sentence_bert_config.json if given,
 * else model_max_length of tokenizer_config.json, never beyond the network's positions.
 */
export function maxLength(tokenizerConfig: JsonObject, transformer: JsonObject, maxPositions: number): number {
  const given = transformer['max_seq_length'] ?? tokenizerConfig['model_max_length'];
  return Math.min(typeof given === 'number' && given > 0 ? given : Infinity, maxPositions);
}

/** The folder's ONNX file: onnx/model.onnx, else the first of onnx/model*.onnx by name, else model.onnx. */
export async function findOnnx(folder: string): Promise<string> {
  const inside = await readdir(join(folder, 'onnx')).catch(() => []);
  const names = inside.filter((name) => /^model.*\.onnx$/.test(name)).sort();
  const name = names.includes('model.onnx') ? 'model.onnx' : names[0];
  const path = name === undefined ? join(folder, 'model.onnx') : join(folder, 'onnx', name);
  const file = await open(path).catch(() => undefined);
  if (file === undefined) {
    throw new ZrankError(
      'FILE_NOT_FOUND',
      `${folder} has no onnx/model.onnx: an encoder of this kind runs from an ONNX file, which comes with: ` +
        `optimum-cli export onnx --model ${folder} ${join(folder, 'onnx')}`,
    );
  }
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(64), 0, 64, 0);
    refuseLfsPointer(path, buffer.toString('latin1', 0, bytesRead));
  } finally {
    await file.close();
  }
  return path;
}
