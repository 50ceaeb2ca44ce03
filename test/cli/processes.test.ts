import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { JobView } from '../../src/shared/views.ts';
import { argumentsOf, childrenOf } from '../soak/processes.ts';
import { COMMAND_LINE } from '../support/programs.ts';
import { makeHome, type TestHome } from './harness.ts';

let home: TestHome;
let jobFile: string;
beforeAll(async () => {
  home = await makeHome();
  await mkdir(path.join(home.folder, 'code'));
  jobFile = await home.file(
    'long.yaml',
    'name: long\nhost: local\ncode: { dir: ./code }\nworkers: ["echo begun; sleep 60"]\n',
  );
});
afterAll(async () => {
  await home.remove();
}, 60_000);

/** Whether something listens at the address. */
const answers = (url: string) =>
  fetch(`${url}/storage/v1/b?project=p`).then(
    () => true,
    () => false,
  );

async function silent(url: string): Promise<boolean> {
  for (let look = 0; look < 50; look += 1) {
    if (!(await answers(url))) return true;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  return false;
}

describe('trainyard emulator', () => {
  it('passes its arguments through, prints four variables, and ends on SIGTERM', async () => {
    const running = home.start(['emulator', '--open', '--port', '0']);
    await running.printed(/^export TRAINYARD_RESOURCE_MANAGER_ENDPOINT=\S+$/m);
    running.child.kill('SIGTERM');
    const ended = await running.ended;
    expect(ended.status).toBe(0);
    const lines = ended.stdout.trimEnd().split('\n');
    expect(lines).toHaveLength(4);
    const url = /^export STORAGE_EMULATOR_HOST=(http:\/\/127\.0\.0\.1:\d+)$/.exec(
      lines[0] ?? '',
    )?.[1];
    expect(url).toBeDefined();
    expect(await silent(url ?? '')).toBe(true);
  });

  it('leaves no process behind when it is killed', async () => {
    const running = home.start(['emulator', '--open']);
    await running.printed(/^export TRAINYARD_RESOURCE_MANAGER_ENDPOINT=(\S+)$/m);
    running.child.kill('SIGKILL');
    const url = /STORAGE_EMULATOR_HOST=(\S+)/.exec((await running.ended).stdout)?.[1] ?? '';
    expect(url).not.toBe('');
    expect(await silent(url)).toBe(true);
  });

  it('refuses a wrong option with 2', async () => {
    expect(await home.run(['emulator', '--frobnicate'])).toMatchObject({ status: 2, stdout: '' });
  });
});

/** `run` at a terminal, which util-linux's script gives it. */
async function runAtTerminal(answer: (write: (keys: string) => void) => void) {
  const command = `stty cols 100 rows 30; exec '${process.execPath}' '${COMMAND_LINE}' run '${jobFile}'`;
  const child = spawn(
    'script',
    ['--quiet', '--return', '--flush', '--command', command, '/dev/null'],
    {
      env: { ...home.env, TERM: 'xterm', COLUMNS: '100' },
      stdio: ['pipe', 'pipe', 'inherit'],
    },
  );
  let shown = '';
  let asked = false;
  let answered = false;
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    shown += text;
    if (!asked && shown.includes('worker 0 started')) {
      asked = true;
      child.stdin.write('\u0003');
    } else if (asked && !answered && shown.includes('Go on following')) {
      answered = true;
      answer((keys) => child.stdin.write(keys));
    }
  });
  const late = setTimeout(() => child.kill('SIGKILL'), 50_000);
  const [status] = (await once(child, 'close')) as [number | null];
  clearTimeout(late);
  return { status, shown };
}

