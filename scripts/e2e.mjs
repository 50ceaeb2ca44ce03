// `npm run e2e`: the tests of the window, in the real application, on a display without a screen (Linux) or the user's (elsewhere).
// Anything after `--` is handed to Playwright. Exit status 77: there is no Electron here, and it was said how to get one.
import { spawn, spawnSync } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { buildIsCurrent } from './lib/build-stamp.mjs';
import { startDisplay } from './lib/display.mjs';
import { bundledNode, root } from './lib/root.mjs';
import { electronRuntime } from './test-runtime.mjs';

const NO_ELECTRON = 77;
const say = (line) => process.stderr.write(`${line}\n`);
const node = bundledNode() ?? process.execPath;

/** Runs Playwright to its end; Ctrl+C reaches it through the terminal's group. */
function runTests(environment) {
  return new Promise((resolve) => {
    const child = spawn(
      node,
      [
        join(root, 'node_modules', '@playwright', 'test', 'cli.js'),
        'test',
        ...process.argv.slice(2),
      ],
      { cwd: root, stdio: 'inherit', env: environment },
    );
    child.once('error', (error) => {
      say(error.message);
      resolve(1);
    });
    child.once('exit', (code) => resolve(code ?? 1));
  });
}

async function main() {
  let runtime;
  try {
    runtime = await electronRuntime({ say });
  } catch (error) {
    say(error.message);
    return NO_ELECTRON;
  }
  if (!buildIsCurrent()) {
    const built = spawnSync(node, [join(root, 'scripts', 'build.mjs')], {
      cwd: root,
      stdio: 'inherit',
    });
    if (built.status !== 0) return 1;
  }
  say(`Testing the window in Electron ${runtime.version} (${runtime.kind}).`);
  const environment = {
    ...process.env,
    ...(process.argv.length > 2 ? { TRAINYARD_TEST_LONG: '1' } : {}),
    TRAINYARD_ELECTRON: runtime.executable,
    TRAINYARD_ELECTRON_KIND: runtime.kind,
  };
  delete environment.ELECTRON_RUN_AS_NODE;
  if (process.platform !== 'linux') return runTests(environment);

  // One for each test worker: clipboard and focus belong to a display.
  const displays = await Promise.all(Array.from({ length: workers() }, startDisplay));
  const interrupted = () => {};
  process.on('SIGINT', interrupted);
  process.on('SIGTERM', interrupted);
  try {
    const names = displays.map(({ display }) => display);
    return await runTests({
      ...environment,
      DISPLAY: names[0],
      TRAINYARD_TEST_DISPLAYS: names.join(' '),
    });
  } finally {
    await Promise.all(displays.map((display) => display.stop()));
  }
}

/** How many applications are tested at the same time: two where there are two processors. */
const workers = () => Math.min(2, availableParallelism());

process.exitCode = await main().catch((error) => {
  say(error.message);
  return 1;
});
