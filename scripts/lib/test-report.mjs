// What the last run of the tests left behind: each test with its outcome, its time and how often it was tried.
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './root.mjs';

const folder = join(root, 'test-results', 'reports');
export const REPORTS = { parts: join(folder, 'parts.json'), window: join(folder, 'window.json') };

/** Before a run: what is there is of an earlier one. */
export function forgetReports() {
  for (const file of Object.values(REPORTS)) rmSync(file, { force: true });
}

/**
 * @param {'parts' | 'window'} name
 * @returns {{ tests: { file: string, name: string, state: string, milliseconds: number, tries: number }[], errors: number } | null} null: it was not run.
 */
export function readReport(name) {
  try {
    return JSON.parse(readFileSync(REPORTS[name], 'utf8'));
  } catch {
    return null;
  }
}

/** How many passed, failed and were skipped. What failed outside any test counts as one that failed. */
export function countsOf({ tests, errors }) {
  const count = (state) => tests.filter((test) => test.state === state).length;
  const passed = count('passed');
  const failed = count('failed') + errors;
  return { passed, failed, skipped: tests.length - passed - count('failed') };
}

/** The tests that passed only after another try. */
export const secondTries = ({ tests }) =>
  tests.filter(({ state, tries }) => state === 'passed' && tries > 1);
