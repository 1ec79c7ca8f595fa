// A short run of `npm run fuzz`: damaged model folders end in scores or in a ZrankError. Real: everything.

import { expect, test } from 'vitest';
import { runNode } from './support.js';

test('150 mutations of model folders', { timeout: 180_000 }, async () => {
  const args = ['tools/fuzz/fuzz.mjs', '--seed', '1', '--count', '150'];
  const { code, stdout, stderr } = await runNode(args, { deadlineMs: 170_000 });
  expect(stdout, stderr).toMatch(/^150 mutations from seed 1: 0 failures$/m);
  expect(code).toBe(0);
});
