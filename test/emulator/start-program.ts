import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { openHosted } from '../support/emulator-slot.ts';
import { EMULATOR } from '../support/programs.ts';

/** An emulator that listens, however it was started. */
export interface StartedProgram {
  readonly pid: number;
  readonly environment: Readonly<Record<string, string>>;
  /** May be called twice. */
  readonly stop: () => Promise<void>;
}

/** In the host of this test worker; null where there is none. */
export async function startHosted(argv: readonly string[]): Promise<StartedProgram | null> {
  const hosted = await openHosted(argv);
  return hosted === null
    ? null
    : { pid: hosted.pid, environment: hosted.environment, stop: hosted.close };
}

/** As a child process. Throws, with its last words, when it does not listen within 20 s. */
export async function startProcess(argv: readonly string[]): Promise<StartedProgram> {
  // The channel ends with this process, and the emulator with the channel: nothing is left behind when the tests are killed.
  const child = spawn(process.execPath, [EMULATOR, ...argv], {
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  });
  const ended = once(child, 'exit');
  let stdout = '';
  let stderr = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });

  const stop = async (): Promise<void> => {
    if (child.exitCode === null && child.signalCode === null) child.kill('SIGTERM');
    const late = setTimeout(() => child.kill('SIGKILL'), 5000);
    await ended;
    clearTimeout(late);
  };

  const listening = new Promise<void>((resolve, reject) => {
    const late = setTimeout(() => {
      reject(new Error(`The emulator did not listen within 20 s. ${stderr}`));
    }, 20_000);
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      stdout += text;
      if (stdout.split('\n').length > 4) {
        clearTimeout(late);
        resolve();
      }
    });
    child.once('error', reject);
    child.once('exit', (code) => {
      clearTimeout(late);
      reject(new Error(`The emulator ended with ${String(code)}. ${stderr}`));
    });
  });
  try {
    await listening;
  } catch (error) {
    await stop();
    throw error;
  }

  const environment: Record<string, string> = {};
  for (const line of stdout.split('\n')) {
    const match = /^export ([A-Z_]+)=(\S+)$/.exec(line);
    if (match?.[1] !== undefined && match[2] !== undefined) environment[match[1]] = match[2];
  }
  if (environment['STORAGE_EMULATOR_HOST'] === undefined || child.pid === undefined) {
    await stop();
    throw new Error(`The emulator printed ${stdout}`);
  }
  return { pid: child.pid, environment, stop };
}
