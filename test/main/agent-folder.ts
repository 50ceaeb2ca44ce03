import { build } from 'esbuild';
import { createHash } from 'node:crypto';
import { copyFileSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../../', import.meta.url));

/** Builds the agent from the sources as they are into a folder, in the shape that the application ships it. */
export async function buildAgentFolder(folder: string, version = '0.0.0-test'): Promise<string> {
  mkdirSync(folder, { recursive: true });
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
    external: ['@node-rs/crc32'],
    banner: {
      js: "import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);",
    },
    logLevel: 'error',
  });
  const scope = join(root, 'node_modules/@node-rs');
  const native = readdirSync(scope).find((name) =>
    name.startsWith(`crc32-${process.platform}-${process.arch}`),
  );
  if (native !== undefined) {
    const file = readdirSync(join(scope, native)).find((name) => name.endsWith('.node'));
    if (file !== undefined) copyFileSync(join(scope, native, file), join(folder, 'crc32c.node'));
  }
  writeManifest(folder, version);
  return folder;
}

export function writeManifest(folder: string, version: string): void {
  const files = Object.fromEntries(
    readdirSync(folder)
      .filter((name) => name !== 'manifest.json')
      .map((name) => [
        name,
        createHash('sha256')
          .update(readFileSync(join(folder, name)))
          .digest('hex'),
      ]),
  );
  writeFileSync(join(folder, 'manifest.json'), JSON.stringify({ version, files }));
}
