/**
 * Peer: node-llama-cpp's ranking context, on a GGUF of the same weights. Where the model folder has none, one is written
 * into zrank's cache, once a model and precision, by write-gguf.py.
 *
 * Install: npm install --no-save node-llama-cpp, and pip install gguf jinja2 for the interpreter named by --python or
 * ZRANK_PYTHON
 */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readFile, readdir, realpath, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { defaultCacheFolder } from '../../dist/checkpoint/cache-folder.js';
import { need, serve, settings, unavailable } from './serve.mjs';

const { getLlama } = await need('node-llama-cpp');
const llama = await getLlama({ gpu: settings.device.startsWith('cuda') ? 'cuda' : false });
const modelPath = await ggufFile();
const model = await llama.loadModel({ modelPath });
let context;
try {
  const contextSize = Math.min(model.trainContextSize, 8192);
  context = await model.createRankingContext({ contextSize, batchSize: 2048, threads: settings.threads });
} catch (error) {
  unavailable(`node-llama-cpp cannot rank with ${modelPath}: ${error.message}`);
}

async function ggufFile() {
  const folder = await realpath(settings.model);
  const own = (await readdir(folder)).find((name) => name.endsWith('.gguf'));
  if (own !== undefined) return join(folder, own);
  const cache = join(defaultCacheFolder(), 'gguf');
  const hash = createHash('sha256').update(folder).digest('hex').slice(0, 16);
  const path = join(cache, `${hash}-${settings.precision}.gguf`);
  if (existsSync(path)) return path;
  await mkdir(cache, { recursive: true });
  const unfinished = `${path}.${process.pid}`;
  const script = fileURLToPath(new URL('write-gguf.py', import.meta.url));
  try {
    await promisify(execFile)(settings.python, [script, folder, unfinished, settings.precision]);
  } catch (error) {
    unavailable(`no GGUF of this model can be written: ${error.stderr?.trim().split('\n').at(-1) || error.message}`);
  }
  await rename(unfinished, path);
  return path;
}

/** Documents of one query go together, as rankAll() takes them. Its scores are probabilities. */
async function score(pairs) {
  const byQuery = new Map();
  pairs.forEach(([query], i) => byQuery.set(query, [...(byQuery.get(query) ?? []), i]));
  const logits = new Array(pairs.length);
  for (const [query, indices] of byQuery) {
    const probabilities = await context.rankAll(
      query,
      indices.map((i) => pairs[i][1]),
    );
    indices.forEach((i, k) => (logits[i] = Math.log(probabilities[k] / (1 - probabilities[k]))));
  }
  return logits;
}

const manifest = fileURLToPath(new URL('../package.json', import.meta.resolve('node-llama-cpp')));
await serve({ 'node-llama-cpp': JSON.parse(await readFile(manifest, 'utf8')).version }, score);
