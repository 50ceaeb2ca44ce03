// `npm test`: the tests of the parts, then the tests of the window; one line with the sum at the end.
// Anything after `--` is handed to the first (a file, `-t name`), and the window's tests are then left out.
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { leftOut, wrongCounts } from './lib/left-out.mjs';
import { root } from './lib/root.mjs';
import { countsOf, forgetReports, readReport, secondTries } from './lib/test-report.mjs';

/** Exit status of e2e.mjs: no Electron is to be had here; it said so and what to do. */
const NO_ELECTRON = 77;

const selection = process.argv.slice(2);
const total = { passed: 0, failed: 0, skipped: 0 };
const tried = [];

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

/** Adds what a run left behind. One that failed without a failed test counts as one. */
function add(name, status) {
  const report = readReport(name);
  if (report === null) {
    total.failed += 1;
    return;
  }
  const counts = countsOf(report);
  for (const kind of Object.keys(total)) total[kind] += counts[kind];
  if (status !== 0 && counts.failed === 0) total.failed += 1;
  tried.push(...secondTries(report));
}

async function testParts() {
  const status = await run(
    process.execPath,
    [
      join(root, 'node_modules/vitest/vitest.mjs'),
      'run',
      '--reporter=default',
      `--reporter=${join(root, 'scripts/lib/parts-reporter.mjs')}`,
      ...selection,
    ],
    selection.length > 0 ? { TRAINYARD_TEST_LONG: '1' } : {},
  );
  add('parts', status);
}

/** Whether there is a window to test. */
async function testWindow() {
  const status = await run(process.execPath, [join(root, 'scripts/e2e.mjs')], {
    TRAINYARD_TEST_REPORT: '1',
  });
  if (status === NO_ELECTRON) {
    total.skipped += 1;
    return false;
  }
  add('window', status);
  return true;
}

/** Counts the long tests that this run left out as skipped, and says how to run them. */
function addLeftOut(windowIsThere) {
  // Without a window its tests were told and counted together.
  const count = leftOut.parts + (windowIsThere ? leftOut.window : 0);
  total.skipped += count;
  process.stdout.write(
    `\nThe ${count} long tests of test/long.ts were left out: TRAINYARD_TEST_LONG=1 npm test runs them too.\n`,
  );
}

/** A run of all tests sees whether test/long.ts counts right. */
function checkCounts() {
  const tests = ['parts', 'window'].flatMap((name) => readReport(name)?.tests ?? []);
  const wrong = wrongCounts(tests);
  for (const line of wrong) process.stdout.write(`\n${line}\n`);
  if (wrong.length > 0) total.failed += 1;
}

forgetReports();
await testParts();
const windowIsThere = selection.length === 0 && (await testWindow());
const runsAll = process.env.TRAINYARD_TEST_LONG === '1' || process.env.CI !== undefined;
if (selection.length === 0) {
  if (runsAll) checkCounts();
  else addLeftOut(windowIsThere);
}
if (tried.length > 0) {
  process.stdout.write(`\nPassed only after another try, and to be mended first:\n`);
  for (const { file, name, tries } of tried)
    process.stdout.write(`  ${file}: ${name} (try ${tries})\n`);
}
process.stdout.write(
  `\n${total.passed} passed, ${total.failed} failed${total.skipped > 0 ? `, ${total.skipped} skipped` : ''}\n`,
);
process.exit(total.failed > 0 || total.passed === 0 ? 1 : 0);
