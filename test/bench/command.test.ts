// The command on the embedded model, each time in a process of its own; no time is asserted.
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { BenchResult } from '../../dist/bench/result.js';
import { golden } from '../support.js';
import { small, zrankBench } from './command.js';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'zrank-bench-'));
});
afterAll(() => rm(folder, { recursive: true }));

async function results(...args: string[]): Promise<BenchResult[]> {
  const { code, stdout, stderr } = await zrankBench([...small, '--json', ...args]);
  expect(code, stderr).toBe(0);
  return stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as BenchResult);
}

test('without --calls it says how long it takes, and makes as many calls as there is time for', async () => {
  const workload = ['--documents', '100', '--tokens', '300-500', '--threads', '1', '--warmups', '1'];
  const { code, stdout, stderr } = await zrankBench(['--json', '--seconds', '1', ...workload]);
  expect(code, stderr).toBe(0);
  expect(stderr).toMatch(/takes up to about 1 s \(--seconds, --calls\)/);
  const [, timed] = /1 warm-up calls; (\d+) timed ones take about \d+ s/.exec(stderr) ?? [];
  const { settings } = JSON.parse(stdout) as BenchResult;
  expect(settings).toMatchObject({ calls: Number(timed), warmups: 1, seconds: 1 });
  expect(settings.calls).toBeGreaterThanOrEqual(3);
  expect(settings.calls).toBeLessThan(32);
});

describe('--json', () => {
  test('prints one object with the documented members', async () => {
    const [result, ...more] = await results();
    expect(more).toEqual([]);
    expect(Object.keys(result!)).toEqual([
      'scenario',
      'pairsPerSecond',
      'tokensPerSecond',
      'computedTokensPerSecond',
      'latencyMs',
      'idle',
      'paddingWaste',
      'tokensSaved',
      'flops',
      'mfu',
      'peakRssBytes',
      'loadSeconds',
      'eventLoopDelayMs',
      'against',
      'machine',
      'versions',
      'settings',
    ]);
    expect(Object.keys(result!.latencyMs)).toEqual(['p50', 'p95', 'p99']);
    expect(result).toMatchObject({
      scenario: 'rerank',
      against: [],
      settings: { calls: 2, documents: 3, documentTokens: { uniform: [12, 20] } },
    });
    expect(Object.keys(result!.versions)).toEqual(['zrank', 'node', 'onnxruntime']);
  });

  test('gives figures that fit together', async () => {
    const [result] = await results('--query', 'long', '--workers', '1');
    const {
      latencyMs,
      pairsPerSecond,
      tokensPerSecond,
      computedTokensPerSecond,
      tokensSaved,
      idle,
      paddingWaste,
      flops,
      mfu,
      machine,
    } = result!;
    expect(latencyMs.p50).toBeGreaterThan(0);
    expect(latencyMs.p95).toBeGreaterThanOrEqual(latencyMs.p50);
    expect(latencyMs.p99).toBeGreaterThanOrEqual(latencyMs.p95);
    // Two calls of three prompts: a query of 300 tokens, which the three share, and a document of 12 to 20.
    const tokens = (tokensPerSecond / pairsPerSecond) * 6;
    expect(tokens).toBeGreaterThan(6 * 312);
    expect(tokens).toBeLessThan(6 * 350);
    expect(tokensSaved).toBeGreaterThanOrEqual(2 * 2 * 300);
    expect((computedTokensPerSecond / pairsPerSecond) * 6).toBeCloseTo(tokens - tokensSaved, 3);
    expect(paddingWaste).toBeGreaterThanOrEqual(0);
    expect(paddingWaste).toBeLessThan(0.1);
    expect(mfu).toBeGreaterThan(0);
    expect(mfu! * machine.gemmGflops! * 1e9).toBeCloseTo(flops!, -3);
    expect(idle).toBeGreaterThan(0);
    expect(idle).toBeLessThan(1);
    expect(result!.peakRssBytes).toBeGreaterThan(2 ** 24);
    expect(result!.loadSeconds).toBeGreaterThan(0);
    expect(result!.eventLoopDelayMs).toBeGreaterThanOrEqual(0);
  });

  test('prints an object for each combination of lists', async () => {
    const runs = await results('pairs', 'short', '--concurrency', '1,2', '--workers', '1', '--threads', '1');
    expect(runs.map(({ scenario, settings }) => [scenario, settings.concurrency])).toEqual([
      ['pairs', 1],
      ['pairs', 2],
      ['short', 1],
      ['short', 2],
    ]);
    expect(runs[0]!.settings).toMatchObject({ workers: 1, threads: 1, sharedQuery: false });
    // Independent pairs share the template's beginning at most.
    expect(runs[0]!.tokensSaved).toBeLessThan(6 * 8);
  });
});

