/**
 * Peer: node-llama-cpp's ranking context. It needs the model as GGUF, one file in the model folder; a folder of
 * safetensors alone it cannot run. Its scores are not raw logits, so they are given back as they come.
 *
 * Install: npm install --no-save node-llama-cpp, and a GGUF by llama.cpp's convert_hf_to_gguf.py
 */
import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { need, serve, settings, unavailable } from './serve.mjs';

const file = (await readdir(settings.model)).find((name) => name.endsWith('.gguf'));
if (file === undefined) unavailable('node-llama-cpp runs GGUF files alone, and the model folder has none');
const { getLlama } = await need('node-llama-cpp');

const llama = await getLlama({ gpu: settings.device.startsWith('cuda') ? 'cuda' : false });
const model = await llama.loadModel({ modelPath: join(settings.model, file) });
let context;
try {
  context = await model.createRankingContext({ threads: settings.threads });
} catch (error) {
  unavailable(`node-llama-cpp cannot rank with ${file}: ${error.message}`);
}

/** Documents of one query go together, as rankAll() takes them. */
async function score(pairs) {
  const byQuery = new Map();
  pairs.forEach(([query], i) => byQuery.set(query, [...(byQuery.get(query) ?? []), i]));
  const scores = new Array(pairs.length);
  for (const [query, indices] of byQuery) {
    const ranked = await context.rankAll(
      query,
      indices.map((i) => pairs[i][1]),
    );
    indices.forEach((i, k) => (scores[i] = ranked[k]));
  }
  return scores;
}

const manifest = fileURLToPath(new URL('../package.json', import.meta.resolve('node-llama-cpp')));
await serve({ 'node-llama-cpp': JSON.parse(await readFile(manifest, 'utf8')).version }, score);
