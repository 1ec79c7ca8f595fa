// The library from where a first try is made: `node -e`, a script on standard input, an eval worker. Real: everything.

import { expect, test } from 'vitest';
import { runNode } from './support.js';

const script = `import('zrank').then(async ({ VectorIndex }) => {
  const index = new VectorIndex({ dimensions: 2, algorithm: 'hnsw' });
  await index.add(['a', 'b'], [Float32Array.of(1, 0), Float32Array.of(0, 1)]);
  console.log(index.search(Float32Array.of(0, 1), 1)[0].id);
}, (error) => console.log(error.message));`;

test.each([
  ['node -e', ['--eval', script], ''],
  ['a script on standard input', ['-'], script],
  [
    'an eval worker',
    ['--eval', `new (require('worker_threads').Worker)(${JSON.stringify(script)}, { eval: true })`],
    '',
  ],
])('from %s', async (_, args, input) => {
  const { stdout, stderr, timedOut } = await runNode(args, { input, deadlineMs: 20_000 });
  expect(timedOut, stderr).toBe(false);
  expect(stdout).toBe('b\n');
});
