// Each example runs as its first line says, in a child process, with the embedded models.
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { root, runNode } from './support.js';

const expected: Record<string, RegExp[]> = {
  'score-pairs': [/^0\.\d{4} {2}\(logit .*\) {2}Bread keeps fresh.*\n0\.\d{4} {2}\(logit .*\) {2}The price/],
  'rank-answers': [/^list index out of range\n1\. 0\.\d{4}/, /\n5\. /],
  'retrieve-then-rerank': [
    /^80 documents/,
    /before, by the bi-encoder\n 1\. /,
    /after, by the reranker\n 1\. /,
    /10\. .*\n$/,
  ],
  'ndcg-before-after': [/^code {5}NDCG@10 0\.\d{3} before, 0\.\d{3} after/, /^finance/m, /^legal/m],
  domains: [/^finance: /, /^legal: /m, /^code: /m],
  throughput: [/one by one +324 pairs in .* a second/, /in one call +324 pairs in .* a second/],
};

test('every example has its expectation', () => {
  const files = readdirSync(join(root, 'examples')).filter((name) => name.endsWith('.ts'));
  expect(files.map((name) => name.replace('.ts', '')).sort()).toEqual(Object.keys(expected).sort());
});

test.each(Object.entries(expected))('%s', { timeout: 180_000 }, async (name, patterns) => {
  const { code, stdout, stderr } = await runNode(['--import', 'tsx', `examples/${name}.ts`], { deadlineMs: 170_000 });
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  for (const pattern of patterns) expect(stdout).toMatch(pattern);
});

test('the relevant text of the first example scores higher', async () => {
  const { stdout } = await runNode(['--import', 'tsx', 'examples/score-pairs.ts']);
  const [relevant, irrelevant] = stdout.split('\n').map((line) => Number(line.slice(0, 6)));
  expect(relevant).toBeGreaterThan(irrelevant!);
});
