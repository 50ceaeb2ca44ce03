import { open, rename, rm } from 'node:fs/promises';
import { fail, ok, problem, type Result } from '../../shared/problem.ts';
import { reasonOf } from '../platform/paths.ts';
import type { LogPiece } from './read-log.ts';

/**
 * Copies a log to a file, whole or not at all; what is written to the log meanwhile is copied up to the size it had at the beginning.
 * Errors: `host.file`, and those of `read`.
 */
export async function saveLog(
  read: (offset: number) => Promise<Result<LogPiece>>,
  path: string,
): Promise<Result<void>> {
  const unfinished = `${path}.part`;
  try {
    const file = await open(unfinished, 'w', 0o600);
    try {
      let end: number | null = null;
      for (let offset = 0; end === null || offset < end;) {
        const piece = await read(offset);
        if (!piece.ok) {
          await rm(unfinished, { force: true });
          return piece;
        }
        end ??= piece.value.size;
        if (piece.value.bytes.length === 0) break;
        await file.write(piece.value.bytes.subarray(0, end - offset));
        offset += piece.value.bytes.length;
      }
    } finally {
      await file.close();
    }
    await rename(unfinished, path);
    return ok();
  } catch (error) {
    await rm(unfinished, { force: true }).catch(() => undefined);
    return fail(
      problem({
        code: 'host.file',
        op: 'save the log',
        subject: path,
        message: `The log could not be saved to ${path}: ${reasonOf(error)}.`,
        hint: 'Choose another folder, or make room on the disk.',
      }),
    );
  }
}
