import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Pooling } from '../../addon.js';
import type { ConfigReader } from '../../checkpoint/config-reader.js';
import { findOnnx, maxLength, readConfig, readDefaultPrompt } from '../../checkpoint/folder.js';
import { readAutoTokenizer } from '../../checkpoint/tokenizer-files.js';
import { isObject, readJsonIfPresent, type JsonObject } from '../../json.js';
import { readModules } from '../../checkpoint/modules.js';
import type { EngineModel } from '../../runtime/engine.js';

/** A BERT-like encoder as its folder describes it, with the ONNX file that computes it. */
export interface EncoderFolder {
  onnxPath: string;
  /** tokenizer.json as text. */
  tokenizer: string;
  padId: number;
  /** Rows of the embedding; the largest number where config.json does not say. */
  vocabularySize: number;
  /** The longest input in tokens. */
  maxLength: number;
  /** The longest input that the network has positions for. */
  maxPositions: number;
}

/** What the engine runs: rows of pooled embeddings, or of logits where nothing is pooled. */
export function encoderModel(
  { onnxPath, padId }: EncoderFolder,
  { pooling, normalize }: { pooling: readonly Pooling[]; normalize: boolean } = { pooling: [], normalize: false },
): EngineModel {
  const replica = { kind: 'padded-encoder', graphPath: onnxPath, pooling, normalize, padId } as const;
  return { replicas: [replica], files: [onnxPath] };
}

/** Networks whose first positions are taken: transformers numbers their tokens from pad_token_id + 1. */
const offsetPositions = ['camembert', 'mpnet', 'roberta', 'xlm-roberta', 'xlm-roberta-xl'];

/**
 * Names of the file of a Transformer module: the first that is there
 * (sentence_transformers/base/modules/transformer.py).
 */
const transformerFiles = ['bert', 'roberta', 'distilbert', 'camembert', 'albert', 'xlm-roberta', 'xlnet'].map(
  (network) => `sentence_${network}_config.json`,
);

/** The path of a Transformer module's own file, there or not. */
export async function transformerFile(folder: string): Promise<string> {
  const names = await readdir(folder);
  return join(folder, transformerFiles.find((name) => names.includes(name)) ?? transformerFiles[0]!);
}

/** Reads an encoder's folder. Throws FILE_NOT_FOUND, JSON_INVALID, and CONFIG_INVALID. */
export async function readEncoder(folder: string): Promise<EncoderFolder> {
  const config = await readConfig(folder);
  const transformer = (await readJsonIfPresent(await transformerFile(folder))) ?? {};
  const tokenizerConfig = (await readJsonIfPresent(join(folder, 'tokenizer_config.json'))) ?? {};
  const tokenizer = await readAutoTokenizer(folder);
  const given = config.get('pad_token_id');
  const padId = typeof given === 'number' ? given : 0;
  const positions = maxPositions(config, padId);
  return {
    onnxPath: await findOnnx(folder),
    tokenizer: transformer['do_lower_case'] === true ? lowerCasing(tokenizer) : tokenizer,
    padId,
    vocabularySize: config.positiveInteger('vocab_size', Number.MAX_SAFE_INTEGER),
    maxLength: maxLength(tokenizerConfig, transformer, positions),
    maxPositions: positions,
  };
}

/** An encoder with a head that gives one logit. */
export interface EncoderClassifierFolder extends EncoderFolder {
  /** Of config.json. */
  architecture: string;
  /** What stands before each query. */
  prompt: string | undefined;
}

/** Reads a cross-encoder's folder. Throws ARCHITECTURE_UNSUPPORTED for a classifier of more than one label. */
export async function readEncoderClassifier(folder: string): Promise<EncoderClassifierFolder> {
  const config = await readConfig(folder);
  config.checkOneLabel();
  // sentence-transformers reads its own files only where modules.json says that it wrote the folder.
  const prompt = (await readModules(folder)) === undefined ? undefined : await readDefaultPrompt(folder);
  return { ...(await readEncoder(folder)), architecture: config.architectures().join(', '), prompt };
}

function maxPositions(config: ConfigReader, padId: number): number {
  const positions = config.get('max_position_embeddings');
  if (typeof positions !== 'number' || positions <= 0) return Infinity;
  return offsetPositions.includes(config.get('model_type') as string) ? positions - padId - 1 : positions;
}

/**
 * do_lower_case of sentence_bert_config.json: lower case before anything else, unless the tokenizer does so already.
 */
function lowerCasing(tokenizer: string): string {
  const json = JSON.parse(tokenizer) as JsonObject;
  const { normalizer } = json;
  const steps =
    isObject(normalizer) && Array.isArray(normalizer['normalizers'])
      ? normalizer['normalizers']
      : [normalizer ?? []].flat();
  const lowers = steps.some((step) => isObject(step) && (step['type'] === 'Lowercase' || step['lowercase'] === true));
  if (lowers) return tokenizer;
  return JSON.stringify({ ...json, normalizer: { type: 'Sequence', normalizers: [{ type: 'Lowercase' }, ...steps] } });
}
