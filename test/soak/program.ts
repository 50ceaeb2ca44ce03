import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdir, symlink } from 'node:fs/promises';
import path from 'node:path';

const root = path.resolve(import.meta.dirname, '../..');

/**
 * Copies what users start into a folder, so that a build meanwhile changes nothing under a soak.
 * Returns the path of the command line's launcher.
 */
export async function copyProgram(folder: string, withWindow: boolean): Promise<string> {
  const parts = ['bin', 'package.json', 'out/agent', 'out/cli', 'out/emulator'];
  for (const part of [...parts, ...(withWindow ? ['out/main', 'out/preload', 'out/renderer'] : [])])
    await cp(path.join(root, part), path.join(folder, part), { recursive: true });
  await symlink(path.join(root, 'node_modules'), path.join(folder, 'node_modules'));
  await mkdir(path.join(folder, 'examples'), { recursive: true });
  return path.join(folder, 'bin/trainyard.mjs');
}

export interface Ended {
  readonly status: number | null;
  readonly signal: string | null;
  readonly stdout: string;
  readonly stderr: string;
  /** It did not end in time and was killed. */
  readonly late: boolean;
}

export interface Command {
  readonly pid: number;
  /** By `performance.now()`. */
  readonly started: number;
  readonly ended: Promise<Ended>;
}

/** How long a command may take before it counts as hung. Milliseconds. */
export const COMMAND_TIME = 180_000;

/** Starts a command; `wrapped` names the program and arguments that come first. */
export function startCommand(
  wrapped: readonly string[],
  parameters: readonly string[],
  env: Readonly<Record<string, string>>,
  cwd: string,
): Command {
  const [file = process.execPath, ...first] = wrapped;
  const child = spawn(file, [...first, ...parameters], {
    env: { ...env },
    cwd,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const output = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const)
    child[name].setEncoding('utf8').on('data', (text: string) => {
      output[name] = (output[name] + text).slice(-2_000_000);
    });
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    child.kill('SIGKILL');
  }, COMMAND_TIME);
  const ended = once(child, 'close').then(([status, signal]) => {
    clearTimeout(timer);
    return {
      status: status as number | null,
      signal: signal as string | null,
      ...output,
      late,
    };
  });
  return { pid: child.pid ?? 0, started: performance.now(), ended };
}
