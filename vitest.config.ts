import { defineConfig } from 'vitest/config';
import { partsLeftOut } from './test/long.ts';
import { DearestFirst } from './test/support/order.ts';

export default defineConfig({
  test: {
    include: ['test/**/*.test.{ts,tsx}'],
    exclude: ['test/e2e/**', ...partsLeftOut],
    globalSetup: ['test/support/set-up.ts'],
    pool: 'forks',
    // A worker runs one file after another in one process: each start of a worker with all that a file imports costs a second of a processor.
    isolate: false,
    setupFiles: ['test/support/each-file.ts'],
    // Most tests start processes and wait for them: three at once keep two cores busy, and more only make each wait for the others.
    maxWorkers: 3,
    sequence: { sequencer: DearestFirst },
    // As for the window's tests: CONTRIBUTING.md.
    retry: process.env['CI'] === undefined ? 0 : 1,
    // Long, since these machines are shared: a test that passes waits for nothing.
    testTimeout: 90_000,
    hookTimeout: 90_000,
    teardownTimeout: 20_000,
    expect: { poll: { timeout: 20_000 } },
  },
});
