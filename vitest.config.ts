import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';

// The tests import the built package (dist/), since its worker threads can only run compiled files.
export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    pool: 'forks',
    // Most of the time a test waits for a process that it has started: two at once on two cores, where vitest has one.
    maxWorkers: Math.max(2, availableParallelism() - 1),
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
});
