import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { JobView } from '../../src/shared/views.ts';
import { writeKeyFile } from '../main/temp.ts';
import { COMMAND_LINE } from '../support/programs.ts';
import { makeHome, type TestHome } from './harness.ts';

let home: TestHome;
let jobFile: string;
beforeAll(async () => {
  home = await makeHome();
  await mkdir(path.join(home.folder, 'code'));
  // It ends by itself, without a word from anyone, once the test has put the file there.
  jobFile = await home.file(
    'waits.yaml',
    `name: waits
host: local
code: { dir: ./code }
workers:
  - |
    echo begun
    while [ ! -e '${path.join(home.folder, 'go')}' ]; do sleep 0.1; done
    echo ended
`,
  );
});
afterAll(async () => {
  await home.remove();
}, 60_000);

interface Terminal {
  readonly child: ChildProcess;
  type(line: string): void;
  shown(pattern: RegExp): Promise<RegExpExecArray>;
}

/** A login shell at a terminal of its own, which util-linux's script holds open as a window would. */
function openTerminal(): Terminal {
  const child = spawn(
    'script',
    ['--quiet', '--flush', '--command', 'bash --noprofile --norc --login -i', '/dev/null'],
    { env: { ...home.env, TERM: 'xterm', PS1: '> ' }, stdio: ['pipe', 'pipe', 'inherit'] },
  );
  let text = '';
  child.stdout.setEncoding('utf8').on('data', (more: string) => {
    text += more;
  });
  return {
    child,
    type: (line) => child.stdin.write(`${line}\n`),
    shown: async (pattern) => {
      for (let look = 0; look < 400; look += 1) {
        const found = pattern.exec(text);
        if (found !== null) return found;
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
      throw new Error(`${pattern.source} was not shown:\n${text}`);
    },
  };
}

const ended = async (pid: number): Promise<boolean> => {
  for (let look = 0; look < 200; look += 1) {
    if (!existsSync(`/proc/${pid}`)) return true;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return false;
};

/** Field 7 of /proc/PID/stat (proc(5)): the controlling terminal, 0 for none. */
function controllingTerminal(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[4]);
}

/** The job runs on, with nothing of the terminal about it, and ends right. */
async function goesOn(id: string): Promise<void> {
  const job = await home.job(id);
  expect(job.state).toBe('running');
  for (const pid of [job.agent?.pid, job.workers[0]?.pid]) {
    expect(pid).toBeTypeOf('number');
    expect(controllingTerminal(pid ?? 0)).toBe(0);
  }
  await home.file('go', '');
  const done = await home.until(id, ({ agent }) => agent === null);
  expect(done).toMatchObject({ state: 'finished', workers: [{ exitCode: 0, starts: 1 }] });
  expect((await home.run(['logs', id])).stdout).toBe('begun\nended\n');
}

describe.skipIf(process.platform !== 'linux')('the terminal that started a job', () => {
  it('may be closed: the kernel hangs up on all in it, and the job goes on', async () => {
    const terminal = openTerminal();
    terminal.type("echo shell=$$; PS1='ready> '");
    const shell = Number((await terminal.shown(/shell=(\d+)/))[1]);
    terminal.type(`'${process.execPath}' '${COMMAND_LINE}' run '${jobFile}'`);
    await terminal.shown(/worker 0 started/);
    const [before] = await home.json<JobView[]>(['jobs']);
    const following = Number(readFileSync(`/proc/${shell}/task/${shell}/children`, 'utf8'));
    expect(following).toBeGreaterThan(0);
    expect(controllingTerminal(following)).not.toBe(0);
    terminal.child.kill('SIGKILL');
    expect(await ended(shell)).toBe(true);
    expect(await ended(following)).toBe(true);
    await goesOn(before?.id ?? '');
  }, 90_000);

  it('may be logged out of', async () => {
    await rm(path.join(home.folder, 'go'), { force: true });
    const terminal = openTerminal();
    terminal.type(`'${process.execPath}' '${COMMAND_LINE}' run --detach --json '${jobFile}'`);
    const id = (await terminal.shown(/"id": *"([^"]+)"/))[1] ?? '';
    await home.until(id, (job) => job.workers[0]?.state === 'running');
    terminal.type('logout');
    await new Promise((resolve) => terminal.child.once('close', resolve));
    await goesOn(id);
  }, 90_000);
});

describe.skipIf(process.platform !== 'linux')('somebody at a terminal', () => {
  it('is asked before a key goes that a template names; Enter alone keeps it', async () => {
    writeKeyFile(path.join(home.folder, 'key.json'));
    await home.json(['keys', 'add', 'key.json', '--name', 'lab']);
    await mkdir(path.join(home.home, 'templates'), { recursive: true });
    await home.file('home/templates/nightly.yaml', 'output: { gcs: gs://b/p, key: lab }\n');
    for (const { keys, says, left } of [
      { keys: '', says: /Nothing was removed/, left: 1 },
      { keys: 'y', says: /lab is removed from the vault/, left: 0 },
    ]) {
      const terminal = openTerminal();
      // A pipe has no width, and clack would break every line to nothing.
      terminal.type(`stty cols 120; '${process.execPath}' '${COMMAND_LINE}' keys remove lab`);
      await terminal.shown(/1 template naming it: nightly/);
      await terminal.shown(/Remove lab all the same\?/);
      // Raw mode wants a carriage return.
      terminal.child.stdin?.write(`${keys}\r`);
      await terminal.shown(says);
      terminal.type('logout');
      await new Promise((resolve) => terminal.child.once('close', resolve));
      expect(await home.json<unknown[]>(['keys', 'list'])).toHaveLength(left);
    }
  }, 90_000);
});
