// What zrank finds on this machine: gpu_zrank.mjs STATE [--dry-run] [--prepare] [--stage NAME]...
//
// --prepare, which needs no GPU, fills STATE for gpu_base.py and for the stages: settings, texts, a checkpoint without
// weights. Each stage prints one JSON line, {stage, seconds, ...}, which STATE/zrank.jsonl gets too; one that fails has
// `error` and the next one runs. Exit code 1: a stage failed.
import {
  appendFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { median } from 'simple-statistics';
import { modelFlops, readNetwork } from '../../dist/bench/flops.js';
import { checkpointFiles } from '../../dist/bench/shape-files.js';
import { shapeFolder, shapes } from '../../dist/bench/shape.js';
import { makeCalls } from '../../dist/bench/workload.js';
import { Reranker } from '../../dist/index.js';
import { readCrossEncoder } from '../../dist/networks/network.js';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    'dry-run': { type: 'boolean', default: false },
    prepare: { type: 'boolean', default: false },
    stage: { type: 'string', multiple: true, default: [] },
  },
});
const state = positionals[0];
const dryRun = values['dry-run'];
const goldens = fileURLToPath(new URL('../../test/goldens', import.meta.url));

const full = {
  shape: 'zerank-2',
  seed: 1,
  device: 'cuda',
  precisions: ['fp16', 'bf16'],
  attentions: ['fused', 'paged', 'tiled', 'plain'],
  parity: [
    {
      documents: 16,
      documentTokens: { lognormal: { median: 200, sigma: 1, min: 20, max: 1000 } },
      queryTokens: 15,
      sharedQuery: false,
    },
    { documents: 12, documentTokens: { uniform: [300, 500] }, queryTokens: 300, sharedQuery: true },
    { documents: 4, documentTokens: { uniform: [2000, 4000] }, queryTokens: 15, sharedQuery: false },
  ],
  documents: 100,
  documentTokens: { uniform: [300, 500] },
  queryTokens: { short: 15, long: 300 },
  calls: 6,
  warmups: 2,
  baseCalls: 4,
  batchTokens: [4096, 8192, 32_768],
  gemm: { rows: [8192, 16_384], seconds: 0.3 },
};
const tiny = {
  ...full,
  shape: 'tiny',
  device: 'cpu',
  precisions: ['fp32'],
  attentions: ['auto'],
  parity: [{ documents: 4, documentTokens: { uniform: [10, 40] }, queryTokens: 5, sharedQuery: false }],
  documents: 3,
  documentTokens: { uniform: [12, 20] },
  queryTokens: { short: 5, long: 12 },
  calls: 2,
  warmups: 1,
  baseCalls: 1,
  batchTokens: [32],
  gemm: { rows: [16], seconds: 0.01 },
};

/**
 * Largest deviation from Hugging Face's fp32 logits to expect of the goldens: emulated with CUDA's roundings, times two.
 */
const expected = {
  'causal-bf16': { fp16: 0.04, bf16: 0.36 },
  'causal-deep': { fp16: 0.046, bf16: 0.38 },
  'causal-hot': { fp16: 0.05, bf16: 0.26 },
  'causal-fp16': { fp16: 0.028, bf16: 0.22 },
  'seqcls-bf16': { fp16: 0.036, bf16: 0.38 },
  'seqcls-chat': { fp16: 0.028, bf16: 0.52 },
  'causal-fp32-sharded': { fp16: 0.05, bf16: 0.6 },
};

async function prepare() {
  const settings = dryRun ? tiny : full;
  mkdirSync(state, { recursive: true });
  const folder = await shapeFolder('tiny', settings.seed, join(state, 'shape'), (message) => console.error(message));
  const checkpoint = join(state, 'checkpoint');
  cpSync(folder, checkpoint, { recursive: true });
  const { true_token_id: trueTokenId } = read(join(checkpoint, '1_LogitScore/config.json'));
  writeFileSync(join(checkpoint, 'config.json'), checkpointFiles(shapes[settings.shape], trueTokenId)['config.json']);
  const pairs = [];
  for (const [i, set] of settings.parity.entries())
    for (const call of await makeCalls(folder, { ...set, calls: 1, seed: settings.seed + i }))
      pairs.push(...call.pairs);
  const { encoder, maxLength } = await readCrossEncoder(folder);
  const prompts = await encoder.encode(pairs, { maxLength, truncation: 'error', specialTokens: 'parse' });
  const { documents, documentTokens, seed } = settings;
  const calls = Math.max(settings.calls, settings.baseCalls) + settings.warmups;
  const requests = {};
  for (const [name, queryTokens] of Object.entries(settings.queryTokens)) {
    const made = await makeCalls(folder, { calls, documents, documentTokens, queryTokens, sharedQuery: true, seed });
    requests[name] = made.map((call) => call.requests[0]);
  }
  rmSync(join(state, 'shape'), { recursive: true });
  rmSync(join(checkpoint, 'model.safetensors'));
  write('settings.json', settings);
  write('texts.json', { trueTokenId, pairs, ids: prompts.map(({ ids }) => ids), requests });
}

