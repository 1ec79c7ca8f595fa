// What package.json and package-lock.json promise of an installation. Real: both files.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { root } from './support.js';

const read = <T>(name: string) => JSON.parse(readFileSync(join(root, name), 'utf8')) as T;
const manifest = read<{ scripts: Record<string, string>; allowScripts: Record<string, boolean>; dependencies: object }>(
  'package.json',
);
const lock = read<{ packages: Record<string, { hasInstallScript?: boolean; dev?: boolean; optional?: boolean }> }>(
  'package-lock.json',
);

test('no script runs where zrank is installed, of its own or of what it depends on', () => {
  for (const name of ['preinstall', 'install', 'postinstall']) expect(manifest.scripts).not.toHaveProperty(name);
  const scripted = Object.entries(lock.packages).filter(([, { hasInstallScript, dev }]) => hasInstallScript && !dev);
  expect(scripted.map(([name]) => name)).toEqual([]);
});

test("onnxruntime-node's installer does not run in a clone either: npm before 11 goes by the lock file", () => {
  expect(manifest.allowScripts['onnxruntime-node']).toBe(false);
  const { hasInstallScript } = lock.packages['node_modules/onnxruntime-node']!;
  expect(hasInstallScript, 'delete hasInstallScript of onnxruntime-node from package-lock.json').toBeUndefined();
});
