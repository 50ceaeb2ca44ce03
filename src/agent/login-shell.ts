import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { userInfo } from 'node:os';
import { sendSignal } from './identity.ts';
import { loginEnvironment, withoutControls } from './own-environment.ts';

const TIME_LIMIT = 5_000;
const OUTPUT_LIMIT = 4 * 1024 * 1024;

export interface CapturedEnvironment {
  /** Without Trainyard's controls. */
  readonly variables: Readonly<Record<string, string>>;
  /** The shell that was asked, or null where it could not be. */
  readonly shell: string | null;
  /** Set where the shell could not be asked, and the agent's own environment stands in. */
  readonly warning: { readonly message: string; readonly hint: string } | null;
}

/** The user's login shell: `$SHELL`, else the one of the user database. */
export function loginShell(): string {
  try {
    return process.env['SHELL'] ?? userInfo().shell ?? '/bin/sh';
  } catch {
    return '/bin/sh';
  }
}

/**
 * The variables between two markers in a shell's output, as `env -0` printed them; null where the markers or the list are missing.
 * What start-up files print before stays outside.
 */
export function parseEnvironment(output: string, marker: string): Record<string, string> | null {
  const begin = output.indexOf(marker);
  const end = output.indexOf(marker, begin + marker.length);
  if (begin < 0 || end < 0) return null;
  const variables: Record<string, string> = {};
  for (const entry of output.slice(begin + marker.length, end).split('\0')) {
    const equals = entry.indexOf('=');
    if (equals > 0) variables[entry.slice(0, equals)] = entry.slice(equals + 1);
  }
  return Object.keys(variables).length === 0 ? null : variables;
}

/** Folders that npm and npx put into `PATH` for the program that they start: they would give a worker Trainyard's own packages and Node.js. */
const OF_NPM = /\/node_modules\/\.bin\/?$|\/_npx\/|\/node-gyp-bin\/?$/;

/**
 * `PATH` of the login shell, then what only the agent's own has: a program that submit could find, a worker can. Without npm's folders, but
 * for those that the login shell itself adds. Pure.
 */
export function joinPaths(login: string | undefined, own: string | undefined): string {
  const ownEntries = (own ?? '').split(':');
  const ofNpm = new Set(ownEntries.filter((entry) => OF_NPM.test(entry)));
  const entries = [...(login ?? '').split(':'), ...ownEntries];
  return [...new Set(entries.filter((entry) => entry !== '' && !ofNpm.has(entry)))].join(':');
}

/**
 * The environment that the user's login shell makes (conda, modules), asked once: `$SHELL -l -i -c`, in a session of its own, at most
 * 5 seconds. Where that fails it is the agent's own environment, with a warning.
 */
export async function captureEnvironment(
  shell: string = loginShell(),
  timeLimit: number = TIME_LIMIT,
): Promise<CapturedEnvironment> {
  const marker = `trainyard-${randomBytes(12).toString('hex')}`;
  const output = await ask(shell, marker, timeLimit);
  const login = output === null ? null : parseEnvironment(output, marker);
  if (login === null)
    return {
      variables: {
        ...withoutControls(process.env),
        PATH: joinPaths(undefined, process.env['PATH']),
      },
      shell: null,
      warning: {
        message: `The login shell ${shell} did not tell its environment within ${timeLimit / 1_000} seconds: workers get the environment that Trainyard was started with.`,
        hint: `Look at its start-up files: \`${shell} -l -i -c env\` must print and end by itself.`,
      },
    };
  const variables = withoutControls(login);
  return {
    variables: { ...variables, PATH: joinPaths(variables['PATH'], process.env['PATH']) },
    shell,
    warning: null,
  };
}

function ask(shell: string, marker: string, timeLimit: number): Promise<string | null> {
  const script = `printf %s '${marker}'; env -0; printf %s '${marker}'`;
  return new Promise((resolve) => {
    const child = spawn(shell, ['-l', '-i', '-c', script], {
      detached: true,
      env: loginEnvironment(process.env),
      cwd: process.env['HOME'] ?? '/',
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    const chunks: Buffer[] = [];
    let size = 0;
    const finish = (answer: string | null): void => {
      clearTimeout(timer);
      if (child.pid !== undefined) sendSignal(-child.pid, 'SIGKILL');
      child.stdout.destroy();
      resolve(answer);
    };
    const timer = setTimeout(() => finish(null), timeLimit);
    child.once('error', () => finish(null));
    child.stdout.on('data', (chunk: Buffer) => {
      size += chunk.length;
      chunks.push(chunk);
      if (size > OUTPUT_LIMIT) finish(null);
    });
    child.once('exit', () => {
      // Something that the start-up files left in the background may keep the pipe open: what is there by now counts.
      setTimeout(() => finish(Buffer.concat(chunks).toString('utf8')), 20);
    });
  });
}
