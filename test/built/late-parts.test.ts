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

/** The names that a module exports once it is loaded, each with what it is; in a process of its own. */
async function exportsOf(path: string): Promise<Record<string, string>> {
  const script = `const loaded = await import(${JSON.stringify(pathToFileURL(path).href)});
    console.log(JSON.stringify(Object.fromEntries(Object.entries(loaded).map(([name, value]) => [name, typeof value]))));`;
  const { stdout } = await run(process.execPath, ['--input-type=module', '-e', script], {
    cwd: ROOT,
  });
  return JSON.parse(stdout) as Record<string, string>;
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

  it.each(inNode)('$program/$file can be loaded, and gives what its source gives', async (part) => {
    const built = await exportsOf(join(ROOT, 'out', part.program, part.file));
    expect(Object.keys(built)).not.toEqual([]);
    // A package that a package loads late is its own matter: that it loads is enough.
    if (isOurs(part.module)) expect(built).toEqual(await exportsOf(join(ROOT, part.module)));
  });

  it('is one of our modules wherever ours load it: the names of a package get lost on the way', () => {
    const packages = parts.filter(({ module, loadedBy }) => !isOurs(module) && loadedBy.length > 0);
    // This one is used by its default alone.
    expect(packages.map(({ loadedBy }) => loadedBy)).toEqual([['src/main/app/updates.ts']]);
  });
});
