import type { FileHandle } from 'node:fs/promises';
import { cancelledProblem } from '../google/http.ts';
import { fail, ok, type Result } from '../shared/problem.ts';
import { layersOf, packedWithout, type PackedAs } from '../shared/codings.ts';
import { diskProblem, DiskFault, errorCodeOf } from './disk.ts';
import type { FetchTask } from './download-whole.ts';
import { limiter } from './limiter.ts';
import { openFresh, partialOfUnpacked, putInPlace, removePartial } from './partial-file.ts';
import { unpackInto } from './unpack-object.ts';
import { addressOf, type Wire } from './wire.ts';

/** Unpacking keeps a processor busy, and each has two forms on the disk: so many at once. */
const AT_ONCE = 4;
const turns = limiter(AT_ONCE);

export interface Stored {
  readonly length: number;
  readonly checksum: number;
}

async function finished(
  wire: Wire,
  task: FetchTask,
  handle: FileHandle,
  stored: Stored,
): Promise<PackedAs | null> {
  const { object, path, partial, replaces, keepCompressed, forms } = task;
  const layers = layersOf(object, keepCompressed);
  if (layers === 0 || stored.length === 0) {
    await putInPlace(handle, task, replaces);
    return stored.length === 0 ? null : packedWithout(object, keepCompressed);
  }
  return turns.run(1, async () => {
    wire.signal.throwIfAborted();
    const unpacked = { ...task, partial: partialOfUnpacked(partial) };
    const target = await openFresh(unpacked);
    try {
      const form = await unpackInto(
        {
          handle,
          size: stored.length,
          layers,
          subject: addressOf(wire.bucket, object.name),
          path,
        },
        target,
        wire.signal,
      );
      if (form === 'not-gzip') {
        await forms.note(object, { size: stored.length, crc32c: stored.checksum });
        await putInPlace(handle, task, replaces);
        return 'not-gzip';
      }
      await forms.note(object, form);
      await putInPlace(target, unpacked, replaces);
      await removePartial(task);
      return 'unpacked';
    } finally {
      await target.close();
      await removePartial(unpacked);
    }
  });
}

/**
 * Gives what arrived, complete and verified, its final name, unpacked first where the object is stored packed. What the file holds is noted
 * before, so that a second copy knows it. `handle`: of the partial file, with `length` stored bytes of the checksum given.
 * Answers what became of an object that says it is packed, null for all others. Errors: those of the disk, `transfer.exists`,
 * `transfer.unpacked-too-large`, `job.cancelled`.
 */
export async function finishFile(
  wire: Wire,
  task: FetchTask,
  handle: FileHandle,
  stored: Stored,
): Promise<Result<PackedAs | null>> {
  try {
    return ok(await finished(wire, task, handle, stored));
  } catch (error) {
    if (error instanceof DiskFault) return fail(error.problem);
    if (wire.signal.aborted)
      return fail(
        cancelledProblem({ op: 'download', subject: addressOf(wire.bucket, task.object.name) }),
      );
    if (errorCodeOf(error) === null) throw error;
    return fail(diskProblem(error, { op: 'write', subject: task.path }));
  }
}
