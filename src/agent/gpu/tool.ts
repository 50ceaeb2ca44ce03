import { execFile } from 'node:child_process';
import { accessSync, constants, statSync } from 'node:fs';
import path from 'node:path';
import {
  ANSWERED_WITH_WARNING,
  NVIDIA_SMI_FOLDERS,
  brokenMessage,
} from '../../shared/nvidia-smi.ts';
import { withoutControls } from '../own-environment.ts';

const TIME_LIMIT = 15_000;

/** What nvidia-smi answered; `whole` unless it ended with an error, of which what it wrote before tells what it could. */
export type Answer =
  | { readonly kind: 'said'; readonly output: string; readonly whole: boolean }
  | { readonly kind: 'no-tool' }
  | { readonly kind: 'broken'; readonly message: string };

/** The `PATH` of the user's login shell; asked only where this process's own does not lead to nvidia-smi. */
export type LoginPath = () => Promise<string | undefined>;

function isProgram(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return statSync(file).isFile();
  } catch {
    return false;
  }
}

const onPath = (folders: readonly string[]): string | null =>
  folders
    .filter((folder) => path.isAbsolute(folder))
    .map((folder) => path.join(folder, 'nvidia-smi'))
    .find(isProgram) ?? null;

/** Where nvidia-smi is: on this process's PATH, on the login shell's, or where drivers put it; null: nowhere. */
export async function findTool(loginPath: LoginPath): Promise<string | null> {
  const own = onPath((process.env['PATH'] ?? '').split(':'));
  if (own !== null) return own;
  const login = await loginPath();
  return onPath((login ?? '').split(':')) ?? onPath(NVIDIA_SMI_FOLDERS);
}

/** Runs nvidia-smi. An answer that is empty and ends with an error is `broken`. */
export function askTool(tool: string, ...parameters: string[]): Promise<Answer> {
  return new Promise((resolve) => {
    execFile(
      tool,
      parameters,
      {
        timeout: TIME_LIMIT,
        killSignal: 'SIGKILL',
        maxBuffer: 16 * 1024 * 1024,
        env: { ...withoutControls(process.env), LC_ALL: 'C' },
      },
      (error, stdout, stderr) => {
        if (error === null || error.code === ANSWERED_WITH_WARNING)
          resolve({ kind: 'said', output: stdout, whole: true });
        else if (error.code === 'ENOENT') resolve({ kind: 'no-tool' });
        else if (error.killed === true)
          resolve({
            kind: 'broken',
            message: `nvidia-smi did not answer within ${TIME_LIMIT / 1_000} seconds.`,
          });
        else if (typeof error.code === 'number' && stdout.trim() !== '')
          resolve({ kind: 'said', output: `${stdout}\n${stderr}`, whole: false });
        else resolve({ kind: 'broken', message: brokenMessage(`${stdout}\n${stderr}`) });
      },
    );
  });
}
