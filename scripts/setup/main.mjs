import { join } from 'node:path';
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { bundledNode, root } from '../lib/root.mjs';
import { hashOf, readStamp, writeStamp } from '../lib/stamp.mjs';
import { buildIsCurrent } from '../lib/build-stamp.mjs';
import { installSystemPackages } from './system-packages.mjs';

const say = (text) => process.stderr.write(`${text}\n`);

/**
 * `--test`: also what the tests need. `--window`: also what the window needs.
 * Returns the exit status.
 */
export async function main(options) {
  const forTests = options.includes('--test');
  const forWindow = forTests || options.includes('--window');
  if (!installSystemPackages({ forTests, forWindow, say })) return 1;
  if (!installPackages()) return 1;
  if (!build()) return 1;
  if (forWindow) await prepareElectron(forTests);
  return 0;
}

function run(command, args, env = process.env) {
  const done = spawnSync(command, args, {
    cwd: root,
    stdio: ['ignore', 'inherit', 'inherit'],
    env,
  });
  return done.status === 0;
}

function installPackages() {
  const stamp = join(root, 'node_modules', '.trainyard-packages');
  const wanted = hashOf(
    root,
    ['package.json', 'package-lock.json'],
    process.platform,
    process.arch,
  );
  if (readStamp(stamp) === wanted) return true;
  say('Installing packages (npm ci) ...');
  const npm = process.env['npm_execpath'];
  const arguments_ = ['ci', '--ignore-scripts', '--no-fund', '--no-audit', '--loglevel', 'error'];
  const done =
    npm !== undefined && existsSync(npm) && /\.c?js$/.test(npm)
      ? run(process.execPath, [npm, ...arguments_])
      : run('npm', arguments_);
  if (!done) {
    say('npm ci failed. What it printed above says why; then run the same command again.');
    return false;
  }
  writeStamp(stamp, wanted);
  return true;
}

function build() {
  if (buildIsCurrent()) return true;
  say('Building ...');
  return run(bundledNode() ?? process.execPath, [join(root, 'scripts', 'build.mjs')]);
}

/** Fetches Electron where that is possible. Never fails: without it the window cannot open, and who needs it is told. */
async function prepareElectron(forTests) {
  const runtime = join(root, 'scripts', 'test-runtime.mjs');
  if (!existsSync(runtime)) return;
  const { prepareElectronRuntime } = await import('../test-runtime.mjs');
  await prepareElectronRuntime({ forTests, say });
}
