import { accessSync, constants, statSync } from 'node:fs';
import path from 'node:path';

/** The first program of a name in a `PATH`, or null. */
export function findProgram(name: string, search: string | undefined): string | null {
  for (const folder of (search ?? '').split(':')) {
    if (!path.isAbsolute(folder)) continue;
    const file = path.join(folder, name);
    if (isProgram(file)) return file;
  }
  return null;
}

export function isProgram(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return statSync(file).isFile();
  } catch {
    return false;
  }
}

const USUAL = '/usr/bin:/bin:/usr/local/bin:/run/current-system/sw/bin';

/** Where a system tool is: in its usual places first, whatever a `PATH` says; else its name. */
export const systemTool = (name: string): string =>
  findProgram(name, `${USUAL}:${process.env['PATH'] ?? ''}`) ?? name;

/** The bash that a `PATH` leads to, else the machine's; null where there is none. */
export const findBash = (search: string | undefined): string | null =>
  findProgram('bash', `${search ?? ''}:${process.env['PATH'] ?? ''}:${USUAL}`);
