import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { access, mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { COMMAND_LINE } from '../support/programs.ts';

const run = promisify(execFile);

let folder: string;
let env: Record<string, string>;
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'trainyard-demo-test-'));
  await mkdir(path.join(folder, 'tmp'));
  env = {
    PATH: process.env['PATH'] ?? '',
    HOME: folder,
    SHELL: '/bin/sh',
    TMPDIR: path.join(folder, 'tmp'),
    // A home of the user's own: the demo must not touch it.
    TRAINYARD_HOME: path.join(folder, 'own-home'),
  };
});
afterAll(async () => {
  await rm(folder, { recursive: true, force: true, maxRetries: 5 });
});

it('says what to do where no folder can be made for it, and touches nothing of the user’s', async () => {
  const args = [COMMAND_LINE, 'demo'];
  const ended = run(process.execPath, args, { env: { ...env, TMPDIR: '/nowhere' } });
  const refused = await ended.catch((error: unknown) => error as { code: number; stderr: string });
  expect(refused).toMatchObject({ code: 4 });
  expect(refused.stderr).toMatch(
    /^Error: The demo cannot make a folder in \/nowhere.*\n {2}Set TMPDIR/,
  );
  await expect(access(path.join(folder, 'own-home'))).rejects.toMatchObject({ code: 'ENOENT' });
});

/** Processes whose command line or environment names the test's folder. */
async function processesLeft(): Promise<string[]> {
  const { stdout } = await run('ps', ['-eo', 'pid,args']);
  return stdout.split('\n').filter((line) => line.includes(folder));
}

const demo = (...args: string[]) =>
  run(process.execPath, [COMMAND_LINE, 'demo', ...args], {
    env,
    timeout: 110_000,
    maxBuffer: 1 << 26,
  });

describe('the demo', () => {
  it('trains, verifies every object, finds no key, and leaves nothing behind', async () => {
    const { stdout, stderr } = await demo();
    const lines = stdout.trimEnd().split('\n');
    expect(lines).toHaveLength(3);
    for (const worker of [0, 1]) {
      const match = new RegExp(
        `^worker ${worker}: accuracy (0\\.\\d+|1\\.0+) \\(shuffled labels (0\\.\\d+)\\)$`,
      ).exec(lines[worker] ?? '');
      expect(match, stdout).not.toBeNull();
      expect(Number(match?.[1])).toBeGreaterThan(0.9);
      expect(Number(match?.[2])).toBeLessThan(0.25);
    }
    const verified = /^verified (\d+) of (\d+) objects$/.exec(lines[2] ?? '');
    expect(verified?.[1]).toBe(verified?.[2]);
    expect(Number(verified?.[1])).toBeGreaterThanOrEqual(8);
    expect(stderr).toMatch(/searche?s? while the job ran.*: 0 found/);
    expect(stderr).toMatch(/Planted pieces.*: 9 of 9 found/);
    expect(await readdir(path.join(folder, 'tmp'))).toEqual([]);
    await expect(access(path.join(folder, 'own-home', 'vault.json'))).rejects.toThrow();
    expect(await processesLeft()).toEqual([]);
  }, 120_000);

  it('cleans up when it is interrupted while the job runs', async () => {
    const child = spawn(process.execPath, [COMMAND_LINE, 'demo'], {
      env,
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    const begun = new Promise<void>((resolve, reject) => {
      let told = '';
      child.stderr.setEncoding('utf8').on('data', (text: string) => {
        told += text;
        if (told.includes('worker 0 started')) resolve();
      });
      child.once('exit', () => reject(new Error(told)));
    });
    await begun;
    const ended = once(child, 'exit');
    child.kill('SIGINT');
    expect((await ended)[0]).toBe(130);
    expect(await readdir(path.join(folder, 'tmp'))).toEqual([]);
    expect(await processesLeft()).toEqual([]);
  }, 120_000);
});
