// Processes of a real cluster that load the embedded model.

import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { execute } from '../bench/command.js';

const program = fileURLToPath(new URL('../fixtures/cluster.mjs', import.meta.url));
const cores = availableParallelism();

test('a process of a cluster that takes all cores is told so, once', async () => {
  const { code, stderr } = await execute(process.execPath, [program]);
  expect(code).toBe(0);
  expect(stderr.split(`each process of this cluster has ${cores} threads`)).toHaveLength(2);
});

test.skipIf(cores === 1)('one that has its share is told nothing (not on one core, which is all cores)', async () => {
  expect(await execute(process.execPath, [program, '1'])).toMatchObject({ code: 0, stderr: '' });
});
