import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';

const run = promisify(execFile);
const ROOT = join(import.meta.dirname, '..', '..');
const hasOfficial = existsSync(join(ROOT, 'node_modules/electron/path.txt'));

let folder = '';
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'trainyard-runtime-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const failureSchema = z
  .object({ code: z.number(), stdout: z.string(), stderr: z.string() })
  .transform(({ code, stdout, stderr }) => ({ status: code, stdout, stderr }));

const ask = (env: Record<string, string>) =>
  run(process.execPath, [join(ROOT, 'scripts/test-runtime.mjs')], {
    env: { HOME: folder, PATH: process.env['PATH'] ?? '', ...env },
  }).then(
    ({ stdout }) => ({ status: 0, stdout, stderr: '' }),
    (error: unknown) => failureSchema.parse(error),
  );

describe.skipIf(hasOfficial)('where the official Electron is not', () => {
  it('nothing is fetched unless it is asked for, and it says what to do', async () => {
    const answer = await ask({});
    expect(answer.status).toBe(4);
    expect(answer.stderr).toContain('npx install-electron');
    expect(answer.stderr).toContain('TRAINYARD_TEST_RUNTIME=registry');
    expect(await readdir(folder)).toEqual([]);
  });

  it.skipIf(process.platform !== 'linux' || process.arch !== 'x64')(
    'a package that is not the one looked at is refused, and nothing of it stays',
    async () => {
      // An npm that packs something else.
      const tools = join(folder, 'bin');
      await mkdir(tools);
      await writeFile(join(tools, 'npm'), '#!/bin/sh\necho other > other.tgz\n', { mode: 0o755 });
      const answer = await ask({
        TRAINYARD_TEST_RUNTIME: 'registry',
        PATH: `${tools}:${process.env['PATH'] ?? ''}`,
      });
      expect(answer.status).toBe(4);
      expect(answer.stderr).toContain('is not the one that was looked at');
      expect(await readdir(join(folder, '.cache/trainyard/test-runtime'))).toEqual([]);
    },
  );
});

it('the test runtime is in no list of dependencies', async () => {
  for (const name of ['package.json', 'package-lock.json', 'electron-builder.yml'])
    expect(await readFile(join(ROOT, name), 'utf8')).not.toContain('clawbench');
});
