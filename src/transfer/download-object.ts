import { basename, dirname, resolve } from 'node:path';
import { cancelledProblem } from '../google/http.ts';
import type { ObjectInfo } from '../shared/object-info.ts';
import { fail, ok, problem, type Result } from '../shared/problem.ts';
import { layersOf, type PackedAs } from '../shared/codings.ts';
import { lockDestination, type DestinationLock } from './destination-lock.ts';
import { openDestination } from './destination.ts';
import { bootId, diskProblem, DiskFault, roomFor } from './disk.ts';
import { downloadLarge, LARGE } from './download-large.ts';
import { refusalReason } from './download-plan.ts';
import { holdsObject } from './download-state.ts';
import { downloadWhole } from './download-whole.ts';
import type { DownloadOptions } from './download.ts';
import { openTree, type FolderTree } from './folder-tree.ts';
import { limiter } from './limiter.ts';
import { listTarget } from './list-target.ts';
import { dropSecondName, partialId, partialPath, statPlace } from './partial-file.ts';
import { progressMeter } from './progress.ts';
import { openUnpackedForms, type UnpackedForms } from './unpacked-forms.ts';
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
  /** Of the file. */
  readonly bytes: number;
  /** What became of an object that is stored packed, or says so; null for others, and where nothing was fetched. */
  readonly packed: PackedAs | null;
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
  let forms: UnpackedForms | null = null;
  const { keepCompressed = false } = options;
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
    forms = await openUnpackedForms(options.journal, options.bucket);
    if (there !== null && options.overwrite !== true) {
      const comparing = { keepCompressed, forms };
      const held =
        tree === null
          ? 'no'
          : await tree.in('', async (folder) => {
              const place = { folder, path: file, partial };
              const found = await holdsObject(place, there, object, comparing, wire.signal);
              if (found === 'yes') await dropSecondName(place, there);
              return found;
            });
      if (held === 'yes')
        return ok({ ...object, alreadyThere: true, bytes: there.size, packed: null });
      return inTheWay(
        held === 'packed'
          ? 'the object as it is stored, still packed (Content-Encoding: gzip), is there, and nothing is overwritten.'
          : 'the file is there already with other content, and nothing is overwritten.',
      );
    }
    tree ??= await openDestination(dirname(file), onWarning);
    const copies = layersOf(object, keepCompressed) > 0 ? 2 : 1;
    const room = await roomFor(dirname(file), { bytes: copies * object.size, files: copies });
    if (!room.ok) return room;
    const meter = progressMeter({ bytes: object.size, objects: 1 }, options.onProgress);
    const replaces = options.overwrite === true;
    const fetched = { object, path: file, partial, replaces, keepCompressed, forms };
    const requests = limiter(wire.concurrency);
    const context = { wire, journals: options.journal, boot: await bootId(), requests, meter };
    const done = await tree.in('', (folder) => {
      const task = { ...fetched, folder };
      return object.size >= LARGE
        ? downloadLarge(context, task, () => Promise.resolve())
        : downloadWhole(wire, task, meter);
    });
    meter.end();
    if (!done.ok) return done;
    const placed = await look(tree, file, partial);
    await tree.confirm();
    const bytes = placed?.size ?? object.size;
    return ok({ ...object, alreadyThere: false, bytes, packed: done.value });
  } catch (error) {
    if (wire.signal.aborted) return fail(cancelledProblem({ op: 'download', subject }));
    if (error instanceof DiskFault) return fail(error.problem);
    if (error instanceof Error && 'syscall' in error)
      return fail(diskProblem(error, { op: 'download to', subject: basename(file) }));
    throw error;
  } finally {
    await tree?.close();
    await forms?.close();
    lock?.release();
    await wire.close();
  }
}

/** What has the file's name. */
const look = (tree: FolderTree, path: string, partial: string) =>
  tree.in('', (folder) => statPlace({ folder, path, partial }));