const read = (path) => JSON.parse(readFileSync(path, 'utf8'));
const write = (name, content) => writeFileSync(join(state, name), `${JSON.stringify(content)}\n`);
const settings = values.prepare ? undefined : read(join(state, 'settings.json'));
const texts = values.prepare ? undefined : read(join(state, 'texts.json'));

/** A stage of gpu_base.py, where it has run. */
function base(stage) {
  const path = join(state, 'base.jsonl');
  if (!existsSync(path)) return undefined;
  const lines = readFileSync(path, 'utf8')
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line));
  return lines.findLast((line) => line.stage === stage && line.error === undefined);
}

async function withReranker(folder, options, use) {
  const threads = dryRun ? { threads: 1, workers: 1 } : {};
  const reranker = await Reranker.load(folder, { device: settings.device, ...threads, ...options });
  try {
    return await use(reranker);
  } finally {
    await reranker.close();
  }
}

/** The model of this precision: fp16 and bf16 are stored as such, and nothing is converted. */
const model = (precision) => join(state, precision === 'fp16' ? 'fp16' : 'bf16');
const largest = (logits, reference) => Math.max(...logits.map((logit, i) => Math.abs(logit - reference[i])));
/** The value, or what it failed with: one form that fails says nothing of the next. */
const attempt = (work) => work().catch((error) => ({ error: error.message }));

const forms = () =>
  settings.precisions.flatMap((precision) =>
    settings.attentions.map((attention) => [`${precision} ${attention}`, { precision, attention }]),
  );

/**
 * Pairs a second, `concurrency` calls in flight. `products`: operations of a number of computed tokens and pairs;
 * `ceiling`: operations a second of PyTorch's products, where they are known.
 */
async function rate(reranker, requests, concurrency, { products, ceiling }) {
  const run = async (some) => {
    const waiting = some.values();
    const seconds = [];
    const client = async () => {
      for (const { query, documents } of waiting) {
        const start = performance.now();
        await reranker.rank(query, documents);
        seconds.push((performance.now() - start) / 1000);
      }
    };
    await Promise.all(Array.from({ length: concurrency }, client));
    return seconds;
  };
  await run(requests.slice(0, settings.warmups));
  const before = reranker.counters();
  const start = performance.now();
  const timed = requests.slice(settings.warmups, settings.warmups + settings.calls);
  const secondsOfCalls = await run(timed);
  const seconds = (performance.now() - start) / 1000;
  const after = reranker.counters();
  const pairs = timed.length * settings.documents;
  const computedTokens = after.computedTokens - before.computedTokens;
  const computeSeconds = after.computeSeconds - before.computeSeconds;
  return {
    pairsPerSecond: pairs / seconds,
    p50: median(secondsOfCalls),
    computeSecondsPerCall: computeSeconds / timed.length,
    /** Share of the time in which no batch was computed: one runs at a time. */
    idle: Math.max(0, 1 - computeSeconds / seconds),
    /** Of the ceiling, what the products of the computed tokens came to in the time of the calls. */
    gemmShare: ceiling && products(computedTokens, pairs) / seconds / ceiling,
    computedTokensPerSecond: computedTokens / seconds,
    batches: after.batches - before.batches,
  };
}

