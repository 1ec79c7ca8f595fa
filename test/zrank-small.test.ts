// Real: the addon, ONNX Runtime and the embedded zrank-small. test/fixtures/zrank-small.json holds what PyTorch computes
// in fp32 with the same weights (tools/tiny-models/small.py).
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Reranker } from 'zrank';
import { root, zrank } from './support.js';

interface Expected {
  pairs: [string, string][];
  logits: number[];
}

let expected: Expected;
let reranker: Reranker;
beforeAll(async () => {
  expected = JSON.parse(await readFile(join(root, 'test/fixtures/zrank-small.json'), 'utf8')) as Expected;
  reranker = await Reranker.load('zrank-small', { device: 'cpu' });
});
afterAll(() => reranker.close());

function expectClose(logits: Float32Array, wanted: readonly number[]): void {
  expect(logits).toHaveLength(wanted.length);
  wanted.forEach((logit, i) => expect(Math.abs(logits[i]! - logit), `pair ${i}`).toBeLessThan(1e-4));
}

test('zrank-small has the logits of PyTorch', async () => {
  expect(new Set(expected.logits.map((logit) => logit.toFixed(2))).size).toBe(expected.pairs.length);
  expectClose(await reranker.predict(expected.pairs), expected.logits);
});

test('zrank-small scores batched as alone', async () => {
  for (const [i, pair] of expected.pairs.entries()) expectClose(await reranker.predict([pair]), [expected.logits[i]!]);
});

test('zrank-small reads pairs that are cut to 512 tokens', async () => {
  const [hit] = await reranker.rank('how do I keep bread fresh', ['bread '.repeat(1000)]);
  expect(hit).toMatchObject({ truncated: true, tokens: 512 });
  expect(Number.isFinite(hit!.logit)).toBe(true);
});

test("the README's documents: the answer comes first, with the default model", async () => {
  const documents = ['Bake bread at 230 °C.', 'A tax on sugar.', 'Keep bread in a paper bag.'];
  const { stdout, stderr, code } = await zrank(
    ['rank', '--query', 'how do I keep bread fresh', '--documents', '-', '--json'],
    { input: documents.join('\n'), env: { ZRANK_MODEL: '' } },
  );
  expect({ code, stderr }).toEqual({ code: 0, stderr: expect.stringContaining('zrank-small') as string });
  const [first] = JSON.parse(stdout) as { index: number }[];
  expect(first).toMatchObject({ index: 2 });
});
