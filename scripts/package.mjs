// `npm run package`: makes the application for this machine; arguments are handed to electron-builder (`-- --dir`: a folder, no installer).
// With the test runtime only `--dir` is made, and its name says that it is for tests: that runtime is not ours to ship.
// TRAINYARD_PACKAGE_OUTPUT: another folder than `dist`. TRAINYARD_UPDATE_URL: the folder on the web where installed ones look for newer
// versions (what electron-builder makes is put there), by https alone; without it they look nowhere.
import { spawn } from 'node:child_process';
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterInstall, afterRemove } from './lib/command-script.mjs';
import { copyrightText } from './lib/copyright.mjs';
import { bundledNode, root } from './lib/root.mjs';
import { electronRuntime } from './test-runtime.mjs';

const say = (line) => process.stderr.write(`${line}\n`);
const node = bundledNode() ?? process.execPath;
const output = process.env.TRAINYARD_PACKAGE_OUTPUT || 'dist';

function run(script, args) {
  return new Promise((resolve) => {
    const child = spawn(node, [script, ...args], { cwd: root, stdio: 'inherit' });
    child.once('error', (error) => {
      say(error.message);
      resolve(1);
    });
    child.once('exit', (code) => resolve(code ?? 1));
  });
}

const updates = process.env.TRAINYARD_UPDATE_URL || null;

const build = (args) =>
  run(join(root, 'node_modules', 'electron-builder', 'cli.js'), [
    '--publish',
    'never',
    ...(updates === null ? [] : ['-c.publish.provider=generic', `-c.publish.url=${updates}`]),
    ...args,
  ]);

const officialDist = () => join(root, 'node_modules', 'electron', 'dist');

/** Packages with the test runtime, without the loader that stands in for its application. */
async function packageForTests(runtime, args) {
  if (args.length !== 1 || args[0] !== '--dir') {
    say('The test runtime is never shipped: with it only `npm run package -- --dir` works.');
    return 2;
  }
  const work = await mkdtemp(join(tmpdir(), 'trainyard-package-'));
  try {
    const dist = join(work, 'electron');
    await cp(dirname(runtime.executable), dist, { recursive: true });
    await rm(join(dist, 'resources', 'app'), { recursive: true });
    return await build([
      '--dir',
      `-c.electronDist=${dist}`,
      `-c.electronVersion=${runtime.version}`,
      `-c.directories.output=${join(output, 'test-only')}`,
      '-c.productName=Trainyard test-only',
      '-c.linux.executableName=trainyard-test-only',
    ]);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

async function main() {
  const args = process.argv.slice(2);
  if (updates !== null && !(URL.canParse(updates) && new URL(updates).protocol === 'https:')) {
    say(
      'TRAINYARD_UPDATE_URL must be an https address: what comes from there replaces the application.',
    );
    return 2;
  }
  const built = await run(join(root, 'scripts', 'build.mjs'), []);
  if (built !== 0) return built;
  let runtime;
  try {
    runtime = await electronRuntime({ say });
  } catch (error) {
    say(error.message);
    return 4;
  }
  if (runtime.kind === 'registry') return packageForTests(runtime, args);
  await writeForDebian();
  return build([
    ...args,
    `-c.directories.output=${output}`,
    // The one that is here already, for the platform it is for.
    ...(args.includes('--dir') ? [`-c.electronDist=${officialDist()}`] : []),
  ]);
}

/** What electron-builder.yml names of `out/package`: electron-builder's own scripts with ours behind them, and the copyright file. */
async function writeForDebian() {
  const folder = join(root, 'out', 'package');
  const templates = join(root, 'node_modules', 'app-builder-lib', 'templates', 'linux');
  await mkdir(folder, { recursive: true });
  for (const [name, ours] of [
    ['after-install.tpl', afterInstall],
    ['after-remove.tpl', afterRemove],
  ])
    await writeFile(
      join(folder, name),
      `${await readFile(join(templates, name), 'utf8')}\n${ours}`,
    );
  await writeFile(join(folder, 'copyright'), copyrightText(root));
}

process.exitCode = await main();
