import { join } from 'node:path';
import type { Pooling } from '../../addon.js';
import { ZrankError } from '../../error.js';
import { readEncoder, type EncoderFolder } from './folder.js';
import { checkFolder, readTokenizer } from '../../checkpoint/folder.js';
import { isObject, readJsonIfPresent } from '../../json.js';
import { readModules, type ModuleEntry } from '../../checkpoint/modules.js';
import { parsePooling } from './pooling.js';
import type { TensorRef } from '../../checkpoint/safetensors.js';
import { readWeights } from '../../checkpoint/weights.js';

/** A bi-encoder in the sentence-transformers layout. */
export interface SentenceTransformerFolder {
  network: TransformerNetwork | StaticNetwork;
  /** Embeddings get unit length. */
  normalize: boolean;
  prompts: Prompts;
}

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

/** The layout of a folder without modules.json, as sentence-transformers takes it. */
const plainModules: ModuleEntry[] = [
  { type: 'Transformer', path: '' },
  { type: 'Pooling', path: '' },
];

/** Reads a bi-encoder's folder. Throws ARCHITECTURE_UNSUPPORTED for modules that zrank does not compute. */
export async function readSentenceTransformer(folder: string): Promise<SentenceTransformerFolder> {
  await checkFolder(folder);
  const modules = (await readModules(folder)) ?? plainModules;
  const types = modules.map(({ type }) => type);
  const layout = types.join(', ');
  const normalize = types.at(-1) === 'Normalize';
  const [first, second] = modules;
  const prompts = await readPrompts(folder);
  if (/^StaticEmbedding(, Normalize)?$/.test(layout)) {
    return { network: await readStatic(join(folder, first!.path)), normalize, prompts };
  }
  if (/^Transformer, Pooling(, Normalize)?$/.test(layout)) {
    const pooling = await readPooling(join(folder, second!.path), prompts);
    return {
      network: { kind: 'transformer', encoder: await readEncoder(join(folder, first!.path)), pooling },
      normalize,
      prompts,
    };
  }
  throw new ZrankError(
    'ARCHITECTURE_UNSUPPORTED',
    `${join(folder, 'modules.json')}: expected the modules Transformer, Pooling or StaticEmbedding, ` +
      `and perhaps Normalize, but received ${layout || 'none'}`,
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

async function readPooling(folder: string, prompts: Prompts): Promise<Pooling[]> {
  const path = join(folder, 'config.json');
  const config = (await readJsonIfPresent(path)) ?? {};
  if (config['include_prompt'] === false && Object.values(prompts).some((prompt) => prompt !== '')) {
    throw new ZrankError(
      'ARCHITECTURE_UNSUPPORTED',
      `${path}: include_prompt = false is not supported, the prompt's tokens are always pooled`,
    );
  }
  return parsePooling(config, path);
}

/** The prompts of config_sentence_transformers.json; a document's may also be named `passage` or `corpus`. */
async function readPrompts(folder: string): Promise<Prompts> {
  const path = join(folder, 'config_sentence_transformers.json');
  const config = (await readJsonIfPresent(path)) ?? {};
  const prompts = isObject(config['prompts']) ? config['prompts'] : {};
  const first = (...names: unknown[]): string => {
    const prompt = names.map((name) => prompts[name as string]).find((text) => typeof text === 'string' && text !== '');
    return (prompt as string | undefined) ?? '';
  };
  const named = config['default_prompt_name'] ?? undefined;
  if (named !== undefined && typeof prompts[named as string] !== 'string') {
    throw new ZrankError(
      'CONFIG_INVALID',
      `${path}: default_prompt_name is ${JSON.stringify(named)}, which is none of its prompts`,
    );
  }
  return { query: first('query'), document: first('document', 'passage', 'corpus'), default: first(named) };
}
