import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect } from 'vitest';
import { jobIdSchema } from '../../src/shared/plan.ts';
import type { JobView } from '../../src/shared/views.ts';
import { COMMAND_LINE } from '../support/programs.ts';
import { makeQuickVault } from '../support/quick-vault.ts';
import { runViews } from '../support/run-views.ts';

export interface Ended {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunningCli {
  readonly child: ChildProcess;
  readonly ended: Promise<Ended>;
  /** Waits until a pattern is printed on either stream. */
  printed(pattern: RegExp, timeoutMs?: number): Promise<void>;
}

/** A home of its own with a passphrase vault, and the command line on it. */
export interface TestHome {
  readonly folder: string;
  readonly home: string;
  readonly env: Record<string, string>;
  start(args: readonly string[], env?: Record<string, string>): RunningCli;
  run(args: readonly string[], env?: Record<string, string>): Promise<Ended>;
  /** Runs with `--json`, expects status 0, returns the document. */
  json<T>(args: readonly string[], env?: Record<string, string>): Promise<T>;
  /** Writes a file below the folder; returns its path. */
  file(name: string, content: string): Promise<string>;
  job(id: string): Promise<JobView>;
  /** Waits until a job is as wanted. */
  until(id: string, wanted: (job: JobView) => boolean, timeoutMs?: number): Promise<JobView>;
  /** Stops what runs, waits for the agents, removes the folder. */
  remove(): Promise<void>;
}

/** Milliseconds after which a command that does not end has failed the test. */
const COMMAND_TIME = 60_000;

/** `vault`: `new` leaves its making, and that of the home, to the first command. */
export async function makeHome(
  environment: Record<string, string> = {},
  { vault = 'quick' }: { readonly vault?: 'quick' | 'new' } = {},
): Promise<TestHome> {
  const folder = await mkdtemp(path.join(tmpdir(), 'trainyard-cli-'));
  const home = path.join(folder, 'home');
  const passphrase = path.join(folder, 'passphrase');
  await writeFile(passphrase, 'correct horse\n');
  await chmod(passphrase, 0o600);
  if (vault === 'quick') await makeQuickVault(home, 'correct horse');
  const env: Record<string, string> = {
    PATH: process.env['PATH'] ?? '',
    HOME: folder,
    SHELL: '/bin/sh',
    TRAINYARD_HOME: home,
    TRAINYARD_VAULT: 'passphrase',
    TRAINYARD_PASSPHRASE_FILE: passphrase,
    ...environment,
  };

  const start: TestHome['start'] = (args, more = {}) => {
    const child = spawn(process.execPath, [COMMAND_LINE, ...args], {
      env: { ...env, ...more },
      cwd: folder,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let stdout = '';
    let stderr = '';
    const listeners = new Set<() => void>();
    const tell = () => {
      for (const listener of listeners) listener();
    };
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text;
      tell();
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
      tell();
    });
    const late = setTimeout(() => child.kill('SIGKILL'), COMMAND_TIME);
    const ended = once(child, 'close').then(([status]): Ended => {
      clearTimeout(late);
      tell();
      return { status: status as number | null, stdout, stderr };
    });
    const printed = (pattern: RegExp, timeoutMs = 60_000) =>
      new Promise<void>((resolve, reject) => {
        const fail = (why: string) => {
          clearTimeout(timer);
          listeners.delete(look);
          reject(new Error(`${pattern.source} was not printed ${why}:\n${stdout}\n${stderr}`));
        };
        const timer = setTimeout(() => fail('in time'), timeoutMs);
        const look = () => {
          if (pattern.test(stdout) || pattern.test(stderr)) {
            clearTimeout(timer);
            listeners.delete(look);
            resolve();
          } else if (child.exitCode !== null) fail(`before the end (${child.exitCode})`);
        };
        listeners.add(look);
        look();
      });
    return { child, ended, printed };
  };
  const run: TestHome['run'] = (args, more) => start(args, more).ended;
  const json = async <T>(args: readonly string[], more?: Record<string, string>): Promise<T> => {
    const ended = await run([...args, '--json'], more);
    expect(ended, ended.stderr).toMatchObject({ status: 0 });
    return JSON.parse(ended.stdout) as T;
  };
  const job = (id: string) => json<JobView>(['job', id]);
  const viewOf = runViews(home, folder);
  const until: TestHome['until'] = async (id, wanted, timeoutMs = 60_000) => {
    const late = Date.now() + timeoutMs;
    for (;;) {
      // What the command line says counts; it is asked when there is news.
      const told = await job(id);
      if (wanted(told)) return told;
      let view = told;
      do {
        if (Date.now() > late)
          throw new Error(`The job did not get there: ${JSON.stringify(view, null, 1)}`);
        await new Promise((resolve) => setTimeout(resolve, 50));
        view = await viewOf(told.id);
      } while (!wanted(view));
    }
  };
  return {
    folder,
    home,
    env,
    start,
    run,
    json,
    job,
    until,
    file: async (name, content) => {
      const file = path.join(folder, name);
      await writeFile(file, content);
      return file;
    },
    remove: async () => {
      for (const id of await readdir(path.join(home, 'runs')).catch(() => [])) {
        if (!jobIdSchema.safeParse(id).success || (await viewOf(id)).agent === null) continue;
        await run(['stop', id, '--detach']);
        await until(id, (view) => view.agent === null, 20_000).catch(() => undefined);
      }
      await rm(folder, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

/** All lines of a run's events. */
export async function eventsOf(
  job: JobView,
): Promise<{ kind: string; [field: string]: unknown }[]> {
  const text = await readFile(path.join(job.runDirectory, 'events.jsonl'), 'utf8');
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as { kind: string });
}
