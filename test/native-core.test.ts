// Builds and runs the C++ tests of native/core. They need no Node.

import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { openAddon } from '../dist/libraries/open-addon.js';
import { root } from './support.js';

const run = promisify(execFile);

test('native/test passes', { timeout: 300_000 }, async () => {
  await run('cmake', ['--build', join(root, 'build'), '--target', 'zrank_core_test'], { cwd: root });
  const { stdout } = await run(join(root, 'build/zrank_core_test'), [], {
    env: { ZRANK_ONNXRUNTIME: openAddon().runtime()!.path },
  });
  expect(stdout).toMatch(/^[1-9]\d* passed, 0 failed$/m);
});
