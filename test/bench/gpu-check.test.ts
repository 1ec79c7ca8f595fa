// bench/gpu/check.sh --dry-run: every stage on the CPU with a tiny network. Real: zrank, and PyTorch where ZRANK_PYTHON
// names an interpreter that has sentence-transformers. A double elsewhere: the checkpoint that gpu_base.py would make.
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { shapeFolder } from '../../dist/bench/shape.js';
import { root } from '../support.js';
import { execute, type Outcome } from './command.js';

let folder: string;
let prepared: Outcome;
let state: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'zrank-check-'));
  state = join(folder, 'state');
  prepared = await check('--prepare');
}, 120_000);
afterAll(() => rm(folder, { recursive: true }));

const check = (...args: string[]): Promise<Outcome> =>
  execute('bench/gpu/check.sh', ['--dry-run', '--state', state, '--python', 'no-such-python', ...args], { cwd: root });
const linesOf = (text: string): any[] =>
  text
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line));

const stages = ['check', 'goldens', 'parity', 'rerank', 'kernels', 'variants'];

describe('the dry run', () => {
  test('prepares what needs no GPU', async () => {
    expect(prepared.code, prepared.stderr).toBe(0);
    const texts = JSON.parse(await readFile(join(state, 'texts.json'), 'utf8'));
    expect(texts.ids).toHaveLength(texts.pairs.length);
    expect(Object.keys(texts.requests)).toEqual(['short', 'long']);
    const config = JSON.parse(await readFile(join(state, 'checkpoint/config.json'), 'utf8'));
    expect(config.hidden_size).toBe(64);
  });

  test('goes on where stages fail, and says so', { timeout: 120_000 }, async () => {
    const { code, stdout, stderr } = await check();
    expect(code).toBe(1);
    expect(stderr).toContain('there is no no-such-python');
    const lines = linesOf(stdout);
    expect(lines.map(({ stage }) => stage)).toEqual(stages);
    // Without the checkpoint.
    for (const { stage, error } of lines) expect(error !== undefined, stage).toBe(stage === 'rerank');
    expect(Object.values(lines[2].deviations)).toEqual([{ error: expect.stringContaining('bf16') }]);
  });

  test('gives figures of every stage', { timeout: 120_000 }, async () => {
    const made = await shapeFolder('tiny', 1, join(folder, 'cache'), () => {});
    await mkdir(join(state, 'bf16'));
    await cp(made, join(state, 'bf16'), { recursive: true });
    const ceiling = 1e12;
    await writeFile(join(state, 'base.jsonl'), `${JSON.stringify({ stage: 'gemm', ceiling: { fp32: ceiling } })}\n`);
    const { code, stdout, stderr } = await execute(process.execPath, ['bench/gpu/gpu_zrank.mjs', state, '--dry-run'], {
      cwd: root,
    });
    expect(code, stderr).toBe(0);
    const [checked, goldens, parity, rerank, kernels, variants] = linesOf(stdout);
    expect(checked.placement.device).toBe('cpu');
    expect(Object.keys(goldens.deviations).length).toBeGreaterThan(5);
    expect(goldens.ok, JSON.stringify(goldens)).toBe(true);
    for (const { deviation } of Object.values<any>(goldens.deviations)) expect(deviation).toBeLessThan(2e-4);
    expect(Object.keys(parity.deviations)).toEqual(['fp32 auto']);
    for (const name of ['short x1', 'short x4', 'long x1', 'long x4']) {
      expect(rerank[name].pairsPerSecond, name).toBeGreaterThan(0);
      expect(rerank[name].batches, name).toBeGreaterThan(0);
      expect(rerank[name].idle, name).toBeGreaterThan(0);
      expect(rerank[name].idle, name).toBeLessThan(1);
      // The tiny network: 2 layers of 64, 192 between, 4 heads of 16, 2 of keys and values. The last layer has queries,
      // keys and values of all tokens, and the rest of each pair's last one alone.
      const { gemmShare, computedTokensPerSecond, pairsPerSecond } = rerank[name];
      const perToken = 2 * 2 * 64 * 16 * (4 + 2 * 2) + 2 * 64 * (4 * 16 + 3 * 192);
      const perPair = 2 * 64 * (4 * 16 + 3 * 192) + 2 * 64;
      const expected = computedTokensPerSecond * perToken + pairsPerSecond * perPair;
      expect((gemmShare * ceiling) / expected, name).toBeCloseTo(1, 6);
    }
    // One worker: the calls' time is computing, idling and nothing else.
    const { p50, computeSecondsPerCall, pairsPerSecond, idle } = rerank['short x1'];
    expect(p50).toBeGreaterThan(0);
    expect(computeSecondsPerCall).toBeCloseTo((1 - idle) * (3 / pairsPerSecond), 6);
    expect(kernels['auto attention, auto units, auto products']['short x1'].pairsPerSecond).toBeGreaterThan(0);
    expect(variants['32 tokens a batch']['long x4'].pairsPerSecond).toBeGreaterThan(0);
    const kept = await readFile(join(state, 'zrank.jsonl'), 'utf8');
    expect(linesOf(kept).slice(-stages.length)).toEqual(linesOf(stdout));
  });

  test.each([
    [['--no-such-option'], '--no-such-option'],
    [['--state'], 'a value'],
  ])('%j is wrong usage', async (args, expected) => {
    const { code, stderr } = await check(...args);
    expect([code, stderr]).toEqual([2, expect.stringContaining(expected)]);
  });
});

const python = process.env['ZRANK_PYTHON'];
if (!python) console.log('ZRANK_PYTHON is not set: parity with PyTorch in the dry run is not tested');

test.skipIf(!python)(
  'with PyTorch, zrank and sentence-transformers score the same token',
  { timeout: 300_000 },
  async () => {
    const args = ['--dry-run', '--state', join(folder, 'torch'), '--python', python!];
    const { code, stdout, stderr } = await execute('bench/gpu/check.sh', args, { cwd: root });
    expect(code, stderr).toBe(0);
    const lines = new Map(linesOf(stdout).map((line) => [line.stage, line]));
    expect([...lines.keys()]).toEqual(['machine', 'checkpoint', 'gemm', 'fp32', 'sentence-transformers', ...stages]);
    const { spread } = lines.get('fp32');
    expect(spread).toBeGreaterThan(0.01);
    expect(lines.get('parity').deviations['fp32 auto'].largest).toBeLessThan(1e-5);
    expect(lines.get('parity').sentenceTransformers).toBeLessThan(0.1 * spread);
    expect(lines.get('gemm').ceiling.bf16).toBeGreaterThan(0);
  },
);
