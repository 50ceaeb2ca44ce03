// Builds every program into out/: beside it first, then each put in place by a rename, so that what runs from there meanwhile (a window, the
// tests) is not disturbed. One esbuild call a program: electron-vite would build three of the six, and refuses where Electron itself was not
// downloaded.
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { basename, join } from 'node:path';
import { build } from 'esbuild';
import {
  buildAgent,
  inEnglishAlone,
  latePartsOf,
  nativeChecksumFile,
  requireBanner,
  writeManifest,
} from './lib/build-agent.mjs';
import { buildIsCurrent, markBuilt, sourceHash } from './lib/build-stamp.mjs';
import { buildIcons } from './lib/icons.mjs';
import { importSource } from './lib/import-source.mjs';
import { putInPlace } from './lib/put-in-place.mjs';
import { root } from './lib/root.mjs';

const version = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).version;
const out = join(root, 'out');

/** What each program loads late, for the tests: see `latePartsOf`. */
const LATE_PARTS = 'late-parts.json';

/** Native modules, and what finds files beside itself: loaded from node_modules. */
const native = ['libsql', 'keytar', '@node-rs/crc32'];

/** A program in parts: what it loads when it needs it lies in files of their own. */
const program = async (folder, entry, name, options) => {
  const { metafile } = await build({
    entryPoints: { [name]: join(root, entry) },
    outdir: folder,
    outExtension: { '.js': '.mjs' },
    chunkNames: '[name]-[hash]',
    splitting: true,
    bundle: true,
    platform: 'node',
    format: 'esm',
    banner: requireBanner,
    external: native,
    plugins: [inEnglishAlone],
    define: { __TRAINYARD_VERSION__: JSON.stringify(version) },
    sourcemap: 'linked',
    legalComments: 'none',
    logLevel: 'warning',
    metafile: true,
    absWorkingDir: root,
    ...options,
  });
  return latePartsOf(metafile);
};

/** The preload knows the names of calls and events and nothing of what they carry: it runs before every page. */
const namesAlone = {
  name: 'names-alone',
  setup: (plugins) =>
    plugins.onLoad({ filter: /[/\\]src[/\\]shared[/\\]ipc\.ts$/ }, async ({ path }) => {
      const contract = await importSource(path);
      const names = ['CALL_NAMES', 'EVENT_NAMES'].map(
        (name) => `export const ${name} = ${JSON.stringify(contract[name])};`,
      );
      const channels = ['callChannel', 'eventChannel'].map(
        (name) => `export const ${name} = ${contract[name].toString()};`,
      );
      return { contents: [...names, ...channels].join('\n') };
    }),
};

/** The emulator runs without packages beside it, in the packaged application: its native checksum lies in its own folder, as the agent's does. */
const checksumBeside = {
  name: 'checksum-beside',
  setup: (plugins) => {
    const beside = 'checksum-beside';
    plugins.onResolve({ filter: /^@node-rs\/crc32$/ }, () => ({ path: beside, namespace: beside }));
    plugins.onLoad({ filter: /.*/, namespace: beside }, () => ({
      contents: `import { createRequire } from 'node:module';
        export const { crc32c } = createRequire(import.meta.url)('./crc32c.node');`,
    }));
  },
};

async function buildEmulator(folder) {
  const checksum = nativeChecksumFile();
  // Without a ready-made one the checkout's package brings its WebAssembly.
  const plugins = [inEnglishAlone, ...(checksum === null ? [] : [checksumBeside])];
  const external = checksum === null ? native : [];
  const late = await program(folder, 'src/emulator/main.ts', 'emulator', {
    target: 'node24',
    external,
    plugins,
  });
  if (checksum !== null) copyFileSync(checksum, join(folder, 'crc32c.node'));
  return late;
}

async function buildAgentFolder(folder) {
  const late = await buildAgent(folder, version);
  writeManifest(folder, (hash) => `${version}-${hash}`);
  return late;
}

/** The keychain's native library in a process of its own, outside the application's archive. One file: nothing lies beside it. */
function buildKeychain(folder) {
  return program(folder, 'src/main/keys/keychain-helper.ts', 'keychain', { target: 'node24' });
}

async function buildRenderer(folder) {
  const config = join(root, 'vite.config.renderer.ts');
  if (!existsSync(config)) return;
  const vite = await import('vite');
  await vite.build({ configFile: config, logLevel: 'warn', build: { outDir: folder } });
}

async function buildAll(fresh) {
  const [agent, cli, emulator, main] = await Promise.all([
    buildAgentFolder(join(fresh, 'agent')),
    program(join(fresh, 'cli'), 'src/cli/main.ts', 'trainyard', { target: 'node24' }),
    buildEmulator(join(fresh, 'emulator')),
    program(join(fresh, 'main'), 'src/main/index.ts', 'index', {
      target: 'node20.18',
      // The later one wants a later Node.js than Electron's may be.
      alias: { undici: 'undici-7' },
      external: [...native, 'electron'],
    }),
    build({
      entryPoints: [join(root, 'src/main/preload/index.ts')],
      outfile: join(fresh, 'preload/index.cjs'),
      bundle: true,
      platform: 'browser',
      format: 'cjs',
      minify: true,
      target: 'chrome130',
      external: ['electron'],
      plugins: [namesAlone],
      logLevel: 'warning',
    }),
    buildKeychain(join(fresh, 'keychain')),
    buildRenderer(join(fresh, 'renderer')),
    buildIcons(join(fresh, 'icons')),
  ]);
  const late = Object.entries({ agent, cli, emulator, main }).flatMap(([name, parts]) =>
    parts.map((part) => ({ program: name, ...part, file: basename(part.file) })),
  );
  writeFileSync(join(fresh, LATE_PARTS), JSON.stringify(late, null, 1));
}

if (!(buildIsCurrent() && !process.argv.includes('--force'))) {
  const hash = sourceHash();
  mkdirSync(out, { recursive: true });
  const work = mkdtempSync(join(out, '.new-'));
  try {
    const fresh = join(work, 'fresh');
    await buildAll(fresh);
    putInPlace(fresh, out, join(work, 'old'));
    markBuilt(hash);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}
