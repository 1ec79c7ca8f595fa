import { defineConfig } from 'vitest/config';

// The tests import the built package (dist/), since its worker threads can only run compiled files.
export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    pool: 'forks',
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
});
