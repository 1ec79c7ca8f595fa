import { symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { build } from 'esbuild';
import { expect, test } from 'vitest';
import { errorCodes, ZrankError } from 'zrank';
import { root, runNode, temporaryFolder } from './support.js';

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

test('as JSON it keeps what it says', () => {
  const error = ZrankError.argument('it', 'x', 3);
  expect(JSON.parse(JSON.stringify({ error }))).toEqual({
    error: {
      name: 'ZrankError',
      code: 'INVALID_ARGUMENT',
      message: 'expected x for it but received 3',
      expected: 'x',
      received: '3',
    },
  });
  const full = new ZrankError('QUEUE_FULL', 'full', { retryAfterMs: 5, cause: new Error('why') });
  expect(JSON.stringify(full)).toBe('{"name":"ZrankError","code":"QUEUE_FULL","message":"full","retryAfterMs":5}');
});

test.each(['esm', 'cjs'] as const)('zrank in a bundle, %s, says that it is to stay outside', async (format) => {
  const folder = await temporaryFolder();
  const outfile = join(folder, format === 'esm' ? 'app.mjs' : 'app.cjs');
  const external = ['tokenizers', 'usearch', 'piscina', 'onnxruntime-node'];
  await build({
    entryPoints: [join(root, 'dist/index.js')],
    outfile,
    bundle: true,
    platform: 'node',
    format,
    external,
    logLevel: 'error',
  });
  await symlink(join(root, 'node_modules'), join(folder, 'node_modules'));
  const { stderr, code } = await runNode([outfile]);
  expect(code).toBe(1);
  expect(stderr).toMatch(/zrank was bundled into .*app\.[cm]js, away .*--external:zrank/);
  expect(stderr).toContain("code: 'ADDON_NOT_FOUND'");
});
