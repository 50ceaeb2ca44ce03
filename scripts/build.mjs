// Builds every program into out/. One esbuild call a program: electron-vite would build three of the six, and refuses where
// Electron itself was not downloaded.
import { createHash } from 'node:crypto';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { build } from 'esbuild';
import { root } from './lib/root.mjs';
import { buildIsCurrent, markBuilt, sourceHash } from './lib/build-stamp.mjs';

const version = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).version;
const out = join(root, 'out');

/** Gives bundled CommonJS packages the `require` that an ES module lacks. */
const requireBanner = {
  js: "import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);",
};

/** Native modules, and what finds files beside itself: loaded from node_modules. */
const native = ['libsql', 'keytar', '@node-rs/crc32'];

const program = (entry, outfile, target, external = native) =>
  build({
    entryPoints: [join(root, entry)],
    outfile: join(out, outfile),
    bundle: true,
    platform: 'node',
    format: 'esm',
    target,
    banner: requireBanner,
    external,
    define: { __TRAINYARD_VERSION__: JSON.stringify(version) },
    sourcemap: 'linked',
    legalComments: 'none',
    logLevel: 'warning',
  });

/** The checker of data knows its messages in fifty languages: every process of the agent would load them all. */
const inEnglishAlone = {
  name: 'in-english-alone',
  setup: (build) =>
    build.onLoad({ filter: /[/\\]zod[/\\]v4[/\\]locales[/\\]index\.js$/ }, () => ({
      contents: "export { default as en } from './en.js';",
    })),
};

async function buildAgent() {
  const folder = join(out, 'agent');
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  // In parts, each loaded when its verb is asked for: a supervisor lives as long as its worker, and needs little.
  await build({
    entryPoints: { agent: join(root, 'src/agent/main.ts') },
    outdir: folder,
    outExtension: { '.js': '.mjs' },
    chunkNames: '[name]-[hash]',
    splitting: true,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node24',
    banner: requireBanner,
    external: ['@node-rs/crc32'],
    plugins: [inEnglishAlone],
    define: { __TRAINYARD_VERSION__: JSON.stringify(version) },
    legalComments: 'none',
    logLevel: 'warning',
  });
  const nativeChecksum = nativeChecksumFile();
  if (nativeChecksum !== null) copyFileSync(nativeChecksum, join(folder, 'crc32c.node'));
  const files = Object.fromEntries(
    readdirSync(folder)
      .sort()
      .map((name) => [
        name,
        createHash('sha256')
          .update(readFileSync(join(folder, name)))
          .digest('hex'),
      ]),
  );
  const content = createHash('sha256').update(JSON.stringify(files)).digest('hex').slice(0, 12);
  writeFileSync(
    join(folder, 'manifest.json'),
    `${JSON.stringify({ version: `${version}-${content}`, files }, null, 2)}\n`,
  );
}

/** The ready-made native CRC32C of this platform, or null (then the agent computes it in WebAssembly). */
function nativeChecksumFile() {
  const scope = join(root, 'node_modules', '@node-rs');
  for (const name of readdirSync(scope)) {
    if (!name.startsWith(`crc32-${process.platform}-${process.arch}`) || name.endsWith('musl'))
      continue;
    const file = readdirSync(join(scope, name)).find((entry) => entry.endsWith('.node'));
    if (file !== undefined) return join(scope, name, file);
  }
  return null;
}

async function buildRenderer() {
  const config = join(root, 'vite.config.renderer.ts');
  if (!existsSync(config)) return;
  const vite = await import('vite');
  await vite.build({ configFile: config, logLevel: 'warn' });
}

if (!(buildIsCurrent() && !process.argv.includes('--force'))) {
  const hash = sourceHash();
  await Promise.all([
    buildAgent(),
    program('src/cli/main.ts', 'cli/trainyard.mjs', 'node24'),
    program('src/emulator/main.ts', 'emulator/emulator.mjs', 'node24'),
    program('src/main/index.ts', 'main/index.mjs', 'node20.18', [...native, 'electron']),
    build({
      entryPoints: [join(root, 'src/main/preload/index.ts')],
      outfile: join(out, 'preload/index.cjs'),
      bundle: true,
      platform: 'browser',
      format: 'cjs',
      minify: true,
      target: 'chrome130',
      external: ['electron'],
      logLevel: 'warning',
    }),
    buildRenderer(),
  ]);
  markBuilt(hash);
}
