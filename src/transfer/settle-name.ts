import type { Problem } from '../shared/problem.ts';
import { holdsSameBytes } from './same-bytes.ts';
import type { SourceOpener } from './source-file.ts';
import type { CompletedUpload, Fingerprint, UploadJournal } from './upload-journal.ts';
import { existsProblem } from './upload-object.ts';
import { objectNameReason, type PlannedUpload } from './upload-plan.ts';
import type { Wire } from './wire.ts';

/** A planned object and the file on the disk. */
export interface Task extends PlannedUpload {
  readonly file: string;
  readonly open: SourceOpener;
}

/** Of the options of an upload: see UploadOptions. */
interface Names {
  readonly prefix: string;
  readonly onTaken?: (relativePath: string) => string | null;
}

export type Settled =
  | { readonly kind: 'have'; readonly done: CompletedUpload }
  | { readonly kind: 'upload'; readonly task: Task }
  | { readonly kind: 'failed'; readonly path: string; readonly problem: Problem };

/** By path, what was uploaded last: where files that changed get other names, one may be there under several. */
export const newestByPath = (
  journal: UploadJournal,
  options: Names,
): Map<string, CompletedUpload> =>
  new Map(
    journal
      .completed()
      .filter(({ name }) => options.onTaken !== undefined && name.startsWith(options.prefix))
      .map((done) => [done.path, done]),
  );

/** Whether a file is in the bucket already, goes up under its name, or under another because it changed. */
export async function settleName(
  wire: Wire,
  journal: UploadJournal,
  task: Task,
  newest: ReadonlyMap<string, CompletedUpload>,
  options: Names,
): Promise<Settled> {
  const unchanged = (done: Fingerprint) => done.size === task.size && done.mtimeMs === task.mtimeMs;
  const done = journal.of(task.name).done;
  if (done !== null && unchanged(done)) return { kind: 'have', done };
  // What was written anew may be the same bytes.
  const last = newest.get(task.relativePath) ?? done;
  if (last !== null && (await holdsSameBytes(task.open, task, last)))
    return { kind: 'have', done: last };
  if (done === null) return { kind: 'upload', task };
  const taken: Settled = {
    kind: 'failed',
    path: task.relativePath,
    problem: existsProblem(wire, task.name, journal.of(task.name)),
  };
  const other = options.onTaken?.(task.relativePath) ?? null;
  if (other === null) return taken;
  const name = options.prefix + other;
  if (objectNameReason(name) !== null) return taken;
  const otherDone = journal.of(name).done;
  if (otherDone === null) return { kind: 'upload', task: { ...task, name } };
  return unchanged(otherDone) ? { kind: 'have', done: otherDone } : taken;
}
