import { readFileSync } from 'node:fs';

/** Who besides this user may change what lies in a folder. Root is no "other": it may do anything anyway. */

/** What the system says of a folder or link. */
export interface OwnedEntry {
  readonly uid: number;
  readonly gid: number;
  readonly mode: number;
}

export interface Viewer {
  readonly uid: number;
  /** Whether a group has nobody in it but this user: the group of their own that most systems give to each. */
  isOwnGroup(gid: number): boolean;
}

/** `owner`: it belongs to another user; `everyone`, `group`: by its mode. */
export type Exposure = 'owner' | 'everyone' | 'group';

const STICKY = 0o1000;

/**
 * Which other users may remove and replace entries of a folder; null where none may. In a sticky folder (`/tmp`) everybody may make files, but
 * nobody may touch those of others. Pure.
 */
export function exposureOf(folder: OwnedEntry, viewer: Viewer): Exposure | null {
  if (folder.uid !== viewer.uid && folder.uid !== 0) return 'owner';
  if ((folder.mode & STICKY) !== 0) return null;
  if ((folder.mode & 0o002) !== 0) return 'everyone';
  return (folder.mode & 0o020) !== 0 && !viewer.isOwnGroup(folder.gid) ? 'group' : null;
}

/**
 * Whether a link on the way to a folder that a user named is followed: it is their own or root's, or nobody else could have put it where it lies.
 * What another user made may lead anywhere, most of all to where this user alone may write. Linux has such a rule for sticky folders
 * (`fs.protected_symlinks`). Pure.
 */
export function mayFollow(link: OwnedEntry, folder: OwnedEntry, viewer: Viewer): boolean {
  if (link.uid === viewer.uid || link.uid === 0) return true;
  return exposureOf({ ...folder, mode: folder.mode & ~STICKY }, viewer) === null;
}

/** What is to be told of a folder that others may write to: a sentence, and what helps. `use`: what is done there. Pure. */
export function exposureWords(
  path: string,
  exposure: Exposure,
  use: 'copied there' | 'copied from there' | 'run from there',
): { readonly message: string; readonly hint: string } {
  const who =
    exposure === 'owner'
      ? `${path} belongs to another user, who`
      : exposure === 'everyone'
        ? `Every user of this machine may write to ${path}, and`
        : `Other users (its group) may write to ${path}, and`;
  return {
    message: `${who} can change or replace what is ${use}.`,
    hint:
      exposure === 'owner'
        ? 'Where that is not meant, use a folder of your own.'
        : 'Where that is not meant, use a folder of your own, or close this one (chmod go-w).',
  };
}

/**
 * Whether one user alone is in a group: no other is listed as a member (`group(5)`), none has it as the first group (`passwd(5)`). A group that
 * these files do not know may have anybody in it. Pure.
 */
export function isGroupOfOne(
  gid: number,
  uid: number,
  files: { readonly group: string; readonly passwd: string },
): boolean {
  const users = files.passwd.split('\n').map((line) => line.split(':'));
  const name = users.find(([, , id]) => id === String(uid))?.[0];
  const others = users.some(([, , id, first]) => first === String(gid) && id !== String(uid));
  const line = files.group.split('\n').find((one) => one.split(':')[2] === String(gid));
  if (line === undefined || others) return false;
  const members = (line.split(':')[3] ?? '').split(',').filter((member) => member !== '');
  return members.every((member) => member === name);
}

const readOrEmpty = (file: string): string => {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
};

/** This process, as {@link exposureOf} sees it. On Windows, where there are no such owners, everything is its own. */
export function viewerNow(): Viewer {
  const uid = process.geteuid?.() ?? 0;
  const known = new Map<number, boolean>();
  return {
    uid,
    isOwnGroup(gid) {
      if (process.platform === 'win32') return true;
      let own = known.get(gid);
      if (own === undefined) {
        const files = { group: readOrEmpty('/etc/group'), passwd: readOrEmpty('/etc/passwd') };
        own = isGroupOfOne(gid, uid, files);
        known.set(gid, own);
      }
      return own;
    },
  };
}
