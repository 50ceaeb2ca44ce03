import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { ROOT } from '../support/programs.ts';

const run = promisify(execFile);

/** What the built programs load late, as the build wrote it down. The window's late parts are loaded in test/e2e. */
const parts = z
  .array(
    z.object({
      program: z.string(),
      file: z.string(),
      module: z.string().nullable(),
      loadedBy: z.array(z.string()),
    }),
  )
  .parse(JSON.parse(readFileSync(join(ROOT, 'out', 'late-parts.json'), 'utf8')));

/** The names that modules export once they are loaded, each with what it is: all in one process of their own. */
async function exportsOf(paths: readonly string[]): Promise<readonly Record<string, string>[]> {
  const addresses = JSON.stringify(paths.map((path) => pathToFileURL(path).href));
  const script = `const found = [];
    for (const address of ${addresses}) {
      const loaded = await import(address);
      found.push(Object.fromEntries(Object.entries(loaded).map(([name, value]) => [name, typeof value])));
    }
    console.log(JSON.stringify(found));`;
  const { stdout } = await run(process.execPath, ['--input-type=module', '-e', script], {
    cwd: ROOT,
  });
  return JSON.parse(stdout) as Record<string, string>[];
}

const isOurs = (module: string | null): module is string => module?.startsWith('src/') === true;
/** The verbs of the agent run when they are loaded, but for these; and only Electron can load what imports it. */
const inNode = parts.filter(({ module }) => module !== 'src/main/app/start.ts');

describe('what a built program loads late', () => {
  it('is known for each program', () => {
    expect(new Set(parts.map(({ program }) => program))).toEqual(new Set(['agent', 'cli', 'main']));
    const ours = parts.filter(({ module }) => isOurs(module));
    for (const module of ['src/google/library.ts', 'src/google/proxied-fetch.ts'])
      expect(ours.filter((part) => part.module === module).map(({ program }) => program)).toEqual([
        'agent',
        'cli',
        'main',
      ]);
  });

  it.each(['agent', 'cli', 'main'])(
    'can be loaded in %s, and gives what its source gives',
    async (program) => {
      const late = inNode.filter((part) => part.program === program);
      const built = await exportsOf(late.map(({ file }) => join(ROOT, 'out', program, file)));
      // A package that a package loads late is its own matter: that it loads is enough.
      for (const names of built) expect(Object.keys(names)).not.toEqual([]);
      const ours = late.flatMap(({ module }) => (isOurs(module) ? [module] : []));
      expect(ours.length).toBeGreaterThan(0);
      const sources = await exportsOf(ours.map((module) => join(ROOT, module)));
      for (const [index, module] of ours.entries())
        expect(built[late.findIndex((part) => part.module === module)], module).toEqual(
          sources[index],
        );
    },
  );

  it('is one of our modules wherever ours load it: the names of a package get lost on the way', () => {
    const packages = parts.filter(({ module, loadedBy }) => !isOurs(module) && loadedBy.length > 0);
    // This one is used by its default alone.
    expect(packages.map(({ loadedBy }) => loadedBy)).toEqual([['src/main/app/updates.ts']]);
  });
});
