import { chmodSync, readdirSync, statSync } from 'node:fs';
import { fail, ok, problem, type Result } from '../../shared/problem.ts';

/** What decides whether a folder can hold secrets: whose it is, who may change it, and whether it is Trainyard's. */
export interface FolderFacts {
  readonly owner: number;
  readonly mode: number;
  /** It holds nothing but what Trainyard puts there, as far as can be told: closing it takes nothing from anybody. */
  readonly isOurs: boolean;
}

/** `narrow`: closing it to others is due. */
export type FolderState = 'good' | 'narrow' | 'of-another' | 'open';

const OTHERS = 0o077;
const OTHERS_WRITE = 0o022;
/** Of a folder that is meant for everybody, such as `/tmp`. */
const STICKY = 0o1000;

/**
 * What is to be done about a folder before anything secret is put there. One that others can write to is no place for it: they could put a file or
 * a folder of their own in the place of ours. One of the user's own that is in use for other things too, and that others may only read, is left as
 * it is: what Trainyard puts into it is closed by itself. Pure.
 */
export function folderState({ owner, mode, isOurs }: FolderFacts, user: number): FolderState {
  if (owner !== user) return 'of-another';
  if ((mode & OTHERS) === 0) return 'good';
  if (isOurs && (mode & STICKY) === 0) return 'narrow';
  return (mode & OTHERS_WRITE) === 0 ? 'good' : 'open';
}

/** Names that Trainyard puts into its home, and nobody else into theirs. */
const MARKS: readonly string[] = ['trainyard.db', 'vault.json'];

/** Whether a folder that is there is empty, or a home of Trainyard's. A folder that cannot be listed is neither. */
export function looksLikeHome(folder: string): boolean {
  try {
    const names = readdirSync(folder);
    return names.length === 0 || MARKS.some((mark) => names.includes(mark));
  } catch {
    return false;
  }
}

/**
 * Closes a folder to others where it is the user's own and Trainyard's; see {@link folderState}. Folders above it are their owners' business.
 * Nothing is looked at on Windows, which has other rights. Throws what the system throws. Errors: `host.home-not-private`.
 */
export function closeFolder(folder: string, isOurs: boolean): Result<void> {
  const user = process.getuid?.();
  if (user === undefined) return ok();
  const state = (): FolderState => {
    const { uid, mode } = statSync(folder);
    return folderState({ owner: uid, mode, isOurs }, user);
  };
  let found = state();
  if (found === 'narrow') {
    try {
      chmodSync(folder, 0o700);
    } catch {
      // A file system without such rights, or one that is read-only: what it says then decides.
    }
    found = state();
  }
  if (found === 'of-another')
    return refuse(
      folder,
      `The folder ${folder} belongs to another user, who could read and change what Trainyard keeps there.`,
      'Set TRAINYARD_HOME to a folder of your own, or have it made yours (chown).',
    );
  const writable = (statSync(folder).mode & OTHERS_WRITE) !== 0;
  return found === 'good' || !writable
    ? ok()
    : refuse(
        folder,
        `Other users may write to the folder ${folder}, and could change what Trainyard keeps there.`,
        found === 'open'
          ? 'It is in use for other things too, so it was left as it is: set TRAINYARD_HOME to a folder of its own, or close this one (chmod go-w).'
          : 'It could not be closed to them: set TRAINYARD_HOME to a folder on a file system that has owners and rights.',
      );
}

function refuse(subject: string, message: string, hint: string): Result<never> {
  return fail(
    problem({ code: 'host.home-not-private', op: 'open the home folder', subject, message, hint }),
  );
}
