import { copyFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { errorCodes, ZrankError } from 'zrank';
import { root, runScript, temporaryFolder } from './support.js';

test('codes are unique', () => expect(new Set(errorCodes).size).toBe(errorCodes.length));

test('the argument error describes what came', () => {
  const messages = [undefined, null, 3, 'text', ['a'], { b: 1 }, () => 1].map(
    (value) => ZrankError.argument('it', 'x', value).message,
  );
  expect(messages).toEqual([
    'expected x for it but received undefined',
    'expected x for it but received null',
    'expected x for it but received 3',
    'expected x for it but received "text"',
    'expected x for it but received an array of 1',
    'expected x for it but received an object (Object)',
    'expected x for it but received a function',
  ]);
});

test('a bundle that took the library away from its addon is told to leave it alone', async () => {
  const folder = await temporaryFolder();
  await copyFile(join(root, 'dist/error.js'), join(folder, 'error.js'));
  await copyFile(join(root, 'dist/addon.js'), join(folder, 'app.mjs'));
  const { stdout } = await runScript(`
    const { loadAddon } = await import(${JSON.stringify(join(folder, 'app.mjs'))});
    try { loadAddon(); } catch (error) { console.log(error.code, error.message); }`);
  expect(stdout).toMatch(/^ADDON_NOT_FOUND .* cannot be loaded from .* bundled into .*app\.mjs.*--external:zrank/s);
});
