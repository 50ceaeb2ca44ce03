import { defineConfig } from '@playwright/test';
import { windowLeftOut } from './test/long.ts';

/** The tests of the window; `npm run e2e` gives them a display and an Electron. */
export default defineConfig({
  testDir: 'test/e2e',
  testMatch: '*.spec.ts',
  testIgnore: windowLeftOut.map((name) => `**/${name}`),
  outputDir: 'test-results/e2e',
  // Long, since these machines are shared: a test that passes waits for nothing, and how fast things are is for the benchmarks.
  timeout: 150_000,
  expect: { timeout: 30_000 },
  // As many as there are displays: on a desktop of its own user, one.
  workers: (process.env['TRAINYARD_TEST_DISPLAYS'] ?? '').split(' ').length,
  forbidOnly: process.env['CI'] !== undefined,
  // Where a change is decided on, on a shared machine, one test that fails is tried once more, and shown as flaky: CONTRIBUTING.md.
  retries: process.env['CI'] === undefined ? 0 : 1,
  // `npm test` adds the second up.
  reporter:
    process.env['TRAINYARD_TEST_REPORT'] === undefined
      ? [['list']]
      : [['list'], ['./scripts/lib/window-reporter.mjs']],
});
