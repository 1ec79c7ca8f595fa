// bench/gpu/check.sh --dry-run: every step on the CPU with a tiny network. Real: zrank, zrank bench, ONNX Runtime's
// trace. Absent: PyTorch, unless ZRANK_PYTHON names an interpreter that has sentence-transformers; its steps then say
// that they are missing.
import { cp, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { execute, type Outcome } from './command.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const steps = [
  'checkpoint',
  'texts',
  'reference',
  'scores',
  'gemm',
  'rerank-short',
  'rerank-long',
  'attention',
  'batch-tokens',
  'latency',
  'trace',
  'kernels',
];
const needPython = ['reference', 'gemm', 'rerank-short', 'rerank-long'];

let folder: string;
let first: Outcome;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'zrank-check-'));
  first = await check('done', '--python', 'no-such-python');
}, 500_000);
afterAll(() => rm(folder, { recursive: true }));

/** With a cache folder of the tests' own. */
const run = (path: string, args: readonly string[]): Promise<Outcome> =>
  execute(path, args, { cwd: root, env: { XDG_CACHE_HOME: join(folder, 'cache') } });

/** A dry run with a state folder of this name. */
function check(state: string, ...args: string[]): Promise<Outcome> {
  return run('bench/gpu/check.sh', ['--dry-run', '--state', join(folder, state), ...args]);
}

async function report(state: string) {
  return JSON.parse(await readFile(join(folder, state, 'dry-run.json'), 'utf8'));
}

