import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import type { CallArguments, CallName, CallValue } from '../../src/shared/ipc.ts';
import type { Result } from '../../src/shared/problem.ts';
import { isAlive, identityOf } from '../../src/agent/identity.ts';
import type { ProcessIdentity } from '../../src/shared/process-identity.ts';
import { connectPage, type PageLink } from './page-link.ts';
import { descendantsOf, executableOf } from './processes.ts';

/** What the real application runs in. */
export interface Runtime {
  readonly executable: string;
  /** `DISPLAY`. */
  readonly display: string;
}

/** The application on the soak's home: opened, asked through its own window, killed, opened again. */
export interface Application {
  /** Its main process while it opens or is open, otherwise null. */
  readonly process: ProcessIdentity | null;
  /** It was started and its page is not there yet. */
  readonly isOpening: boolean;
  /** How long its last start took, and when the present one began. Milliseconds. */
  readonly openTime: number;
  readonly openedAt: number;
  /** Starts it where it is not there; resolves when its page is. Rejects where it was killed meanwhile. */
  open(): Promise<void>;
  /** Asks through the window's own bridge. Rejects where the application is gone. */
  call<Name extends CallName>(
    name: Name,
    args: CallArguments<Name>,
  ): Promise<Result<CallValue<Name>>>;
  /** Kills exactly the main process; whether it was there. Its children have to follow by themselves. */
  kill(): Promise<boolean>;
  /** Everything that belongs to it now. */
  processes(): readonly number[];
  /** What was not as it should be since the last look: children that outlived it, ends of its own accord. */
  wrong(): readonly string[];
  /** Quits as the system's shutdown does. */
  close(): Promise<void>;
}

/** How long the application may take to open on a busy machine, and its children to leave. Milliseconds. */
const OPEN_TIME = 90_000;
const LEAVE_TIME = 20_000;

const pause = (milliseconds: number): Promise<void> =>
  new Promise((resolve) => setTimeout(resolve, milliseconds));

async function until(test: () => boolean, milliseconds: number): Promise<boolean> {
  const end = performance.now() + milliseconds;
  while (!test()) {
    if (performance.now() > end) return false;
    await pause(20);
  }
  return true;
}

interface Running {
  readonly child: ChildProcess;
  readonly identity: ProcessIdentity;
  readonly at: number;
  readonly ready: Promise<PageLink>;
  link: PageLink | null;
  /** We ended it. */
  ended: boolean;
}

/**
 * `program` is the folder of the built programs, `folder` one for what Chromium leaves outside the home.
 * Errors of use are exceptions: this is a tool of tests.
 */
export function application(
  runtime: Runtime,
  program: string,
  folder: string,
  env: Readonly<Record<string, string>>,
): Application {
  let running: Running | null = null;
  let openTime = 3_000;
  const wrong: string[] = [];

  const belongs = (pid: number): boolean =>
    path.dirname(executableOf(pid)) === path.dirname(runtime.executable);
  const processes = (): readonly number[] => {
    const pid = running?.identity.pid;
    return pid === undefined ? [] : [pid, ...descendantsOf(pid).filter(belongs)];
  };

  const start = async (): Promise<Running> => {
    for (const name of ['tmp', 'runtime'])
      await mkdir(path.join(folder, name), { recursive: true, mode: 0o700 });
    const child = spawn(
      runtime.executable,
      [
        ...(process.getuid?.() === 0 ? ['--no-sandbox'] : []),
        '--disable-gpu',
        '--remote-debugging-port=0',
        program,
      ],
      {
        cwd: folder,
        env: {
          ...env,
          DISPLAY: runtime.display,
          LANG: 'C.UTF-8',
          TMPDIR: path.join(folder, 'tmp'),
          XDG_RUNTIME_DIR: path.join(folder, 'runtime'),
        },
        stdio: ['ignore', 'ignore', 'pipe'],
      },
    );
    await once(child, 'spawn');
    const identity = identityOf(child.pid ?? 0);
    if (identity === null) throw new Error('the application ended at its start');
    let words = '';
    const at = performance.now();
    const debugger_ = new Promise<string>((resolve, reject) => {
      child.stderr.setEncoding('utf8').on('data', (text: string) => {
        words = (words + text).slice(-4_000);
        const found = /DevTools listening on ws:\/\/([\d.]+:\d+)\//.exec(words);
        if (found?.[1] !== undefined) resolve(found[1]);
      });
      child.once('exit', () => reject(new Error('the application is gone')));
    });
    const self: Running = {
      child,
      identity,
      at,
      link: null,
      ended: false,
      ready: debugger_.then(async (address) => {
        const link = await connectPage(
          address,
          performance.now() + OPEN_TIME,
          () => child.exitCode !== null || child.signalCode !== null,
        );
        self.link = link;
        openTime = performance.now() - at;
        return link;
      }),
    };
    self.ready.catch((error: unknown) => {
      if (isAlive(identity) && !self.ended) wrong.push(`it did not open: ${String(error)}`);
    });
    child.once('exit', (code, signal) => {
      self.link?.close();
      if (running === self) running = null;
      if (!self.ended)
        wrong.push(`the application ended by itself (${code ?? signal}): ${words.slice(-400)}`);
    });
    return self;
  };

  let starting: Promise<Running> | null = null;
  const open = async (): Promise<void> => {
    if (running === null) {
      starting ??= start().finally(() => (starting = null));
      running = await starting;
    }
    await running.ready;
  };

  /** Ends the main process by a signal and looks whether everything else of it went as well. */
  const end = async (signal: NodeJS.Signals): Promise<boolean> => {
    const now = running;
    if (now === null || !isAlive(now.identity)) return false;
    const all = processes().flatMap((pid) => identityOf(pid) ?? []);
    now.ended = true;
    now.child.kill(signal);
    const gone = await until(() => !isAlive(now.identity), LEAVE_TIME);
    if (!gone) {
      wrong.push(`the application did not quit within ${LEAVE_TIME / 1000} s of ${signal}`);
      now.child.kill('SIGKILL');
    }
    if (running === now) running = null;
    const away = await until(() => !all.some(isAlive), LEAVE_TIME);
    if (!away) {
      const left = all.filter(isAlive);
      wrong.push(`${left.length} processes outlived the application`);
      for (const one of left) process.kill(one.pid, 'SIGKILL');
    }
    return true;
  };

  return {
    get process() {
      return running?.identity ?? null;
    },
    get isOpening() {
      return running !== null && running.link === null;
    },
    get openTime() {
      return openTime;
    },
    get openedAt() {
      return running?.at ?? 0;
    },
    open,
    async call(name, args) {
      const link = running?.link;
      if (link === undefined || link === null) throw new Error('the application is gone');
      const words = `window.trainyard.call(${JSON.stringify(name)}, ${JSON.stringify(args)})`;
      return (await link.evaluate(words)) as never;
    },
    kill: () => end('SIGKILL'),
    processes,
    wrong: () => wrong.splice(0),
    async close() {
      await starting?.catch(() => undefined);
      await end('SIGTERM');
    },
  };
}
