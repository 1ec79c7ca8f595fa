// What the engine says about the time it takes: counters, and ONNX Runtime's trace. Real: everything.

import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { Reranker } from 'zrank';
import { temporaryFolder, tinyModel } from './support.js';

const documents = ['Keep bread fresh in a paper bag.', 'Fresh paint needs two days to dry.'];

test('a run is mostly computing, and the counters add it up', async () => {
  await using reranker = await Reranker.load(tinyModel, {
    workers: 1,
    threads: 1,
    profilePrefix: join(await temporaryFolder(), 'alone'),
  });
  const seconds = [];
  for (let call = 0; call < 2; call++) {
    const start = performance.now();
    await reranker.rank('fresh bread', documents);
    const { runSeconds, computeSeconds } = reranker.counters();
    seconds.push({ call: (performance.now() - start) / 1000, run: runSeconds, compute: computeSeconds });
  }
  const [first, both] = seconds as [(typeof seconds)[0], (typeof seconds)[0]];
  expect(first.compute).toBeGreaterThan(0);
  expect(first.compute).toBeLessThanOrEqual(first.run);
  expect(first.run).toBeLessThan(first.call);
  expect(both.compute).toBeGreaterThan(first.compute);
});

test('profilePrefix: the trace has every operator of every run', async () => {
  const folder = await temporaryFolder();
  const reranker = await Reranker.load(tinyModel, { workers: 1, threads: 1, profilePrefix: join(folder, 'trace') });
  await reranker.rank('fresh bread', documents);
  await reranker.rank('dry paint', documents);
  await reranker.close();
  const [file, ...more] = await readdir(folder);
  expect(more).toEqual([]);
  expect(file).toMatch(/^trace_.*\.json$/);
  const events = JSON.parse(await readFile(join(folder, file!), 'utf8')) as {
    cat: string;
    name: string;
    args: { op_name?: string };
  }[];
  expect(events.filter(({ name }) => name === 'model_run')).toHaveLength(2);
  const operators = events.filter(({ cat }) => cat === 'Node').map(({ args }) => args.op_name);
  expect(operators.filter((name) => name === 'SkipSimplifiedLayerNormalization')).toHaveLength(2 * 8);
});
