import { parseEventLine, type RunEvent } from '../../shared/events.ts';
import { sampleSchema, type Sample } from '../../shared/gpu.ts';
import {
  MAX_FILES,
  type FileEntry,
  type ManifestPage,
  type OutputFolder,
} from '../../shared/ipc/jobs.ts';
import { keepUnknown } from '../../shared/unknown-fields.ts';
import { manifestSchema, type Manifest } from '../../shared/manifest.ts';
import { fail, ok, problem, type Result } from '../../shared/problem.ts';
import { RUN } from '../../shared/run-directory.ts';
import type { JobService } from './service.ts';

/** Looks into the files of runs for whoever shows them. Each call reads a bounded piece. */

type Reader = Pick<JobService, 'readRunFile' | 'listRunFolder'>;

/** Bytes that one call reads. */
const PIECE = 1_048_576;
/** A manifest of more bytes is told, not shown. */
const MAX_MANIFEST = 64 * 1_048_576;

/** Lines of a file from a byte offset. */
export interface Lines<T> {
  readonly lines: readonly T[];
  /** Where the next call goes on. */
  readonly next: number;
  /** The file is shorter than what was read: another one. Ask again from its beginning. */
  readonly restart: boolean;
  /** There is more to read at once. */
  readonly more: boolean;
}

async function readLines(
  jobs: Reader,
  id: string,
  name: string,
  offset: number,
): Promise<Result<Lines<string>>> {
  const piece = await jobs.readRunFile(id, name, offset, PIECE);
  if (!piece.ok) return piece;
  const restart = { lines: [], next: 0, restart: offset > 0, more: offset > 0 };
  if (piece.value === null || piece.value.size < offset) return ok(restart);
  const bytes = Buffer.from(piece.value.bytes);
  const end = bytes.lastIndexOf(10) + 1;
  // A line longer than a piece is nothing of ours: skipped in parts.
  const taken = end === 0 && bytes.length === PIECE ? bytes.length : end;
  const next = offset + taken;
  const lines = bytes.toString('utf8', 0, end).split('\n').slice(0, -1);
  return ok({ lines, next, restart: false, more: taken > 0 && next < piece.value.size });
}

/** Samples from a byte offset. A line that is none is left out. */
export async function readSamples(
  jobs: Reader,
  id: string,
  offset: number,
): Promise<Result<Lines<Sample>>> {
  const read = await readLines(jobs, id, RUN.samples, offset);
  if (!read.ok) return read;
  const lines = read.value.lines.flatMap((line) => {
    const parsed = keepUnknown(sampleSchema).safeParse(parseJson(line));
    return parsed.success ? [parsed.data] : [];
  });
  return ok({ ...read.value, lines });
}

/** Events from a byte offset; of progress of one stage in a row only the last. A line that is none is left out. */
export async function readEvents(
  jobs: Reader,
  id: string,
  offset: number,
): Promise<Result<Lines<RunEvent>>> {
  const read = await readLines(jobs, id, RUN.events, offset);
  if (!read.ok) return read;
  const events: RunEvent[] = [];
  for (const line of read.value.lines) {
    const parsed = parseEventLine(line);
    if (!('event' in parsed)) continue;
    if (isSameProgress(events.at(-1), parsed.event)) events.pop();
    events.push(parsed.event);
  }
  return ok({ ...read.value, lines: events });
}

/** Whether the second event only says how much further the stage of the first one is. Pure. */
export function isSameProgress(before: RunEvent | undefined, event: RunEvent): boolean {
  return (
    before?.kind === 'stage-progress' &&
    event.kind === 'stage-progress' &&
    before.stage === event.stage &&
    before.what === event.what
  );
}

/** A folder below the run's output; null: not there. Errors: `input.path`. */
export async function listOutput(
  jobs: Reader,
  id: string,
  path: string,
): Promise<Result<OutputFolder | null>> {
  const segments = path === '' ? [] : path.split('/');
  if (segments.some((segment) => ['', '.', '..'].includes(segment) || /[\0\\]/.test(segment)))
    return fail(
      problem({
        code: 'input.path',
        op: 'list a folder of the output',
        subject: path,
        message: 'This is no folder of the output.',
      }),
    );
  const listed = await jobs.listRunFolder(id, [RUN.output, ...segments].join('/'), MAX_FILES);
  if (!listed.ok) return listed;
  if (listed.value === null) return ok(null);
  const entries = listed.value.entries.map((entry): FileEntry => ({
    ...entry,
    changedAt: new Date(entry.changedAt).toISOString(),
  }));
  return ok({ entries, total: listed.value.total });
}

/** A page of the objects that the run uploaded; null: no manifest yet. Errors: `job.manifest`. */
export async function readManifest(
  jobs: Reader,
  id: string,
  offset: number,
): Promise<Result<Omit<ManifestPage, 'key'> | null>> {
  const file = await jobs.readRunFile(id, RUN.manifest, 0, MAX_MANIFEST);
  if (!file.ok) return file;
  if (file.value === null) return ok(null);
  const text = Buffer.from(file.value.bytes).toString('utf8');
  const parsed = keepUnknown(manifestSchema).safeParse(parseJson(text));
  if (!parsed.success)
    return fail(
      problem({
        code: 'job.manifest',
        op: 'read the manifest',
        subject: id,
        message:
          file.value.size > MAX_MANIFEST
            ? 'The manifest is too large to be shown here.'
            : 'The manifest of this run is not as it was agreed.',
        hint: 'It lies in the run directory as manifest.json.',
      }),
    );
  const { bucket, objects }: Manifest = parsed.data;
  return ok({
    bucket,
    objects: objects.slice(offset, offset + MAX_FILES),
    total: objects.length,
    bytes: objects.reduce((sum, object) => sum + object.size, 0),
  });
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
