/**
 * Peer: plain onnxruntime-node with padded batches. It runs zrank's own graph, but without packing: a row for every
 * position of every padded sequence, batches of 32 sorted by length, the library's default optimization.
 *
 * Install: npm install --no-save --ignore-scripts onnxruntime-node (a clone has it)
 */
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { readCheckpoint } from '../../dist/networks/decoder/checkpoint.js';
import { writeGraph } from '../../dist/networks/decoder/graph.js';
import { PromptTemplate } from '../../dist/prompt/prompt-template.js';
import { PromptEncoder } from '../../dist/tokenization/prompt-encoder.js';
import { Tokenizer } from '../../dist/tokenization/tokenizer.js';
import { need, serve, settings, unavailable } from './serve.mjs';

const batchSize = 32;
const { InferenceSession, Tensor } = (await need('onnxruntime-node')).default;

const checkpoint = await readCheckpoint(settings.model).catch((error) =>
  unavailable(`its graph is written for Qwen3 alone: ${error.message}`),
);
const encoder = new PromptEncoder(new Tokenizer(checkpoint.tokenizer), PromptTemplate.load(checkpoint.template));
const graph = writeGraph(checkpoint);
const session = await InferenceSession.create(graph.model, {
  executionProviders: [settings.device.startsWith('cuda') ? 'cuda' : 'cpu'],
  intraOpNumThreads: settings.threads,
  extra: { session: { model_external_initializers_file_folder_path: graph.weightFolder } },
});

const int32 = (values, dims) => new Tensor('int32', Int32Array.from(values), dims);

async function run(sequences) {
  const count = sequences.length;
  const longest = Math.max(...sequences.map((ids) => ids.length));
  const positions = Int32Array.from({ length: count * longest }, (_, i) => i);
  const inputIds = new Int32Array(count * longest);
  sequences.forEach((ids, i) => inputIds.set(ids, i * longest));
  const last = sequences.map((ids, i) => i * longest + ids.length - 1);
  const { logits } = await session.run({
    input_ids: int32(inputIds, [count * longest]),
    expand: int32(positions, [count, longest]),
    compact: int32(positions, [count * longest]),
    seqlens_k: int32(
      sequences.map((ids) => ids.length - 1),
      [count],
    ),
    total_sequence_length: int32([longest], [1]),
    last: int32(last, [count]),
    last_flat: int32(last, [count]),
  });
  return logits.data;
}

async function score(pairs) {
  const prompts = await encoder.encode(pairs, {
    maxLength: checkpoint.maxLength,
    truncation: 'document',
    specialTokens: 'parse',
  });
  const order = prompts.map((_, i) => i).sort((a, b) => prompts[b].ids.length - prompts[a].ids.length);
  const logits = new Array(pairs.length);
  for (let start = 0; start < order.length; start += batchSize) {
    const batch = order.slice(start, start + batchSize);
    const rows = await run(batch.map((i) => prompts[i].ids));
    batch.forEach((i, k) => (logits[i] = rows[k]));
  }
  return logits;
}

const manifest = fileURLToPath(import.meta.resolve('onnxruntime-node/package.json'));
await serve({ 'onnxruntime-node': JSON.parse(await readFile(manifest, 'utf8')).version }, score);
