// report.mjs STATE [--out FOLDER] STEP...: puts the results of the steps together. With --out it writes
// FOLDER/GPU.json; it prints the table either way.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { measureParity } from './parity.mjs';
import { resultsOf, settings, state } from './state.mjs';
import { writeTable } from './table.mjs';

const [option, folder] = process.argv.slice(3);
const steps = option === '--out' ? process.argv.slice(5) : process.argv.slice(3);

const only = (step) => resultsOf(step)?.[0] ?? null;
const reranks = ['rerank-short', 'rerank-long'].flatMap((step) => resultsOf(step) ?? []);
const scores = only('scores');
const gemm = only('gemm');
const parity = only('texts') && scores && measureParity(only('texts'), scores, only('reference'));
const latency = only('latency');
const trace = only('trace');

const report = {
  gpu: Object.values(scores ?? {})[0]?.placement.gpus?.[0] ?? null,
  machine: reranks[0]?.machine ?? null,
  versions: Object.assign({}, only('reference')?.versions, ...reranks.map(({ versions }) => versions)),
  settings,
  steps: Object.fromEntries(steps.map((step) => [step, standing(step)])),
  parity,
  placements:
    scores &&
    Object.fromEntries(
      Object.entries(scores).map(([precision, { placement, counters, loadSeconds }]) => [
        precision,
        { ...placement, counters, loadSeconds },
      ]),
    ),
  gemm,
  rerank: withShare(reranks),
  attention: withShare(resultsOf('attention')),
  batchTokens: withShare(resultsOf('batch-tokens')),
  latency,
  trace,
  kernels: only('kernels'),
};
report.targets = settings.dryRun ? [] : targets(report);

if (option === '--out') {
  mkdirSync(folder, { recursive: true });
  const name = settings.dryRun ? 'dry-run' : (report.gpu?.name ?? settings.device);
  const path = join(folder, `${name.toLowerCase().replaceAll(/[^a-z0-9]+/g, '-')}.json`);
  writeFileSync(path, `${JSON.stringify(report, null, 2)}\n`);
  console.error(`check: the result is in ${path}`);
}
process.stdout.write(writeTable(report));

function standing(step) {
  if (existsSync(join(state, `${step}.json`))) return 'done';
  const path = join(state, `${step}.status`);
  return existsSync(path) ? readFileSync(path, 'utf8').trim() : 'not run';
}

/**
 * Results with gemmShare: what their computed tokens need, of the ceiling that PyTorch's products set in the same
 * precision.
 */
function withShare(results = []) {
  return results.map((result) => {
    const ceiling = gemm?.[result.settings.precision]?.ceiling;
    return { ...result, gemmShare: ceiling && result.flops ? result.flops / ceiling : null };
  });
}

/** Issue targets for an H200; `value` is null where it was not measured. */
function targets({ rerank: results }) {
  const of = (query) => results.find(({ settings: { query: found } }) => found === query);
  const ratio = (query) => of(query)?.against.find(({ name }) => name === 'sentence-transformers-bf16')?.ratio ?? null;
  const zrank = parity?.deviations.find(({ name }) => name === 'zrank fp16')?.largest ?? null;
  const official = parity?.deviations.find(({ name }) => name === 'sentence-transformers bf16')?.largest ?? null;
  const target = (name, value, limit, met) => ({
    name,
    value,
    limit,
    met: value === null || limit === null ? null : met(value, limit),
  });
  const atLeast = (value, limit) => value >= limit;
  const atMost = (value, limit) => value <= limit;
  return [
    target(
      'largest deviation of fp16, below that of sentence-transformers bf16',
      zrank,
      official,
      (value, limit) => value < limit,
    ),
    target('short query: times sentence-transformers bf16, at least', ratio('short'), 2.3, atLeast),
    target('long query: times sentence-transformers bf16, at least', ratio('long'), 4, atLeast),
    target(
      'short query: share of the GEMM ceiling on computed tokens, at least',
      of('short')?.gemmShare ?? null,
      0.65,
      atLeast,
    ),
    target('p50 of a call of 100 documents over its computing, at most', latency?.ratio ?? null, 1.1, atMost),
    target('idle between batches, at most', trace?.idle ?? null, 0.02, atMost),
  ];
}