describe('the dry run', () => {
  test('runs every step; those that need PyTorch say that it is missing', async () => {
    expect(first.code, first.stderr).toBe(0);
    const { steps: standing } = await report('done');
    expect(Object.keys(standing)).toEqual(steps);
    for (const step of steps) {
      expect(standing[step], step).toMatch(needPython.includes(step) ? /^missing: .*no-such-python/ : /^done$/);
      if (needPython.includes(step)) expect(first.stdout).toContain(`- ${step}: missing: `);
    }
  });

  test('gives figures that fit together', async () => {
    const { rerank, attention, batchTokens, latency, trace, kernels, parity, targets, placements } =
      await report('done');
    expect(rerank.map((result: any) => [result.settings.query, result.against.map(({ ratio }: any) => ratio)])).toEqual(
      [
        ['short', [null, null]],
        ['long', [null, null]],
      ],
    );
    expect(attention.map((result: any) => [result.settings.attention, result.settings.query])).toEqual([
      ['grouped', 'short'],
      ['grouped', 'long'],
    ]);
    expect(batchTokens.map((result: any) => result.settings.maxBatchTokens)).toEqual([32]);
    expect(latency.callMs).toHaveLength(3);
    expect(latency.ratio).toBeGreaterThan(1);
    expect(trace.batches).toBeGreaterThan(1);
    expect(trace.idle).toBeCloseTo(trace.idleMs / trace.traceMs, 10);
    expect(trace.largestGapMs).toBeLessThanOrEqual(trace.idleMs);
    const shares = Object.values(kernels.kinds).map(({ share }: any) => share);
    expect(shares.reduce((total, share) => total + share, 0)).toBeCloseTo(1, 6);
    for (const kind of ['gemm', 'attention', 'norm', 'gather'])
      expect(kernels.kinds[kind].share, kind).toBeGreaterThan(0);
    expect(kernels.kinds.other.share).toBe(0);
    expect(kernels.betweenMs).toBeLessThan(kernels.runMs);
    expect(Object.keys(placements)).toEqual(['bf16', 'fp32']);
    expect(parity).toMatchObject({ pairs: 8, deviations: [] });
    expect(targets).toEqual([]);
  });

  test('--table prints the same again, --list how the steps stand', async () => {
    expect(await check('done', '--table')).toMatchObject({ code: 0, stdout: first.stdout });
    const { stdout } = await check('done', '--list');
    expect(stdout.split('\n').slice(0, 3)).toEqual([
      'checkpoint: done',
      'texts: done',
      expect.stringMatching(/^reference: missing: /),
    ]);
  });

  test('a step that is done is not run again; deviations and shares are of what the steps found', async () => {
    const state = join(folder, 'resumed');
    await cp(join(folder, 'done'), state, { recursive: true });
    for (const name of await readdir(state)) {
      if (name.endsWith('.status')) await rm(join(state, name));
      if (name.endsWith('.partial.json')) await rename(join(state, name), join(state, name.replace('.partial', '')));
    }
    const { fp32 } = JSON.parse(await readFile(join(state, 'scores.json'), 'utf8'));
    const shifted = (by: number) => fp32.logits.map((logit: number) => logit + by);
    const officials = { bf16: shifted(0.75), fp16: [null, ...shifted(0).slice(1)] };
    await writeFile(
      join(state, 'reference.json'),
      `${JSON.stringify({ versions: { torch: '2' }, fp32: shifted(0.5), sentenceTransformers: officials })}\n`,
    );
    const { rerank } = await report('done');
    const {
      flops,
      settings: { precision },
    } = rerank[0];
    const rates = { ceiling: 4 * flops, flopsByRows: { 32: { layer: 4 * flops } } };
    await writeFile(
      join(state, 'gemm.json'),
      `${JSON.stringify({ device: 'cpu', fp16: rates, bf16: rates, fp32: rates })}\n`,
    );

    const { code, stderr } = await check('resumed', '--python', 'no-such-python');
    expect(code, stderr).toBe(0);
    expect(stderr.match(/: done before/g)).toHaveLength(steps.length);
    const resumed = await report('resumed');
    const deviation = (name: string) => resumed.parity.deviations.find((entry: any) => entry.name === name);
    expect(deviation('zrank fp32').largest).toBeCloseTo(0.5, 6);
    expect(deviation('sentence-transformers bf16')).toMatchObject({
      largest: expect.closeTo(0.25, 6),
      mean: expect.closeTo(0.25, 6),
      notFinite: 0,
    });
    expect(deviation('sentence-transformers fp16').notFinite).toBe(1);
    expect(resumed.rerank[0].gemmShare, precision).toBeCloseTo(0.25, 6);

    // The same results as if they came from a GPU: the targets are judged.
    const settings = JSON.parse(await readFile(join(state, 'settings.json'), 'utf8'));
    await writeFile(join(state, 'settings.json'), JSON.stringify({ ...settings, dryRun: false }));
    const { stdout } = await run(process.execPath, ['bench/gpu/report.mjs', state, ...steps]);
    expect(stdout).toContain('| short query: times sentence-transformers bf16, at least | 2.3 | – | not measured |');
    expect(stdout).toMatch(
      /\| short query: share of the GEMM ceiling on computed tokens, at least \| 0.65 \| 0.25 \| \*\*no\*\* \|/,
    );
  });

  test('a step that fails is said, and the next one runs', async () => {
    const { code, stderr } = await check('broken', '--step', 'latency', '--step', 'scores');
    expect(code).toBe(1);
    for (const step of ['latency', 'scores']) expect(stderr).toContain(`check: ${step}: failed: `);
    expect((await check('broken', '--list')).stdout).toMatch(/scores: failed: .*the step texts has no result/);
  });

  test('a state folder keeps to its settings', async () => {
    const { code, stderr } = await check('done', '--shape', 'qwen3-0.6b');
    expect(code).toBe(2);
    expect(stderr).toContain('other settings');
  });

  test.each([
    [['--step', 'nonsense'], 'kernels'],
    [['--no-such-option'], '--no-such-option'],
    [['--limit', 'x'], '--limit'],
    [['--step'], 'a value'],
  ])('%j is wrong usage', async (args, expected) => {
    const { code, stderr } = await check('wrong', ...args);
    expect([code, stderr]).toEqual([2, expect.stringContaining(expected)]);
  });
});

const python = process.env['ZRANK_PYTHON'];
if (!python) console.log('ZRANK_PYTHON is not set: parity with PyTorch in the dry run is not tested');

test.skipIf(!python)(
  'with PyTorch, zrank and sentence-transformers score the same token',
  { timeout: 500_000 },
  async () => {
    await cp(join(folder, 'done'), join(folder, 'torch'), { recursive: true });
    const { code, stderr } = await check('torch', '--python', python!, '--step', 'reference', '--step', 'gemm');
    expect(code, stderr).toBe(0);
    const { parity, gemm } = await report('torch');
    const largest = (name: string): number => parity.deviations.find((entry: any) => entry.name === name).largest;
    expect(parity.spread).toBeGreaterThan(0.01);
    expect(largest('zrank fp32')).toBeLessThan(1e-5);
    expect(largest('sentence-transformers fp32')).toBeLessThan(1e-5);
    expect(largest('sentence-transformers bf16')).toBeLessThan(0.1 * parity.spread);
    expect(gemm.bf16.ceiling).toBeGreaterThan(0);
  },
);
