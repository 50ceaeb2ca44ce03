import { join } from 'node:path';
import { problem, type Problem } from '../shared/problem.ts';
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

/**
 * What the disk has in the place of a planned file: the file itself (`have`), nothing (`fetch`), an older state of our own (`replace`), or something
 * that is not ours (a problem). The journal's word is taken while the machine runs and the file's size and time are the same;
 * otherwise the bytes are read and compared.
 */
export async function stateOf(
  context: StateContext,
  file: PlannedDownload,
): Promise<'have' | 'fetch' | 'replace' | Problem> {
  const path = join(context.destination, file.path);
  try {
    return await context.tree.in(folderOf(file.path), (folder) =>
      stateIn(context, file, { folder, path, partial: partialPath(path, context.partialId) }),
    );
  } catch (error) {
    const code = errorCodeOf(error);
    if (code === 'ENOENT') return 'fetch';
    if (code === 'ENOTDIR') return inTheWay(path, 'A file or link where a folder is needed');
    if (error instanceof DiskFault) return error.problem;
    if (code === null) throw error;
    return diskProblem(error, { op: 'look at', subject: path });
  }
}

interface StateContext {
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
): Promise<'have' | 'fetch' | 'replace' | Problem> {
  const { object } = file;
  const { path } = place;
  const stats = await statPlace(place);
  if (stats === null) return 'fetch';
  if (!stats.isFile())
    return inTheWay(path, stats.isDirectory() ? 'A folder' : 'A link or other file');
  const record = context.journal.of(file.path);
  const untouched =
    record !== null && record.size === stats.size && record.mtimeMs === stats.mtimeMs;
  const sameBoot = record !== null && record.boot !== null && record.boot === context.boot;
  const sameObject = record?.object === object.name && record.generation === object.generation;
  if (untouched && sameBoot && sameObject) return 'have';
  if (stats.size === object.size && object.crc32c !== '') {
    const handle = await openPlaced(place, stats);
    let sum: number | null = null;
    try {
      if (handle !== null) sum = await checksumOf(handle, 0, object.size, context.wire.signal);
    } finally {
      await handle?.close();
    }
    if (sum === decodeCrc32c(object.crc32c)) {
      await dropSecondName(place, stats);
      const { name, generation } = object;
      const { size, mtimeMs } = stats;
      await context.journal.done({ object: name, generation, path: file.path, size, mtimeMs });
      return 'have';
    }
  }
  // Ours, of another generation; or ours, and lost with the power.
  if (untouched || (record !== null && !sameBoot)) return 'replace';
  return inTheWay(path, 'Another file');
}
