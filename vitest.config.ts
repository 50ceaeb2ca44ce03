import { defineConfig } from 'vitest/config';
import { partsLeftOut } from './test/long.ts';

export default defineConfig({
  test: {
    include: ['test/**/*.test.{ts,tsx}'],
    exclude: ['test/e2e/**', ...partsLeftOut],
    pool: 'forks',
    maxWorkers: 2,
    // As in playwright.config.ts: only where it decides whether work lands.
    retry: process.env['CI'] === undefined ? 0 : 1,
    testTimeout: 30_000,
    hookTimeout: 30_000,
    teardownTimeout: 10_000,
  },
});
