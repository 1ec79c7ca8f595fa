// Two copies of the package in one thread, as npm installs them for dependants of two versions: they share the addon
// where its file is the same, but no state in JavaScript. What it guards against: numbers of calls that both give out.

import { cp, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect, test } from 'vitest';
import { root, runScript, temporaryFolder, tinyModel } from './support.js';

test('both run, and both cancel, at once', async () => {
  const copy = await temporaryFolder();
  await Promise.all([
    cp(join(root, 'dist'), join(copy, 'dist'), { recursive: true }),
    cp(join(root, 'package.json'), join(copy, 'package.json')),
    ...['build', 'node_modules'].map((name) => symlink(join(root, name), join(copy, name))),
  ]);
  const { stdout, stderr, timedOut } = await runScript(`
    const packages = [await import('zrank'), await import(${JSON.stringify(pathToFileURL(join(copy, 'dist/index.js')).href)})];
    const rerankers = await Promise.all(packages.map(({ Reranker }) => Reranker.load(${JSON.stringify(tinyModel)})));
    const documents = Array.from({ length: 3000 }, (_, i) => 'bread and butter '.repeat(60) + i);
    const rank = (counts, options) => Promise.all(rerankers.map((reranker, i) =>
      reranker.rank('bread', documents.slice(0, counts[i]), options?.(i)).then((hits) => hits.length, (error) => error.code)));
    // Ends a call of very many documents with its first batch.
    const cancelling = () => {
      const controller = new AbortController();
      return { signal: controller.signal, onProgress: () => controller.abort() };
    };
    console.log(packages[0].Reranker !== packages[1].Reranker);
    console.log(await rank([3, 4]));
    console.log(await rank([2999, 3000], cancelling));
    console.log(await rank([3000, 5], (i) => (i === 0 ? cancelling() : {})));
    await Promise.all(rerankers.map((reranker) => reranker.close()));
  `);
  expect(timedOut, stderr).toBe(false);
  expect(stdout, stderr).toBe("true\n[ 3, 4 ]\n[ 'ABORTED', 'ABORTED' ]\n[ 'ABORTED', 5 ]\n");
});
