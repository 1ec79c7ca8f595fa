import { join } from 'node:path';
import { ConfigReader } from '../../checkpoint/config-reader.js';
import { checkFolder, maxLength, readConfig, readDefaultPrompt } from '../../checkpoint/folder.js';
import { harmlessArguments, refuseArguments } from '../../checkpoint/loading-arguments.js';
import { readModules, type ModuleEntry } from '../../checkpoint/modules.js';
import { readTemplate, type TemplateFiles } from '../../checkpoint/template-files.js';
import { readAutoTokenizer } from '../../checkpoint/tokenizer-files.js';
import { readWeights } from '../../checkpoint/weights.js';
import { ZrankError } from '../../error.js';
import { readJsonIfPresent } from '../../json.js';
import { harmlessConfigKeys, readDecoderConfig } from './architectures.js';
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
  /** Keys that zrank does not know, behind the name of their file: they may mean something to a score. */
  unknownKeys: string[];
}

/** Reads a model folder. Throws FILE_NOT_FOUND where there is none, and the codes of what is wrong in it. */
export async function readCheckpoint(folder: string): Promise<Checkpoint> {
  await checkFolder(folder);
  await refuseAdapter(folder);
  const configFile = await readConfig(folder);
  const config = readDecoderConfig(configFile);
  const modules = await readModules(folder);
  checkModules(folder, modules ?? []);
  const weights = await readWeights(folder);
  checkTensors(config, weights);

  const tokenizerConfig = (await readJsonIfPresent(join(folder, 'tokenizer_config.json'))) ?? {};
  // sentence-transformers reads its own files only where modules.json says that it wrote the folder.
  const isOwn = modules !== undefined;
  const transformer = isOwn ? await readJsonIfPresent(join(folder, 'sentence_bert_config.json')) : undefined;
  const transformerFile = new ConfigReader(transformer ?? {}, join(folder, 'sentence_bert_config.json'));
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
    unknownKeys: [
      ...configFile.unread(harmlessConfigKeys).map((key) => `config.json: ${key}`),
      ...checkTransformer(transformerFile).map((key) => `sentence_bert_config.json: ${key}`),
    ],
  };
}

/** transformers loads the base model that an adapter names, and puts it on top. */
async function refuseAdapter(folder: string): Promise<void> {
  const path = join(folder, 'adapter_config.json');
  if ((await readJsonIfPresent(path)) === undefined) return;
  throw new ZrankError(
    'ARCHITECTURE_UNSUPPORTED',
    `${path}: adapters are not supported; PEFT merges one into its base model: merge_and_unload(), then save_pretrained()`,
  );
}

/** A decoder reranker of sentence-transformers is the network, then the token that gives the score. */
function checkModules(folder: string, modules: readonly ModuleEntry[]): void {
  modules.forEach(({ type, path }, i) => {
    if (i === 0 && type === 'Transformer' && path === '') return;
    if (i === 1 && type === 'LogitScore') return;
    const where = join(folder, 'modules.json');
    throw new ZrankError(
      'ARCHITECTURE_UNSUPPORTED',
      `${where}: expected the modules Transformer, in the folder itself, and perhaps LogitScore, ` +
        `but received ${type} in ${JSON.stringify(path)} as module ${i}`,
    );
  });
}

/**
 * Keys of sentence_bert_config.json that are computed (checkpoint/template-files.ts, checkpoint/folder.ts), or
 * harmless.
 */
const transformerKeys: readonly string[] = [
  'max_seq_length',
  'modality_config',
  'module_output_name',
  'processing_kwargs',
  'transformer_task',
  // Of encoders for retrieval, which tell queries from documents.
  'document_length',
  'query_length',
  // How, not what.
  'unpad_inputs',
];

/** Returns the keys that are not known. Throws ARCHITECTURE_UNSUPPORTED for those that change scores. */
function checkTransformer(transformer: ConfigReader): string[] {
  transformer.only('do_lower_case', false);
  for (const name of ['query_expansion', 'tokenizer_name_or_path']) {
    if (transformer.get(name) !== undefined) throw transformer.unsupported(`${name} is not supported`);
  }
  refuseArguments(transformer);
  return transformer.unread([...transformerKeys, ...harmlessArguments]);
}
