// How the agent is made of its sources: for `npm run build`, and for tests that want it of the sources as they are.
import { createHash } from 'node:crypto';
import { copyFileSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'esbuild';
import { root } from './root.mjs';

/** Gives bundled CommonJS packages the `require` that an ES module lacks. */
export const requireBanner = {
  js: "import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);",
};

/** The checker of data knows its messages in fifty languages: every process of the agent would load them all. */
export const inEnglishAlone = {
  name: 'in-english-alone',
  setup: (build) =>
    build.onLoad({ filter: /[/\\]zod[/\\]v4[/\\]locales[/\\]index\.js$/ }, () => ({
      contents: "export { default as en } from './en.js';",
    })),
};

/**
 * What a program loads late: the file of each part, the module that it was made of, and those of our modules that load it; all relative to the
 * checkout.
 *
 * @param {import('esbuild').Metafile} metafile
 */
export function latePartsOf(metafile) {
  const late = new Set(
    Object.values(metafile.outputs)
      .flatMap(({ imports }) =>
        imports.filter(({ kind, external }) => kind === 'dynamic-import' && external !== true),
      )
      .map(({ path }) => path),
  );
  return [...late].map((path) => {
    const module = metafile.outputs[path]?.entryPoint ?? null;
    const loadedBy = Object.entries(metafile.inputs)
      .filter(([, { imports }]) =>
        imports.some((one) => one.kind === 'dynamic-import' && one.path === module),
      )
      .map(([name]) => name)
      .filter((name) => name.startsWith('src/'));
    return { file: path, module, loadedBy };
  });
}

/**
 * Builds the agent into a folder, in parts that are each loaded when its verb is asked for; its manifest is for the caller to write.
 * What it loads late: {@link latePartsOf}.
 */
export async function buildAgent(folder, version) {
  mkdirSync(folder, { recursive: true });
  const { metafile } = await build({
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
    metafile: true,
    absWorkingDir: root,
  });
  const checksum = nativeChecksumFile();
  if (checksum !== null) copyFileSync(checksum, join(folder, 'crc32c.node'));
  return latePartsOf(metafile);
}

/** The ready-made native CRC32C of this platform, or null (then the agent computes it in WebAssembly). */
export function nativeChecksumFile() {
  const scope = join(root, 'node_modules', '@node-rs');
  for (const name of readdirSync(scope)) {
    if (!name.startsWith(`crc32-${process.platform}-${process.arch}`) || name.endsWith('musl'))
      continue;
    const file = readdirSync(join(scope, name)).find((entry) => entry.endsWith('.node'));
    if (file !== undefined) return join(scope, name, file);
  }
  return null;
}

const sha256 = (data) => createHash('sha256').update(data).digest('hex');

/** Writes the manifest of everything that lies in the folder. `versionOf` is given a short hash of it. */
export function writeManifest(folder, versionOf) {
  const files = Object.fromEntries(
    readdirSync(folder)
      .filter((name) => name !== 'manifest.json')
      .sort()
      .map((name) => [name, sha256(readFileSync(join(folder, name)))]),
  );
  const version = versionOf(sha256(JSON.stringify(files)).slice(0, 12));
  writeFileSync(join(folder, 'manifest.json'), `${JSON.stringify({ version, files }, null, 2)}\n`);
}
