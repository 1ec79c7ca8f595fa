/**
 * Peer: transformers.js. It has no rerank pipeline, so this is the model by hand: the checkpoint's prompt, batches of
 * 32, the logit of the scoring token at the last position. It needs an ONNX export in the model folder
 * (onnx/model.onnx); a folder of safetensors alone it cannot run.
 *
 * Install: npm install --no-save @huggingface/transformers
 */
import { existsSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { readCheckpoint } from '../../dist/networks/decoder/checkpoint.js';
import { PromptTemplate } from '../../dist/prompt/prompt-template.js';
import { need, serve, settings, unavailable } from './serve.mjs';

const folder = resolve(settings.model);
if (!existsSync(join(folder, 'onnx', 'model.onnx')))
  unavailable('transformers.js runs ONNX exports alone, and the model folder has no onnx/model.onnx');
const { AutoModelForCausalLM, AutoTokenizer, env } = await need('@huggingface/transformers');

const batchSize = 32;
env.allowRemoteModels = false;
env.localModelPath = dirname(folder);
const name = basename(folder);
const checkpoint = await readCheckpoint(folder);
if (checkpoint.head.kind !== 'token')
  unavailable('this peer reads the logit of one token, the checkpoint scores otherwise');
const template = PromptTemplate.load(checkpoint.template);
const tokenizer = await AutoTokenizer.from_pretrained(name);
tokenizer.padding_side = 'left';
const model = await AutoModelForCausalLM.from_pretrained(name, {
  dtype: settings.precision,
  device: settings.device.startsWith('cuda') ? 'cuda' : 'cpu',
  session_options: { intraOpNumThreads: settings.threads },
});

async function score(pairs) {
  const order = pairs.map((_, i) => i).sort((a, b) => pairs[b][1].length - pairs[a][1].length);
  const scores = new Array(pairs.length);
  for (let start = 0; start < order.length; start += batchSize) {
    const batch = order.slice(start, start + batchSize);
    const prompts = batch.map((i) => template.render(...pairs[i]));
    const { logits } = await model(tokenizer(prompts, { padding: true, add_special_tokens: false }));
    const [, positions, vocabulary] = logits.dims;
    batch.forEach(
      (i, k) =>
        (scores[i] = Number(logits.data[(k * positions + positions - 1) * vocabulary + checkpoint.head.trueTokenId])),
    );
    logits.dispose();
  }
  return scores;
}

await serve({ 'transformers.js': env.version }, score);