describe('Ctrl+C at a terminal', () => {
  it('asks, and leaves the job running when told to', async () => {
    const { status, shown } = await runAtTerminal((write) => write('\r'));
    expect(status, shown).toBe(130);
    const job = await home.json<JobView>(['job', 'latest']);
    expect(job.state).toBe('running');
    expect(await home.run(['stop', 'latest'])).toMatchObject({ status: 0 });
  }, 60_000);

  it('stops the job when told to', async () => {
    const { status, shown } = await runAtTerminal((write) => write('\u001b[B\r'));
    expect(status, shown).toBe(1);
    expect((await home.json<JobView>(['job', 'latest'])).state).toBe('stopped');
  }, 60_000);

  it('leaves the job running at a second Ctrl+C', async () => {
    const { status, shown } = await runAtTerminal((write) => write('\u0003'));
    expect(status, shown).toBe(130);
    expect((await home.json<JobView>(['job', 'latest'])).state).toBe('running');
    expect(await home.run(['stop', 'latest'])).toMatchObject({ status: 0 });
  }, 60_000);
});

describe('a killed agent', () => {
  it('is told as interrupted, and retry adopts the worker, which was started once', async () => {
    const { id } = await home.json<{ id: string }>(['run', jobFile, '--detach']);
    const before = await home.until(id, (job) => job.workers[0]?.state === 'running');
    process.kill(before.agent?.pid ?? 0, 'SIGKILL');
    const gone = await home.until(id, (job) => job.state === 'interrupted');
    expect(gone.agent).toBeNull();
    const shown = await home.run(['job', id]);
    expect(shown.stdout).toContain(`trainyard retry ${id}`);
    expect(await home.run(['retry', id, '--detach', '--json'])).toMatchObject({ status: 0 });
    const after = await home.until(id, (job) => job.state === 'running');
    expect(after.workers[0]?.pid).toBe(before.workers[0]?.pid);
    expect(after.workers[0]?.starts).toBe(1);
    expect(await home.run(['stop', id])).toMatchObject({ status: 0, stdout: `${id}: stopped\n` });
    expect((await home.run(['logs', id])).stdout).toBe('begun\n');
  }, 60_000);

  it('loses no job with the database', async () => {
    const before = await home.json<JobView[]>(['jobs']);
    expect(before.length).toBeGreaterThan(0);
    for (const suffix of ['', '-wal', '-shm'])
      await rm(path.join(home.home, `trainyard.db${suffix}`), { force: true });
    const after = await home.json<JobView[]>(['jobs']);
    expect(after.map((job) => [job.id, job.state])).toEqual(
      before.map((job) => [job.id, job.state]),
    );
  });
});

