// The library from where a first try is made: `node -e`, a script on standard input, an eval worker. Real: everything.

import { cp, mkdir, readdir, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { root, runNode, runScript, temporaryFolder } from './support.js';

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

test('without usearch an exact index works, and an HNSW one says what it needs', async () => {
  const folder = await temporaryFolder();
  await cp(join(root, 'dist'), join(folder, 'dist'), { recursive: true });
  await cp(join(root, 'package.json'), join(folder, 'package.json'));
  await mkdir(join(folder, 'node_modules'));
  for (const name of await readdir(join(root, 'node_modules')))
    if (name !== 'usearch') await symlink(join(root, 'node_modules', name), join(folder, 'node_modules', name));
  const { stdout, stderr } = await runScript(`
    const { VectorIndex } = await import(${JSON.stringify(join(folder, 'dist/index.js'))});
    for (const metric of ['cosine', 'dot', 'euclidean']) {
      const index = new VectorIndex({ dimensions: 2, metric });
      await index.add(['a', 'b', 'c', 'zero'], [[1, 0], [0, 2], [2, 0], [0, 0]]);
      console.log(metric, ...index.search([0, 3], 4).flatMap(({ id, score }) => [id, score]));
    }
    try { new VectorIndex({ dimensions: 2, algorithm: 'hnsw' }); } catch ({ code, message }) { console.log(code, message); }`);
  expect(stdout.split('\n').slice(0, 4), stderr).toEqual([
    'cosine b 1 a 0 c 0 zero 0',
    'dot b 6 a 0 c 0 zero 0',
    `euclidean b -1 zero -3 a ${-Math.sqrt(10)} c ${-Math.sqrt(13)}`,
    "PACKAGE_NOT_FOUND algorithm 'hnsw' needs the package usearch: npm install usearch",
  ]);
});
