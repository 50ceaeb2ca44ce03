import { ok, type Result } from '../../shared/problem.ts';
import { RUN, workerLog } from '../../shared/run-directory.ts';
import type { KnownRun } from './runs.ts';

/** A piece of a log. */
export interface LogPiece {
  readonly bytes: Uint8Array;
  /** Where `bytes` begins. The next piece begins at `offset + bytes.length`. */
  readonly offset: number;
  /** The log's size when it was read. */
  readonly size: number;
}

export interface ReadLogOptions {
  readonly worker: number | 'stage';
  /** Below 0 it counts from the log's end. */
  readonly offset: number;
  readonly maxBytes: number;
}

/** A piece of one log of a run. A log that is not there yet is empty. Errors: `host.*`. */
export async function readLog(
  { id, host }: Pick<KnownRun, 'id' | 'host'>,
  { worker, offset, maxBytes }: ReadLogOptions,
): Promise<Result<LogPiece>> {
  const name = worker === 'stage' ? RUN.stageLog : workerLog(worker);
  const found = await host.statFile(id, name);
  if (!found.ok) return found;
  if (found.value === null) return ok({ bytes: new Uint8Array(), offset: 0, size: 0 });
  const from = offset < 0 ? Math.max(0, found.value.size + offset) : offset;
  const piece = await host.readFile(id, name, from, maxBytes);
  if (!piece.ok) return piece;
  const { bytes, size } = piece.value ?? { bytes: new Uint8Array(), size: 0 };
  return ok({ bytes, offset: from, size });
}
