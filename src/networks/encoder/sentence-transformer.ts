import { join, relative } from 'node:path';
import type { Pooling } from '../../addon.js';
import type { ConfigReader } from '../../checkpoint/config-reader.js';
import { checkFolder, readOptionalConfig, readTokenizer } from '../../checkpoint/folder.js';
import { refuseArguments } from '../../checkpoint/loading-arguments.js';
import { readModules, type ModuleEntry } from '../../checkpoint/modules.js';
import type { TensorRef } from '../../checkpoint/safetensors.js';
import { readWeights } from '../../checkpoint/weights.js';
import { ZrankError } from '../../error.js';
import { isObject } from '../../json.js';
import { readDense, type DenseModule } from './dense.js';
import { readEncoder, transformerFile, type EncoderFolder } from './folder.js';
import { checkKeys, type keysOf } from './keys.js';
import { parsePooling } from './pooling.js';

/** A bi-encoder in the sentence-transformers layout. */
export interface SentenceTransformerFolder {
  network: TransformerNetwork | StaticNetwork;
  /** Layers that the pooled embeddings pass through, in this order. */
  dense: DenseModule[];
  /** Embeddings get unit length. */
  normalize: boolean;
  /** Embeddings are cut to this length, last of all. */
  truncateDim: number;
  /** What the folder ranks by, if it says so. */
  similarity: Similarity | undefined;
  prompts: Prompts;
  /** Keys that are not known, behind their file: they may mean something to an embedding. */
  unknownKeys: string[];
}

/** Similarities of sentence-transformers (sentence_transformers/util/similarity.py) for one vector a text. */
export const similarities = ['cosine', 'dot', 'euclidean', 'manhattan'] as const;
export type Similarity = (typeof similarities)[number];

/** An encoder whose token embeddings are pooled. */
export interface TransformerNetwork {
  kind: 'transformer';
  encoder: EncoderFolder;
  pooling: Pooling[];
}

/** A table of token embeddings whose mean is the text's. */
export interface StaticNetwork {
  kind: 'static';
  tokenizer: string;
  /** [vocabulary, dimensions] */
  embeddings: TensorRef;
}

/** What stands before a text; empty for nothing. */
export interface Prompts {
  query: string;
  document: string;
  /** Before a text of no kind: the one that default_prompt_name names. */
  default: string;
}

/** The layout of a folder without modules.json, as sentence-transformers takes it: mean pooling, which has no file. */
const plainModules: ModuleEntry[] = ['Transformer', 'Pooling'].map((type) => ({
  type,
  path: '',
  isCustom: false,
  unknownKeys: [],
}));

/** Modules that are computed. Dropout does nothing outside of training. */
const layouts = /^(StaticEmbedding|Transformer, Pooling)(, Dense|, Dropout)*(, Normalize)?$/;

/**
 * Reads a bi-encoder's folder. Throws ARCHITECTURE_UNSUPPORTED for what it declares and zrank does not compute:
 * modules, and keys of their files (keys.ts).
 */
export async function readSentenceTransformer(folder: string): Promise<SentenceTransformerFolder> {
  await checkFolder(folder);
  const modules = (await readModules(folder)) ?? plainModules;
  checkLayout(folder, modules);
  const unknownKeys = modules.flatMap((module) => module.unknownKeys.map((key) => `modules.json: ${key}`));
  const read = async (file: keyof typeof keysOf, path: string): Promise<ConfigReader> => {
    const config = await readOptionalConfig(path);
    unknownKeys.push(...checkKeys(file, config).map((key) => `${relative(folder, path)}: ${key}`));
    return config;
  };

  const config = await read('config_sentence_transformers.json', join(folder, 'config_sentence_transformers.json'));
  const prompts = readPrompts(config);
  const dense: DenseModule[] = [];
  let pooling: Pooling[] = ['mean'];
  for (const { type, path } of modules) {
    const own = join(folder, path);
    const ownConfig = join(own, 'config.json');
    if (type === 'Transformer') checkTransformer(await read('sentence_bert_config.json', await transformerFile(own)));
    if (type === 'Pooling' && path !== '') pooling = readPooling(await read('Pooling/config.json', ownConfig), prompts);
    if (type === 'Dense') dense.push(await readDense(own, await read('Dense/config.json', ownConfig)));
    if (type === 'Normalize') await read('Normalize/config.json', ownConfig);
  }
  const first = join(folder, modules[0]!.path);
  return {
    network:
      modules[0]!.type === 'StaticEmbedding'
        ? await readStatic(first)
        : { kind: 'transformer', encoder: await readEncoder(first), pooling },
    dense,
    normalize: modules.at(-1)!.type === 'Normalize',
    truncateDim: config.positiveInteger('truncate_dim', Number.MAX_SAFE_INTEGER),
    similarity: readSimilarity(config),
    prompts,
    unknownKeys,
  };
}

