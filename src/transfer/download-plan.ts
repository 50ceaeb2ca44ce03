import { utf8Length } from '../shared/address.ts';
import type { ObjectInfo } from '../shared/object-info.ts';
import type { InputTarget } from '../shared/plan.ts';

/** What a file is called until it is complete and verified. */
export const PARTIAL_SUFFIX = '.trainyard-partial';

/** The longest file name of the usual file systems, in bytes (`NAME_MAX`). */
const SEGMENT_LIMIT = 255;

export interface PlannedDownload {
  readonly object: ObjectInfo;
  /** Below the destination, with `/`. */
  readonly path: string;
}

/** An object that gets no file, and why: a sentence without the object's name. */
export interface RefusedObject {
  readonly object: string;
  readonly reason: string;
}

export interface DownloadPlan {
  readonly files: readonly PlannedDownload[];
  /** Folders that markers (`prefix/name/`, empty) ask for, with `/`. */
  readonly folders: readonly string[];
  readonly refused: readonly RefusedObject[];
  /** Of the files. */
  readonly bytes: number;
  readonly objects: number;
}

/** What the disk at the destination is like. */
export interface DownloadPlanOptions {
  /** It takes `A` and `a`, composed and decomposed letters, for one name (macOS, Windows). */
  readonly foldsNames?: boolean;
  /** It has Windows' rules for names. */
  readonly windows?: boolean;
}

const WINDOWS_DEVICE = /^(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])(\.|$)/i;

function windowsReason(segment: string): string | null {
  if (/[<>:"|?*\\]/.test(segment)) return 'it holds a character that Windows allows in no name';
  if (WINDOWS_DEVICE.test(segment)) return 'Windows has a device of that name';
  if (/[. ]$/.test(segment)) return 'Windows drops a dot or space at the end of a name';
  return null;
}

/** Why one part of a name cannot be the name of a file or folder, or null where it can. */
function segmentReason(segment: string, windows: boolean): string | null {
  if (segment === '') return 'it has an empty part: two slashes in a row, or one at the beginning';
  if (segment === '.' || segment === '..') return `it has the part "${segment}"`;
  if (/[\u0000-\u001f\u007f]/.test(segment)) return 'it holds a control character';
  if (utf8Length(segment) > SEGMENT_LIMIT) return `a part of it is longer than 255 bytes`;
  if (segment.endsWith(PARTIAL_SUFFIX))
    return `it ends with ${PARTIAL_SUFFIX}, the mark of an incomplete file`;
  return windows ? windowsReason(segment) : null;
}

/** Why a relative path cannot be written below a folder, or null where it can. */
export function pathReason(path: string, windows = false): string | null {
  for (const segment of path.split('/')) {
    const reason = segmentReason(segment, windows);
    if (reason !== null) return reason;
  }
  return null;
}

/** The name of an object's file: what follows the prefix of a folder, the last part of a single object's name. */
function relativePathOf(name: string, target: InputTarget): string {
  return target.kind === 'folder'
    ? name.slice(target.prefix.length)
    : name.slice(name.lastIndexOf('/') + 1);
}

const foldersAbove = (path: string): readonly string[] =>
  path
    .split('/')
    .slice(0, -1)
    .map((_, index, parts) => parts.slice(0, index + 1).join('/'));

type Sorted =
  | { readonly kind: 'file' | 'folder'; readonly path: string }
  | { readonly kind: 'nothing' }
  | { readonly kind: 'refused'; readonly reason: string };

/** Looks at one object alone. */
function sort(object: ObjectInfo, target: InputTarget, windows: boolean): Sorted {
  if (target.kind === 'folder' && !object.name.startsWith(target.prefix))
    return { kind: 'refused', reason: 'it does not lie below the prefix' };
  if (/\p{Surrogate}/u.test(object.name)) return { kind: 'refused', reason: 'it is not Unicode' };
  const path = relativePathOf(object.name, target);
  // The marker of the folder itself.
  if (path === '' && object.size === 0) return { kind: 'nothing' };
  if (path.endsWith('/') || path === '') {
    const folder = path.slice(0, -1);
    const reason =
      object.size > 0 ? 'it ends with a slash and holds bytes' : pathReason(folder, windows);
    return reason === null ? { kind: 'folder', path: folder } : { kind: 'refused', reason };
  }
  const reason = pathReason(path, windows);
  return reason === null ? { kind: 'file', path } : { kind: 'refused', reason };
}

/**
 * Decides where each object of a listing goes. Pure. No path of the plan leaves the destination, and no two are the same file:
 * a name that cannot be a file's is refused with the reason, and the others still arrive. Object names are hostile input.
 */
export function planDownload(
  objects: readonly ObjectInfo[],
  target: InputTarget,
  options: DownloadPlanOptions = {},
): DownloadPlan {
  const windows = options.windows ?? false;
  const key = (path: string) =>
    options.foldsNames === true ? path.normalize('NFC').toLowerCase() : path;
  const refused: RefusedObject[] = [];
  const candidates: PlannedDownload[] = [];
  const folders = new Map<string, string>();

  for (const object of objects) {
    const sorted = sort(object, target, windows);
    if (sorted.kind === 'refused') refused.push({ object: object.name, reason: sorted.reason });
    else if (sorted.kind === 'folder') folders.set(key(sorted.path), sorted.path);
    else if (sorted.kind === 'file') candidates.push({ object, path: sorted.path });
  }

  const occupied = new Set(folders.keys());
  for (const { path } of candidates)
    for (const folder of foldersAbove(path)) occupied.add(key(folder));
  for (const folder of folders.values())
    for (const above of foldersAbove(folder)) occupied.add(key(above));

  const taken = new Map<string, string>();
  const files: PlannedDownload[] = [];
  for (const file of candidates) {
    const place = key(file.path);
    const other = taken.get(place);
    if (occupied.has(place))
      refused.push({
        object: file.object.name,
        reason: 'a folder of the same name is needed for other objects',
      });
    else if (other !== undefined)
      refused.push({
        object: file.object.name,
        reason: `this disk cannot tell its name from that of "${other}"`,
      });
    else {
      taken.set(place, file.object.name);
      files.push(file);
    }
  }
  return {
    files,
    folders: [...folders.values()],
    refused,
    bytes: files.reduce((sum, { object }) => sum + object.size, 0),
    objects: files.length,
  };
}
