import {
  constants,
  existsSync,
  fstatSync,
  lstatSync,
  mkdirSync,
  openSync,
  closeSync,
  readFileSync,
  renameSync,
  statfsSync,
  writeFileSync,
} from 'node:fs';
import { randomBytes } from 'node:crypto';
import path from 'node:path';
import * as z from 'zod';
import type { ShellAnswer } from './ask-shell.ts';

/** `f_type` of tmpfs and ramfs (statfs(2)). */
const MEMORY_TYPES = new Set([0x01021994, 0x858458f6]);

const keptSchema = z.strictObject({
  format: z.literal(1),
  shell: z.string(),
  home: z.string(),
  /** ISO 8601. */
  time: z.string(),
  variables: z.record(z.string(), z.string()),
  limits: z.array(z.tuple([z.string(), z.string()])),
});

export interface KeptAnswer {
  readonly answer: ShellAnswer;
  /** ISO 8601. */
  readonly time: string;
}

const who = (): string => String(process.getuid?.() ?? '');

/**
 * The last whole answer of the login shell, for when it does not answer: in memory alone (it may hold secrets of the user's own), in a folder that
 * nobody else can read. Null where this system has no memory file system.
 */
function folderFor(): string | null {
  const places = [process.env['XDG_RUNTIME_DIR'], '/dev/shm'];
  for (const place of places)
    try {
      if (place !== undefined && MEMORY_TYPES.has(statfsSync(place).type))
        return path.join(place, `trainyard-environment-${who()}`);
    } catch {
      // Not there.
    }
  return null;
}

const NAME = 'login.json';

/** Whether a folder is a folder of this user's, closed to others. */
function isOurs(folder: string): boolean {
  const found = lstatSync(folder);
  return found.isDirectory() && String(found.uid) === who() && (found.mode & 0o077) === 0;
}

/** What does not work is left undone: it serves only where the shell fails later. */
export function keepAnswer(shell: string, answer: ShellAnswer, folder = folderFor()): void {
  if (folder === null) return;
  try {
    if (!existsSync(folder)) mkdirSync(folder, { mode: 0o700 });
    if (!isOurs(folder)) return;
    const temporary = path.join(folder, `${NAME}.${randomBytes(6).toString('hex')}`);
    const kept: z.infer<typeof keptSchema> = {
      format: 1,
      shell,
      home: process.env['HOME'] ?? '',
      time: new Date().toISOString(),
      variables: { ...answer.variables },
      limits: [...answer.limits],
    };
    writeFileSync(temporary, JSON.stringify(kept), { mode: 0o600, flag: 'wx' });
    renameSync(temporary, path.join(folder, NAME));
  } catch {
    // Said above.
  }
}

/** What the same shell said last, of the same home; null where nothing is kept. */
export function keptAnswer(shell: string, folder = folderFor()): KeptAnswer | null {
  if (folder === null) return null;
  try {
    if (!isOurs(folder)) return null;
    const file = openSync(path.join(folder, NAME), constants.O_RDONLY | constants.O_NOFOLLOW);
    try {
      if (String(fstatSync(file).uid) !== who()) return null;
      const kept = keptSchema.parse(JSON.parse(readFileSync(file, 'utf8')));
      if (kept.shell !== shell || kept.home !== (process.env['HOME'] ?? '')) return null;
      return {
        answer: { variables: kept.variables, limits: new Map(kept.limits) },
        time: kept.time,
      };
    } finally {
      closeSync(file);
    }
  } catch {
    return null;
  }
}
