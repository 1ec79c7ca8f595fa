// Steps rerank-short and rerank-long: zrank bench beside sentence-transformers in bf16 and fp16. Steps attention and
// batch-tokens: zrank alone with several forms of attention and sizes of batch.
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { resultOf, settings } from './state.mjs';

const command = fileURLToPath(new URL('../../dist/cli/zrank-bench.js', import.meta.url));
const { folder } = resultOf('checkpoint');
const { device, precisions, seed, attentions, batchTokens, benchArguments, sweepArguments } = settings;
const common = [
  'rerank',
  '--json',
  '--model',
  folder,
  '--device',
  device,
  '--precision',
  precisions[0],
  '--seed',
  String(seed),
];
const peers = ['sentence-transformers-bf16', 'sentence-transformers-fp16'];

/** Runs zrank bench and prints its results, which it returns; none where it fails, and says so. */
function bench(...args) {
  const { status, stdout } = spawnSync(process.execPath, [command, ...common, ...args], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  process.stdout.write(stdout);
  if (status !== 0) process.exitCode = 1;
  return stdout
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line));
}

const step = process.argv[3];
if (step === 'attention') {
  for (const attention of attentions) bench('--attention', attention, '--query', 'short,long', ...sweepArguments);
} else if (step === 'batch-tokens') {
  for (const tokens of batchTokens) bench('--max-batch-tokens', String(tokens), ...sweepArguments);
} else {
  const [result] = bench(
    '--query',
    step.slice('rerank-'.length),
    ...peers.flatMap((name) => ['--against', name]),
    ...benchArguments,
  );
  const absent = result?.against.filter(({ ratio }) => ratio === null).map(({ name }) => name) ?? [];
  if (absent.length > 0) {
    console.error(`${process.env.ZRANK_PYTHON} cannot run ${absent.join(' and ')}`);
    process.exitCode = 3;
  }
}
