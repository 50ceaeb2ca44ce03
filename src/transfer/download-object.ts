import { basename, dirname, resolve } from 'node:path';
import { cancelledProblem } from '../google/http.ts';
import type { ObjectInfo } from '../shared/object-info.ts';
import { fail, ok, problem, type Result } from '../shared/problem.ts';
import { decodeCrc32c } from './crc32c.ts';
import { lockDestination, type DestinationLock } from './destination-lock.ts';
import { openDestination } from './destination.ts';
import { bootId, checksumOf, diskProblem, DiskFault, roomFor } from './disk.ts';
import { downloadLarge, LARGE } from './download-large.ts';
import { refusalReason } from './download-plan.ts';
import { downloadWhole } from './download-whole.ts';
import type { DownloadOptions } from './download.ts';
import { openTree, type FolderTree } from './folder-tree.ts';
import { limiter } from './limiter.ts';
import { listTarget } from './list-target.ts';
import {
  dropSecondName,
  openPlaced,
  partialId,
  partialPath,
  statPlace,
  type FilePlace,
} from './partial-file.ts';
import { progressMeter } from './progress.ts';
import { addressOf, openWire } from './wire.ts';

export interface DownloadObjectOptions extends Omit<DownloadOptions, 'target' | 'destination'> {
  readonly object: string;
  /** The file that it becomes. */
  readonly file: string;
  /** Replace a file that is there. Default false: `transfer.exists`. */
  readonly overwrite?: boolean;
}

export interface DownloadedObject extends ObjectInfo {
  /** The file had the object's content already: nothing was fetched. */
  readonly alreadyThere: boolean;
}

/**
 * Downloads one object to one file, verified, by the rules of {@link download}; a large one goes on where an earlier attempt with the same
 * journal ended. A file that has the object's size and CRC32C is left as it is. Needs `storage.objects.get`.
 * Errors: `transfer.exists` for anything else of that name; `transfer.destination-busy`; those of {@link download}.
 */
export async function downloadObject(
  options: DownloadObjectOptions,
): Promise<Result<DownloadedObject>> {
  const file = resolve(options.file);
  const subject = addressOf(options.bucket, options.object);
  const wire = await openWire(options);
  let lock: DestinationLock | null = null;
  let tree: FolderTree | null = null;
  try {
    const locked = await lockDestination(file);
    if (!locked.ok) return locked;
    lock = locked.value;
    const { onWarning } = options;
    const partial = partialPath(file, partialId(options.journal));
    tree = await openTree(dirname(file), { onExposed: onWarning }).catch((error: unknown) => {
      // What else is the matter with the folder shows when it is to be made.
      if (error instanceof DiskFault) throw error;
      return null;
    });
    const there = tree === null ? null : await look(tree, file, partial);
    const inTheWay = (message: string) =>
      fail(
        problem({
          code: 'transfer.exists',
          op: 'download to',
          subject: file,
          message: `${file}: ${message}`,
          hint: 'Name another file, or move it away.',
        }),
      );
    if (there !== null && !there.isFile())
      return inTheWay(
        there.isDirectory() ? 'there is a folder of this name.' : 'this is not a regular file.',
      );
    const listed = await listTarget(wire, { kind: 'object', object: options.object });
    if (!listed.ok) return listed;
    const object = listed.value[0];
    if (object === undefined) return fail(cancelledProblem({ op: 'download', subject }));
    const refused = refusalReason(object);
    if (refused !== null)
      return fail(
        problem({
          code: 'transfer.refused',
          op: 'download',
          subject,
          message: `It cannot be downloaded: ${refused}.`,
          hint: 'Fetch it with a program that has the key.',
        }),
      );
    if (there !== null && options.overwrite !== true) {
      if (tree !== null && (await isTheObject(tree, { path: file, partial }, object, wire.signal)))
        return ok({ ...object, alreadyThere: true });
      return inTheWay('the file is there already with other content, and nothing is overwritten.');
    }
    tree ??= await openDestination(dirname(file), onWarning);
    const room = await roomFor(dirname(file), { bytes: object.size, files: 1 });
    if (!room.ok) return room;
    const meter = progressMeter({ bytes: object.size, objects: 1 }, options.onProgress);
    const replaces = options.overwrite === true;
    const requests = limiter(wire.concurrency);
    const context = { wire, journals: options.journal, boot: await bootId(), requests, meter };
    const done = await tree.in('', (folder) => {
      const task = { object, folder, path: file, partial, replaces };
      return object.size >= LARGE
        ? downloadLarge(context, task, () => Promise.resolve())
        : downloadWhole(wire, task, meter);
    });
    meter.end();
    await tree.confirm();
    return done.ok ? ok({ ...object, alreadyThere: false }) : done;
  } catch (error) {
    if (wire.signal.aborted) return fail(cancelledProblem({ op: 'download', subject }));
    if (error instanceof DiskFault) return fail(error.problem);
    if (error instanceof Error && 'syscall' in error)
      return fail(diskProblem(error, { op: 'download to', subject: basename(file) }));
    throw error;
  } finally {
    await tree?.close();
    lock?.release();
    await wire.close();
  }
}

/** What has the file's name. */
const look = (tree: FolderTree, path: string, partial: string) =>
  tree.in('', (folder) => statPlace({ folder, path, partial }));

/** Whether the file that is there is the object, by size and checksum. Throws what the system refuses. */
function isTheObject(
  tree: FolderTree,
  names: Pick<FilePlace, 'path' | 'partial'>,
  object: ObjectInfo,
  signal: AbortSignal,
): Promise<boolean> {
  return tree.in('', async (folder) => {
    const place = { folder, ...names };
    const there = await statPlace(place);
    if (there?.size !== object.size || object.crc32c === '') return false;
    const handle = await openPlaced(place, there);
    try {
      const sum = handle === null ? null : await checksumOf(handle, 0, object.size, signal);
      if (sum !== decodeCrc32c(object.crc32c)) return false;
    } finally {
      await handle?.close();
    }
    await dropSecondName(place, there);
    return true;
  });
}
