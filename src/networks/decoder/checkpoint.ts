import { join } from 'node:path';
import { checkFolder, maxLength, readConfig, readDefaultPrompt } from '../../checkpoint/folder.js';
import { readModules } from '../../checkpoint/modules.js';
import { readTemplate, type TemplateFiles } from '../../checkpoint/template-files.js';
import { readAutoTokenizer } from '../../checkpoint/tokenizer-files.js';
import { readWeights } from '../../checkpoint/weights.js';
import { readJsonIfPresent } from '../../json.js';
import { readDecoderConfig } from './architectures.js';
import type { Decoder } from './decoder.js';
import { readScoringHead } from './scoring-head.js';
import { checkTensors } from './tensors.js';

/** What a decoder's folder in the Hugging Face / sentence-transformers layout says, checked. */
export interface Checkpoint extends Decoder {
  folder: string;
  /** tokenizer.json as text. */
  tokenizer: string;
  template: TemplateFiles;
  /** The longest prompt in tokens: the least of the tokenizer's and the network's limits. */
  maxLength: number;
}

/** Reads a model folder. Throws FILE_NOT_FOUND where there is none, and the codes of what is wrong in it. */
export async function readCheckpoint(folder: string): Promise<Checkpoint> {
  await checkFolder(folder);
  const config = readDecoderConfig(await readConfig(folder), join(folder, 'config.json'));
  const weights = await readWeights(folder);
  checkTensors(config, weights);

  const tokenizerConfig = (await readJsonIfPresent(join(folder, 'tokenizer_config.json'))) ?? {};
  // sentence-transformers reads its own files only where modules.json says that it wrote the folder.
  const isOwn = (await readModules(folder)) !== undefined;
  const transformer = isOwn ? await readJsonIfPresent(join(folder, 'sentence_bert_config.json')) : undefined;
  return {
    folder,
    config,
    weights,
    head: await readScoringHead(folder, config),
    tokenizer: await readAutoTokenizer(folder),
    template: {
      ...(await readTemplate(folder, tokenizerConfig, transformer)),
      defaultPrompt: isOwn ? await readDefaultPrompt(folder) : undefined,
    },
    maxLength: maxLength(tokenizerConfig, transformer ?? {}, config.maxPositions),
  };
}
