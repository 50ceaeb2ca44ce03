import { defineConfig } from '@playwright/test';

/** `npm run screenshots`: takes the pictures of docs/screenshots anew. No test, and no part of `npm test`. */
export default defineConfig({
  testDir: import.meta.dirname,
  testMatch: 'pictures.ts',
  outputDir: '../../test-results/screenshots',
  timeout: 180_000,
  expect: { timeout: 30_000 },
  workers: 1,
  reporter: [['list']],
});
