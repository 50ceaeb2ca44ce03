import type { Stats } from 'node:fs';
import { join } from 'node:path';
import { problem, type Problem } from '../shared/problem.ts';
import type { ObjectInfo } from '../shared/object-info.ts';
import { layersOf } from '../shared/codings.ts';
import { decodeCrc32c } from './crc32c.ts';
import { checksumOf, diskProblem, DiskFault, errorCodeOf } from './disk.ts';
import type { DownloadJournal } from './download-journal.ts';
import type { PlannedDownload } from './download-plan.ts';
import { folderOf, type FolderTree } from './folder-tree.ts';
import {
  dropSecondName,
  openPlaced,
  partialPath,
  statPlace,
  type FilePlace,
} from './partial-file.ts';
import { beginsAsGzip } from './unpack-object.ts';
import type { UnpackedForms } from './unpacked-forms.ts';
import type { Wire } from './wire.ts';

function inTheWay(path: string, what: string): Problem {
  return problem({
    code: 'transfer.exists',
    op: 'download to',
    subject: path,
    message: `${what} is in its place, and nothing is overwritten.`,
    hint: 'Move it away, or download to another folder.',
  });
}

/** What a file is told from an object by. */
export interface Comparing {
  /** What is stored packed stays so. */
  readonly keepCompressed: boolean;
  readonly forms: UnpackedForms;
}

/**
 * Whether a file in its place, as it was seen, holds what a download of the object puts there: the stored bytes, or what they are unpacked, where an earlier
 * download noted that. `packed`: it holds the stored bytes of an object that is unpacked. Throws what the system refuses.
 */
export async function holdsObject(
  place: FilePlace,
  seen: Stats,
  object: ObjectInfo,
  { keepCompressed, forms }: Comparing,
  signal: AbortSignal,
): Promise<'yes' | 'no' | 'packed'> {
  const { size } = seen;
  const unpacks = object.size > 0 && layersOf(object, keepCompressed) > 0;
  const form = unpacks ? forms.of(object) : null;
  const stored = { size: object.size, crc32c: decodeCrc32c(object.crc32c) };
  const wanted = form ?? stored;
  if (wanted.size !== size && stored.size !== size) return 'no';
  const handle = await openPlaced(place, seen);
  if (handle === null) return 'no';
  try {
    const sum = await checksumOf(handle, 0, size, signal);
    if (size === wanted.size && sum !== null && sum === wanted.crc32c)
      // Without a note the stored bytes belong there only where they are no gzip.
      return unpacks && form === null && (await beginsAsGzip(handle)) ? 'packed' : 'yes';
    return size === stored.size && sum !== null && sum === stored.crc32c ? 'packed' : 'no';
  } finally {
    await handle.close();
  }
}

export type FileState =
  /** It is the file; so many bytes. */
  | { readonly kind: 'have'; readonly bytes: number }
  | { readonly kind: 'fetch' }
  /** An older state of our own. */
  | { readonly kind: 'replace' }
  | { readonly kind: 'blocked'; readonly problem: Problem };

/**
 * What the disk has in the place of a planned file: the file itself, nothing, an older state of our own, or something
 * that is not ours. The journal's word is taken while the machine runs and the file's size and time are the same;
 * otherwise the bytes are read and compared.
 */
export async function stateOf(context: StateContext, file: PlannedDownload): Promise<FileState> {
  const path = join(context.destination, file.path);
  const blocked = (what: string): FileState => ({
    kind: 'blocked',
    problem: inTheWay(path, what),
  });
  try {
    return await context.tree.in(folderOf(file.path), (folder) =>
      stateIn(context, file, { folder, path, partial: partialPath(path, context.partialId) }),
    );
  } catch (error) {
    const code = errorCodeOf(error);
    if (code === 'ENOENT') return { kind: 'fetch' };
    if (code === 'ENOTDIR') return blocked('A file or link where a folder is needed');
    if (error instanceof DiskFault) return { kind: 'blocked', problem: error.problem };
    if (code === null) throw error;
    return { kind: 'blocked', problem: diskProblem(error, { op: 'look at', subject: path }) };
  }
}

interface StateContext extends Comparing {
  readonly tree: FolderTree;
  readonly destination: string;
  readonly partialId: string;
  readonly journal: DownloadJournal;
  readonly boot: string | null;
  readonly wire: Wire;
}

async function stateIn(
  context: StateContext,
  file: PlannedDownload,
  place: FilePlace,
): Promise<FileState> {
  const { object } = file;
  const blocked = (what: string): FileState => ({
    kind: 'blocked',
    problem: inTheWay(place.path, what),
  });
  const stats = await statPlace(place);
  if (stats === null) return { kind: 'fetch' };
  if (!stats.isFile()) return blocked(stats.isDirectory() ? 'A folder' : 'A link or other file');
  const record = context.journal.of(file.path);
  const untouched =
    record !== null && record.size === stats.size && record.mtimeMs === stats.mtimeMs;
  const sameBoot = record !== null && record.boot !== null && record.boot === context.boot;
  const sameObject = record?.object === object.name && record.generation === object.generation;
  if (untouched && sameBoot && sameObject) return { kind: 'have', bytes: stats.size };
  const held = await holdsObject(place, stats, object, context, context.wire.signal);
  if (held === 'yes') {
    await dropSecondName(place, stats);
    const { name, generation } = object;
    const { size, mtimeMs } = stats;
    await context.journal.done({ object: name, generation, path: file.path, size, mtimeMs });
    return { kind: 'have', bytes: size };
  }
  // Ours, of another generation; or ours, and lost with the power.
  if (untouched || (record !== null && !sameBoot)) return { kind: 'replace' };
  return blocked(held === 'packed' ? PACKED_THERE : 'Another file');
}

/** What is in the place of an unpacked file. */
export const PACKED_THERE = 'The object as it is stored, still packed (Content-Encoding: gzip),';