async function rates(options, concurrencies = [1, 4]) {
  const network = await readNetwork(model(options.precision));
  // Sequences of no tokens: attention is no product that the ceiling is of.
  const products = (computedTokens, pairs) =>
    modelFlops(network, { computedTokens, sequenceTokens: new Array(pairs).fill(0) });
  const ceiling = base('gemm')?.ceiling[options.precision];
  return withReranker(model(options.precision), options, async (reranker) => {
    const result = { placement: reranker.placement };
    for (const [query, requests] of Object.entries(texts.requests))
      for (const concurrency of concurrencies)
        result[`${query} x${concurrency}`] = await rate(reranker, requests, concurrency, { products, ceiling });
    return result;
  });
}

const stages = {
  check: () =>
    withReranker(join(goldens, 'causal-bf16'), {}, async (reranker) => {
      const [best] = await reranker.rank('bread', ['bread', 'stone']);
      return { placement: reranker.placement, score: best.score };
    }),

  async goldens() {
    const deviations = {};
    for (const [label, options] of forms()) {
      for (const name of readdirSync(goldens).filter((name) => expected[name])) {
        const { cases, instruction_form: form } = read(join(goldens, name, 'expected.json'));
        // Of one call: an instruction is the call's. A folder without a template takes prompts that are complete.
        const some = cases.filter(({ instruction }) => form === 'ready' || instruction === undefined);
        deviations[`${name} ${label}`] = await attempt(() =>
          withReranker(join(goldens, name), options, async (reranker) => {
            const pairs = some.map(({ query, document, prompt }) => (form === 'ready' ? prompt : [query, document]));
            const logits = await reranker.predict(pairs);
            const deviation = largest(
              [...logits],
              some.map(({ logit_fp32 }) => logit_fp32),
            );
            const limit = expected[name][reranker.precision] ?? 2e-4;
            return { deviation, limit, ok: deviation <= limit, attention: reranker.placement.attention };
          }),
        );
      }
    }
    return { ok: Object.values(deviations).every(({ ok }) => ok === true), deviations };
  },

  async parity() {
    const reference = base('fp32')?.logits;
    const official = base('sentence-transformers')?.logits;
    const deviations = {};
    for (const [form, options] of forms()) {
      deviations[form] = await attempt(() =>
        withReranker(model(options.precision), options, async (reranker) => {
          const logits = [...(await reranker.predict(texts.pairs))];
          return { largest: reference && largest(logits, reference), attention: reranker.placement.attention };
        }),
      );
    }
    return { deviations, sentenceTransformers: reference && official && largest(official, reference) };
  },

  async rerank() {
    const [precision] = settings.precisions;
    return {
      ...(await rates({ precision })),
      sentenceTransformers: base('sentence-transformers')?.pairsPerSecond,
      gemm: base('gemm')?.ceiling,
    };
  },

  async kernels() {
    const [precision] = settings.precisions;
    const result = {};
    // What is ONNX Runtime's alone, each of zrank's own, and together.
    const forms = [
      ['fused', 'plain', 'plain'],
      ['tiled', 'plain', 'plain'],
      ['fused', 'fused', 'plain'],
      ['fused', 'plain', 'tuned'],
      ['tiled', 'fused', 'plain'],
      ['tiled', 'fused', 'tuned'],
    ];
    for (const [attention, gatedUnits, products] of dryRun ? [['auto', 'auto', 'auto']] : forms)
      result[`${attention} attention, ${gatedUnits} units, ${products} products`] = await attempt(() =>
        rates({ precision, attention, gatedUnits, products }, [1]),
      );
    return result;
  },

  async variants() {
    const [precision] = settings.precisions;
    const result = {};
    for (const maxBatchTokens of settings.batchTokens)
      result[`${maxBatchTokens} tokens a batch`] = await attempt(() => rates({ precision, maxBatchTokens }, [4]));
    for (const attention of settings.attentions)
      result[`${attention} attention`] = await attempt(() => rates({ precision, attention }, [1]));
    return result;
  },
};

if (values.prepare) {
  await prepare();
} else {
  for (const [name, stage] of Object.entries(stages)) {
    if (values.stage.length > 0 && !values.stage.includes(name)) continue;
    const start = performance.now();
    let line;
    try {
      line = { stage: name, ...(await stage()) };
    } catch (error) {
      line = { stage: name, error: error.message };
      process.exitCode = 1;
    }
    const text = JSON.stringify({ ...line, seconds: (performance.now() - start) / 1000 });
    console.log(text);
    appendFileSync(join(state, 'zrank.jsonl'), `${text}\n`);
  }
}