describe('started by npx, which hands on no signal', () => {
  /** As npx does: a process between, which alone is killed. Resolves with what the command line printed until it printed the pattern. */
  const between = async (
    args: readonly string[],
    printed: RegExp,
    program: readonly string[] = [COMMAND_LINE],
  ) => {
    const script = `require('node:child_process').spawn(process.execPath, ${JSON.stringify([...program, ...args])}, { stdio: 'inherit' }).on('spawn', function () { console.log('pid ' + this.pid) })`;
    const parent = spawn(process.execPath, ['-e', script], {
      env: { ...home.env, npm_command: 'exec' },
      cwd: home.folder,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let text = '';
    await new Promise<void>((resolve, reject) => {
      const late = setTimeout(() => reject(new Error(`not printed: ${text}`)), 20_000);
      for (const stream of [parent.stdout, parent.stderr])
        stream.setEncoding('utf8').on('data', (piece: string) => {
          text += piece;
          if (!printed.test(text)) return;
          clearTimeout(late);
          resolve();
        });
    });
    return { parent, text, pid: Number(/^pid (\d+)$/m.exec(text)?.[1]) };
  };
  const gone = async (pid: number): Promise<boolean> => {
    for (let look = 0; look < 100; look += 1) {
      try {
        process.kill(pid, 0);
      } catch {
        return true;
      }
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    return false;
  };

  it('the emulator ends with it', async () => {
    const { parent, text } = await between(
      ['emulator', '--open'],
      /^export TRAINYARD_RESOURCE_MANAGER_ENDPOINT=\S+$/m,
    );
    const url = /STORAGE_EMULATOR_HOST=(\S+)/.exec(text)?.[1] ?? '';
    expect(await answers(url)).toBe(true);
    parent.kill('SIGTERM');
    expect(await silent(url)).toBe(true);
  });

  it('under an older Node.js the launcher in between ends with it, and so does the command', async () => {
    // What runs the launcher says that it is Node.js 20: the launcher starts the one of the packages.
    const older = `data:text/javascript,Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '20.18.0' } })`;
    const launcher = path.resolve(import.meta.dirname, '../../bin/trainyard.mjs');
    const { parent, text, pid } = await between(
      ['emulator', '--open'],
      /^export TRAINYARD_RESOURCE_MANAGER_ENDPOINT=\S+$/m,
      ['--import', older, launcher],
    );
    const [child, ...more] = childrenOf(pid);
    expect(more).toEqual([]);
    expect(argumentsOf(child ?? 0)).toContain(COMMAND_LINE);
    const url = /STORAGE_EMULATOR_HOST=(\S+)/.exec(text)?.[1] ?? '';
    parent.kill('SIGKILL');
    expect(await gone(pid)).toBe(true);
    expect(await gone(child ?? 0)).toBe(true);
    expect(await silent(url)).toBe(true);
  });

  it('a command that follows a job ends with it, and the job goes on', async () => {
    const { parent, pid } = await between(['run', jobFile], /worker 0 started/);
    parent.kill('SIGTERM');
    expect(await gone(pid)).toBe(true);
    const [job] = await home.json<JobView[]>(['jobs']);
    expect(job).toMatchObject({ state: 'running' });
    await home.json(['stop', job?.id ?? '']);
  });
});

describe('the launcher under an older Node.js, called by itself and killed', () => {
  const older = `data:text/javascript,Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '20.18.0' } })`;
  const launcher = path.resolve(import.meta.dirname, '../../bin/trainyard.mjs');

  /** Kills the launcher once the command line printed the pattern; whether that ended, too. */
  async function killed(
    args: readonly string[],
    until: (text: () => string, child: number) => Promise<void>,
    env: Record<string, string> = {},
  ): Promise<boolean> {
    const parent = spawn(process.execPath, ['--import', older, launcher, ...args], {
      env: { ...home.env, ...env },
      cwd: home.folder,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let text = '';
    for (const stream of [parent.stdout, parent.stderr])
      stream.setEncoding('utf8').on('data', (piece: string) => (text += piece));
    await vi.waitFor(() => expect(childrenOf(parent.pid ?? 0)).toHaveLength(1), 20_000);
    const [child = 0] = childrenOf(parent.pid ?? 0);
    try {
      await until(() => text, child);
      expect(argumentsOf(child)).toContain(COMMAND_LINE);
      parent.kill('SIGKILL');
      return await vi.waitFor(() => {
        expect(argumentsOf(child)).toEqual(['']);
        return true;
      }, 10_000);
    } finally {
      parent.kill('SIGKILL');
      if (argumentsOf(child).includes(COMMAND_LINE)) process.kill(child, 'SIGKILL');
    }
  }

  it('leaves no copy going on unseen', async () => {
    // A service that takes the connection and says nothing.
    let asked = false;
    const silentService = createServer(() => (asked = true)).listen(0, '127.0.0.1');
    await once(silentService, 'listening');
    const { port } = silentService.address() as AddressInfo;
    const service = { STORAGE_EMULATOR_HOST: `http://127.0.0.1:${port}` };
    try {
      const wait = () => vi.waitFor(() => expect(asked).toBe(true), 20_000);
      expect(await killed(['cp', '--no-key', 'gs://bucket/data/', './to'], wait, service)).toBe(
        true,
      );
    } finally {
      silentService.closeAllConnections();
      silentService.close();
    }
  }, 60_000);

  it('leaves the job running, and nobody who follows it', async () => {
    const begun = (text: () => string) =>
      vi.waitFor(() => expect(text()).toContain('worker 0 started'), 20_000);
    expect(await killed(['run', jobFile], begun)).toBe(true);
    const [job] = await home.json<JobView[]>(['jobs']);
    expect(job).toMatchObject({ state: 'running' });
    await home.json(['stop', job?.id ?? '']);
  }, 60_000);
});
