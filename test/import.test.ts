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

/** The library, installed without a package. */
async function installedWithout(missing: string): Promise<string> {
  const folder = await temporaryFolder();
  await cp(join(root, 'dist'), join(folder, 'dist'), { recursive: true });
  await cp(join(root, 'package.json'), join(folder, 'package.json'));
  for (const name of ['build', 'models']) await symlink(join(root, name), join(folder, name));
  await mkdir(join(folder, 'node_modules'));
  for (const name of await readdir(join(root, 'node_modules')))
    if (name !== missing) await symlink(join(root, 'node_modules', name), join(folder, 'node_modules', name));
  return join(folder, 'dist/index.js');
}

test('without usearch an exact index works, and an HNSW one says what it needs', async () => {
  const library = await installedWithout('usearch');
  const { stdout, stderr } = await runScript(`
    const { VectorIndex } = await import(${JSON.stringify(library)});
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

test('without SQLite a cache in memory works, and one on disk says what it needs', async () => {
  const library = await installedWithout('@photostructure');
  const cacheFolder = await temporaryFolder();
  const { stdout, stderr } = await runScript(`
    const { Reranker } = await import(${JSON.stringify(library)});
    for (const cache of ['memory', 'disk']) {
      const options = { cache, cacheFolder: ${JSON.stringify(cacheFolder)} };
      const reranker = await Reranker.load('zrank-tiny', options).catch(({ code, message }) => console.log(code, message));
      if (reranker) console.log((await reranker.predict([['a', 'b']])).length);
      await reranker?.close();
    }`);
  const hasOwn = await import('node:sqlite' as string).then(
    () => true,
    () => false,
  );
  const advice =
    'PACKAGE_NOT_FOUND a cache on disk needs SQLite, which Node.js brings from 22.13 on; ' +
    'before that: npm install @photostructure/sqlite';
  expect(stdout, stderr).toBe(`1\n${hasOwn ? '1' : advice}\n`);
});