test('prints a summary, and says that the embedded model is measured', async () => {
  const { stdout, stderr } = await zrankBench(small);
  expect(stdout).toMatch(/^rerank: 3 documents of 12-20 tokens, short query, concurrency 1\n {2}model /);
  for (const row of [
    'throughput',
    'a call',
    'tokens saved',
    'FLOP utilisation',
    'idle',
    'memory',
    'load',
    'machine',
    'versions',
  ])
    expect(stdout).toContain(`\n  ${row} `);
  expect(stderr).toContain('embedded small model zrank-tiny');
});

test('--precision is passed on, and a result says what was chosen', async () => {
  const [[asked], [chosen]] = [await results('--precision', 'fp32'), await results()];
  expect(asked!.settings.precision).toBe('fp32');
  expect(asked!.settings.device).not.toBe('auto');
  expect(['fp32', 'bf16']).toContain(chosen!.settings.precision);
  const [int8] = await results('--precision', 'int8', '--model', golden('causal-bf16').folder);
  expect(int8!.settings.precision).toBe('int8');
});

test('a BERT-like model is measured too; its operations are not counted', async () => {
  const [result] = await results('--model', new URL('../fixtures/encoders/cross-encoder', import.meta.url).pathname);
  expect(result!.pairsPerSecond).toBeGreaterThan(0);
  expect([result!.flops, result!.mfu, result!.tokensSaved]).toEqual([null, null, 0]);
});

test('--invariance compares pairs alone with mixed batches', async () => {
  const [{ invariance }] = (await results('--invariance', '--precision', 'fp32')) as [BenchResult];
  expect(invariance).toMatchObject({ pairs: 3, batchings: 4, rankFlips: 0 });
  expect(invariance!.largestDifference).toBeLessThan(1e-4);
});

test('--report writes one page that needs nothing else', async () => {
  const path = join(folder, 'report.html');
  const { code } = await zrankBench([...small, '--concurrency', '1,2', '--report', path]);
  expect(code).toBe(0);
  const page = await readFile(path, 'utf8');
  expect(page.match(/<svg/g)).toHaveLength(3);
  for (const title of ['Throughput by length', 'Throughput by concurrency', 'Latency distribution'])
    expect(page).toContain(title);
  expect(page).toContain('prefers-color-scheme: dark');
  expect(page).not.toMatch(/(src|href)=|@import|url\(|NaN|undefined/);
});

describe('wrong usage', () => {
  test.each([
    [['nonsense'], 'rerank'],
    [['--no-such-option'], '--no-such-option'],
    [['--calls', '0'], '--calls'],
    [['--tokens', '9-3'], 'n or a-b'],
    [['--query', 'medium'], 'short, long'],
    [['--concurrency', '1,x'], '--concurrency'],
    [['--against', 'no-such-peer'], 'sentence-transformers'],
    [['--against', 'http://'], 'URL'],
    [['--dialect', 'klingon'], 'tei'],
    [['--shape', 'no-such-shape'], 'qwen3-0.6b'],
    [['--shape', 'tiny', '--model', 'x'], '--model'],
    [['--device', 'abacus', ...small], 'abacus'],
  ])('%j exits with 2 and says why', async (args, expected) => {
    const { code, stdout, stderr } = await zrankBench(args);
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr).toContain(expected);
    expect(stderr).toContain('INVALID_ARGUMENT');
  });
});

test('a model folder that is none exits with 1', async () => {
  const { code, stdout, stderr } = await zrankBench(['--model', join(folder, 'nothing')]);
  expect([code, stdout]).toEqual([1, '']);
  expect(stderr).toContain('FILE_NOT_FOUND');
});
