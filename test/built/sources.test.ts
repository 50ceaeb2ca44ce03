import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { callAgent, makeWorld, startAgent, NO_SECRETS, type World } from '../agent/harness.ts';
import { AGENT, COMMAND_LINE, EMULATOR, ROOT } from '../support/programs.ts';

/** Tests run the built programs; these show that the sources are the same programs. */

let folder: string;
let world: World;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'trainyard-sources-'));
  world = await makeWorld();
});
afterAll(async () => {
  await world.remove();
  rmSync(folder, { recursive: true, force: true });
});

const source = (...parts: readonly string[]) => join(ROOT, 'src', ...parts);

interface Ended {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** `name`: of a home of its own below the test's folder. */
function run(program: string, name: string, ...args: readonly string[]): Promise<Ended> {
  const env = {
    PATH: process.env['PATH'] ?? '',
    HOME: folder,
    SHELL: '/bin/sh',
    TRAINYARD_HOME: join(folder, name),
  };
  return new Promise((resolve) => {
    execFile(process.execPath, [program, ...args], { env, cwd: folder }, (error, stdout, stderr) =>
      resolve({ status: error === null ? 0 : Number(error.code), stdout, stderr }),
    );
  });
}

describe('the command line', () => {
  const both = async (...args: readonly string[]) => {
    const [built, fromSource] = await Promise.all([
      run(COMMAND_LINE, 'built', ...args),
      run(source('cli', 'main.ts'), 'source', ...args),
    ]);
    const named = JSON.stringify(built).replaceAll(join(folder, 'built'), join(folder, 'source'));
    expect(fromSource, args.join(' ')).toEqual(JSON.parse(named));
    return built;
  };

  it('says the same of itself', async () => {
    expect(await both('--help')).toMatchObject({ status: 0 });
    expect(await both('run', '--help')).toMatchObject({ status: 0 });
  });

  it('answers the same, with the same exit status', async () => {
    expect(await both('jobs', '--json')).toMatchObject({ status: 0, stdout: '[]\n' });
    expect(await both('keys', 'list', '--json')).toMatchObject({ status: 0 });
    expect(await both('job', '20260101-000000-aaaaaa')).toMatchObject({ status: 2 });
    expect(await both('nonsense')).toMatchObject({ status: 2 });
  });
});

describe('the agent', () => {
  it('carries a run through in the same way', async () => {
    const kinds = async (program: string): Promise<readonly string[]> => {
      const made = await world.run({ workers: ['echo one', 'echo two; exit 3'] });
      const answer = await startAgent(made.directory, NO_SECRETS, world.environment, program);
      expect(answer).toMatchObject({ started: true });
      await made.ended();
      expect(made.read('logs/worker-0.log')).toContain('one');
      // Two workers end in whatever order.
      return made.events().map(({ kind }) => kind);
    };
    const built = await kinds(AGENT);
    expect(built).toContain('worker-ended');
    expect([...(await kinds(source('agent', 'main.ts')))].sort()).toEqual([...built].sort());
  });

  it('finds the same on this machine', async () => {
    const probe = async (program: string) => {
      const { code, stdout } = await callAgent(['probe', world.home], world.environment, program);
      return { code, fields: Object.keys(JSON.parse(stdout) as object).sort() };
    };
    const built = await probe(AGENT);
    expect(built).toMatchObject({ code: 0 });
    expect(await probe(source('agent', 'main.ts'))).toEqual(built);
  });
});

/** Generations, entity tags, times, ports. */
const CHANGES = /\d{10,}|"etag": "\w+=*"|[\d-]+T[\d:.]+Z|:\d{4,5}/g;

describe('the emulator', () => {
  /** What it answers to an upload, a listing and a download, without what differs from run to run. */
  async function answers(program: string): Promise<readonly unknown[]> {
    const child = spawn(process.execPath, [program, '--open'], {
      stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
    });
    try {
      let said = '';
      child.stdout?.setEncoding('utf8').on('data', (text: string) => (said += text));
      await expect.poll(() => said.split('\n').length).toBeGreaterThan(4);
      const url = /STORAGE_EMULATOR_HOST=(\S+)/.exec(said)?.[1] ?? '';
      const ask = async (method: string, path: string, body?: string) => {
        const answer = await fetch(`${url}${path}`, { method, ...(body ? { body } : {}) });
        return [answer.status, (await answer.text()).replace(CHANGES, '')];
      };
      return [
        await ask('POST', '/storage/v1/b?project=p', JSON.stringify({ name: 'the-bucket' })),
        await ask('POST', '/upload/storage/v1/b/the-bucket/o?uploadType=media&name=a/b', 'content'),
        await ask('GET', '/storage/v1/b/the-bucket/o?prefix=a/'),
        await ask('GET', '/storage/v1/b/the-bucket/o/a%2Fb?alt=media'),
        await ask('GET', '/storage/v1/b/another-bucket'),
      ];
    } finally {
      const ended = once(child, 'exit');
      child.kill('SIGTERM');
      await ended;
    }
  }

  it('answers the same', async () => {
    const built = await answers(EMULATOR);
    expect(built.at(-2)).toEqual([200, 'content']);
    expect(await answers(source('emulator', 'main.ts'))).toEqual(built);
    const help = await run(EMULATOR, 'none', '--help');
    expect(help.stdout).toContain('--port');
    expect(await run(source('emulator', 'main.ts'), 'none', '--help')).toEqual(help);
  });
});
