// settings.mjs STATE full|dry-run DEVICE PRECISIONS SHAPE (the last three '' for the default): writes
// STATE/settings.json, which the steps read. A state folder keeps to the settings that it was begun with.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const settings = {
  full: {
    dryRun: false,
    shape: 'zerank-2',
    seed: 1,
    device: 'cuda',
    /** What zrank computes in; throughput is measured in the first. */
    precisions: ['fp16', 'bf16'],
    /** Sets of pairs for parity, as makeCalls takes them. */
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
    /** Of zrank bench; its scenario says the rest. */
    benchArguments: [],
    /** Forms of attention to compare, the default first, and sizes of batch. */
    attentions: ['fused', 'paged'],
    batchTokens: [2048, 4096, 8192, 16_384, 32_768],
    sweepArguments: ['--calls', '6', '--warmups', '2'],
    threads: null,
    /** Of latency, trace and kernels: those of the scenario rerank. */
    requests: { documents: 100, documentTokens: { uniform: [300, 500] }, queryTokens: 15 },
    latency: { calls: 20, warmups: 3, concurrency: 1 },
    trace: { calls: 24, warmups: 4, concurrency: 4 },
    kernels: { calls: 3, warmups: 2, concurrency: 1 },
    /** Rows of the products, and how long each is repeated. */
    gemm: { rows: [2048, 8192, 16_384], seconds: 0.5 },
  },
  'dry-run': {
    dryRun: true,
    shape: 'tiny',
    seed: 1,
    device: 'cpu',
    precisions: ['bf16', 'fp32'],
    parity: [{ documents: 8, documentTokens: { uniform: [10, 60] }, queryTokens: 5, sharedQuery: false }],
    benchArguments: [
      '--calls',
      '2',
      '--warmups',
      '1',
      '--documents',
      '3',
      '--tokens',
      '12-20',
      '--threads',
      '1',
      '--workers',
      '1',
    ],
    attentions: ['auto'],
    batchTokens: [32],
    sweepArguments: [
      '--calls',
      '2',
      '--warmups',
      '0',
      '--documents',
      '3',
      '--tokens',
      '12-20',
      '--threads',
      '1',
      '--workers',
      '1',
    ],
    threads: 1,
    requests: { documents: 6, documentTokens: { uniform: [12, 20] }, queryTokens: 5 },
    latency: { calls: 3, warmups: 1, concurrency: 1 },
    trace: { calls: 6, warmups: 1, concurrency: 2 },
    kernels: { calls: 2, warmups: 1, concurrency: 1 },
    gemm: { rows: [32], seconds: 0.01 },
  },
};

const [state, mode, device, precision, shape] = process.argv.slice(2);
const given = {
  ...(device && { device }),
  ...(precision && { precisions: precision.split(',') }),
  ...(shape && { shape }),
};
const wanted = { ...settings[mode], ...given };
const path = join(state, 'settings.json');
const text = `${JSON.stringify(wanted, null, 2)}\n`;
if (existsSync(path) && readFileSync(path, 'utf8') !== text) {
  console.error(`check: ${state} was begun with other settings; remove it or name another with --state`);
  process.exit(2);
}
writeFileSync(path, text);
