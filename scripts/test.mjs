// `npm test`: the tests of the parts, then the tests of the window; one line with the sum at the end.
// Anything after `--` is handed to the first (a file, `-t name`), and the window's tests are then left out.
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { countLeftOut } from './lib/left-out.mjs';
import { root } from './lib/root.mjs';

const selection = process.argv.slice(2);
const reports = mkdtempSync(join(tmpdir(), 'trainyard-reports-'));
const total = { passed: 0, failed: 0, skipped: 0 };

/** Runs a command to its end with its output shown; the exit status. */
function run(command, args, env = {}) {
  return new Promise((resolve) => {
    const child = spawn(command, args, {
      cwd: root,
      stdio: ['ignore', 'inherit', 'inherit'],
      env: { ...process.env, ...env },
    });
    child.on('error', () => resolve(1));
    child.on('exit', (code) => resolve(code ?? 1));
  });
}

const readReport = (name) => {
  try {
    return JSON.parse(readFileSync(join(reports, name), 'utf8'));
  } catch {
    return null;
  }
};

async function testParts() {
  const file = join(reports, 'parts.json');
  const status = await run(
    process.execPath,
    [
      join(root, 'node_modules/vitest/vitest.mjs'),
      'run',
      '--reporter=default',
      '--reporter=json',
      `--outputFile.json=${file}`,
      ...selection,
    ],
    selection.length > 0 ? { TRAINYARD_TEST_LONG: '1' } : {},
  );
  const report = readReport('parts.json');
  if (report === null) {
    total.failed += 1;
    return;
  }
  total.passed += report.numPassedTests;
  total.failed += report.numFailedTests;
  total.skipped += report.numPendingTests + report.numTodoTests;
  // A file that could not be loaded, or an error outside any test, fails the run without a failed test.
  if (status !== 0 && report.numFailedTests === 0) total.failed += 1;
}

/** Whether there is a window to test. */
async function testWindow() {
  const file = join(reports, 'window.json');
  const status = await run(process.execPath, [join(root, 'scripts/e2e.mjs')], {
    PLAYWRIGHT_JSON_OUTPUT_NAME: file,
  });
  const report = readReport('window.json');
  if (report === null) {
    if (status === 77) {
      // No Electron is to be had here: e2e.mjs said so and what to do.
      total.skipped += 1;
      return false;
    }
    total.failed += 1;
    return true;
  }
  total.passed += report.stats.expected + report.stats.flaky;
  total.failed += report.stats.unexpected;
  total.skipped += report.stats.skipped;
  if (status !== 0 && report.stats.unexpected === 0) total.failed += 1;
  return true;
}

await testParts();
const windowIsThere = selection.length === 0 && (await testWindow());
if (
  process.env.TRAINYARD_TEST_LONG !== '1' &&
  process.env.CI === undefined &&
  selection.length === 0
) {
  const leftOut = await countLeftOut(reports);
  // What cannot be counted is one at least. Without a window its tests were told and counted together.
  const count = (leftOut.parts ?? 1) + (windowIsThere ? (leftOut.window ?? 1) : 0);
  total.skipped += count;
  process.stdout.write(
    `\nThe ${count} long tests of test/long.ts were left out: TRAINYARD_TEST_LONG=1 npm test runs them too.\n`,
  );
}
rmSync(reports, { recursive: true, force: true });
process.stdout.write(
  `\n${total.passed} passed, ${total.failed} failed${total.skipped > 0 ? `, ${total.skipped} skipped` : ''}\n`,
);
process.exit(total.failed > 0 || total.passed === 0 ? 1 : 0);