function checkLayout(folder: string, modules: readonly ModuleEntry[]): void {
  const path = join(folder, 'modules.json');
  const custom = modules.find(({ isCustom }) => isCustom);
  if (custom !== undefined)
    throw new ZrankError('ARCHITECTURE_UNSUPPORTED', `${path}: ${custom.type} is a module of the folder's own code`);
  const layout = modules.map(({ type }) => type).join(', ');
  if (layouts.test(layout)) return;
  throw new ZrankError(
    'ARCHITECTURE_UNSUPPORTED',
    `${path}: expected the modules Transformer, Pooling or StaticEmbedding, then perhaps Dense, ` +
      `and perhaps Normalize last, but received ${layout || 'none'}`,
  );
}

function checkTransformer(transformer: ConfigReader): void {
  refuseArguments(transformer);
  const text = transformer.object('modality_config').object('text');
  text.only('method', 'forward');
  text.only('method_output_name', 'last_hidden_state');
}

function readSimilarity(config: ConfigReader): Similarity | undefined {
  const name = config.get('similarity_fn_name') as Similarity | undefined;
  if (name === undefined || similarities.includes(name)) return name;
  throw config.unsupported(
    `similarity_fn_name = ${JSON.stringify(name)} is not supported, only ${similarities.join(', ')}`,
  );
}

async function readStatic(folder: string): Promise<StaticNetwork> {
  const weights = await readWeights(folder);
  const embeddings = weights.get('embedding.weight') ?? weights.get('embeddings');
  if (embeddings === undefined) throw new ZrankError('TENSOR_MISSING', `${folder} has no tensor embedding.weight`);
  if (embeddings.shape.length !== 2 || embeddings.length === 0) {
    throw new ZrankError(
      'TENSOR_SHAPE_MISMATCH',
      `${embeddings.path}: ${embeddings.name} has the shape [${embeddings.shape}], expected [vocabulary, dimensions]`,
    );
  }
  const folded = ['mapping', 'weights'].find((name) => weights.has(name));
  if (folded !== undefined) {
    throw new ZrankError(
      'ARCHITECTURE_UNSUPPORTED',
      `${embeddings.path} holds ${folded}, of model2vec: save the model with sentence-transformers, ` +
        'which folds it into the embeddings',
    );
  }
  return { kind: 'static', tokenizer: await readTokenizer(folder), embeddings };
}

function readPooling(config: ConfigReader, prompts: Prompts): Pooling[] {
  if (!config.boolean('include_prompt', true) && Object.values(prompts).some((prompt) => prompt !== '')) {
    throw config.unsupported("include_prompt = false is not supported, the prompt's tokens are always pooled");
  }
  return parsePooling(config);
}

/** The prompts of config_sentence_transformers.json; a document's may also be named `passage` or `corpus`. */
function readPrompts(config: ConfigReader): Prompts {
  const prompts = config.get('prompts');
  const textOf = (name: unknown): unknown => (isObject(prompts) ? prompts[name as string] : undefined);
  const first = (...names: unknown[]): string =>
    (names.map(textOf).find((text) => typeof text === 'string' && text !== '') as string | undefined) ?? '';
  const named = config.get('default_prompt_name');
  if (named !== undefined && typeof textOf(named) !== 'string')
    throw config.invalid('the name of one of its prompts', 'default_prompt_name', named);
  return { query: first('query'), document: first('document', 'passage', 'corpus'), default: first(named) };
}
