import { rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { TokenSource } from '../google/access-token.ts';
import { cancelledProblem } from '../google/http.ts';
import type { GoogleEndpoints } from '../shared/endpoints.ts';
import type { Progress } from '../shared/events.ts';
import type { ObjectInfo } from '../shared/object-info.ts';
import type { InputTarget } from '../shared/plan.ts';
import { fail, ok, type Problem, type Result } from '../shared/problem.ts';
import type { PackedObject } from '../shared/codings.ts';
import { openDestination } from './destination.ts';
import { bootId, diskProblem, DiskFault, foldsNames } from './disk.ts';
import { downloadArchive } from './download-archive.ts';
import {
  downloadFiles,
  type DownloadContext,
  type Placed,
  type PlacedObject,
} from './download-files.ts';
import { openDownloadJournal } from './download-journal.ts';
import { lockDestination, type DestinationLock } from './destination-lock.ts';
import { removeLeftovers } from './leftovers.ts';
import { planDownload } from './download-plan.ts';
import { listTarget } from './list-target.ts';
import { NAME_PLATFORM } from './name-mapping.ts';
import { partialId, partialPath } from './partial-file.ts';
import { openUnpackedForms } from './unpacked-forms.ts';
import { addressOf, openWire, type Wire } from './wire.ts';

export interface DownloadOptions {
  readonly endpoints: GoogleEndpoints;
  /** Null: no credential is sent. */
  readonly tokens: TokenSource | null;
  readonly bucket: string;
  readonly target: InputTarget;
  /** The folder that the files go to; made where it is missing. */
  readonly destination: string;
  /** A folder for the journals, so that a restart resumes. One download at a time uses it. */
  readonly journal: string;
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: Progress) => void;
  /** What is stored packed (`Content-Encoding: gzip`) stays so. Default false. An archive's own bytes are taken out of it in any case. */
  readonly keepCompressed?: boolean;
  /** Requests at once. Default 16. */
  readonly concurrency?: number;
  /** How long each request is tried again, milliseconds. Default two minutes. */
  readonly patienceMs?: number;
  /** A stream that brings no byte for so long is broken off and tried again, milliseconds. Default 30,000. */
  readonly stallMs?: number;
  /** A stream that brings less than a KiB a second for so long is broken off and tried again, milliseconds. Default 60,000. */
  readonly trickleMs?: number;
  /** Told of a folder that other users may write to: a sentence, and what helps. */
  readonly onWarning?: ((message: string, hint: string) => void) | undefined;
}

export interface DownloadReport {
  /** Files in place now, those of earlier attempts included. */
  readonly objects: number;
  /** Of these files. */
  readonly bytes: number;
  readonly seconds: number;
  /** How many of them were in place already. */
  readonly skipped: number;
  /** Objects that are in place under their own names; empty for an archive. */
  readonly written: readonly PlacedObject[];
  /** Objects that are in place under another name, because theirs cannot be a file's: docs/names.md. Empty for an archive. */
  readonly mapped: readonly PlacedObject[];
  /** Objects that can be no file; for an archive its entries. */
  readonly refused: readonly { readonly object: string; readonly reason: string }[];
  readonly failed: readonly { readonly object: string; readonly problem: Problem }[];
  /** Of the objects that this download fetched, those that are stored packed (`Content-Encoding`), or say so. Empty for an archive. */
  readonly packed: readonly PackedObject[];
}

/** Puts the listed objects in place below the destination. */
async function place(
  context: Omit<DownloadContext, 'tree'>,
  objects: readonly ObjectInfo[],
  target: InputTarget,
  onWarning: DownloadOptions['onWarning'],
): Promise<Result<Placed>> {
  const tree = await openDestination(context.destination, onWarning);
  try {
    return await placeIn({ ...context, tree }, objects, target);
  } finally {
    await tree.close();
  }
}

async function placeIn(
  context: DownloadContext,
  objects: readonly ObjectInfo[],
  target: InputTarget,
): Promise<Result<Placed>> {
  const { tree } = context;
  const plan = planDownload(objects, target, {
    foldsNames: await tree.in('', foldsNames),
    platform: NAME_PLATFORM,
  });
  const done = await downloadFiles(context, plan);
  if (!done.ok) return done;
  if (context.wire.signal.aborted)
    return fail(cancelledProblem({ op: 'download', subject: addressOf(context.wire.bucket, '') }));
  if (context.journal.resumed) {
    const { destination, partialId: id } = context;
    const keep = new Set(plan.files.map(({ path }) => partialPath(join(destination, path), id)));
    await removeLeftovers(tree, id, keep, context.wire.signal);
  }
  await tree.confirm();
  if (done.value.failed.length === 0) await rm(context.journals, { recursive: true, force: true });
  return done;
}

async function downloadListed(wire: Wire, options: DownloadOptions): Promise<Result<Placed>> {
  const listed = await listTarget(wire, options.target);
  if (!listed.ok) return listed;
  const boot = await bootId();
  const archive = options.target.kind === 'archive';
  const destination = archive ? join(options.journal, 'archive') : resolve(options.destination);
  const journal = await openDownloadJournal(join(options.journal, 'download.jsonl'), {
    bucket: options.bucket,
    destination,
    boot,
  });
  const forms = await openUnpackedForms(options.journal, options.bucket);
  try {
    const context: Omit<DownloadContext, 'tree'> = {
      wire,
      keepCompressed: options.keepCompressed === true && !archive,
      forms,
      destination,
      journals: join(options.journal, 'partial'),
      partialId: partialId(options.journal),
      journal,
      boot,
      onProgress: options.onProgress,
    };
    const { target, onWarning } = options;
    const { objects, odd } = listed.value;
    if (target.kind !== 'archive') {
      const placed = await place(context, objects, target, onWarning);
      const nameless = odd.map((item) => ({ object: item, reason: 'nobody can tell what it is' }));
      return placed.ok
        ? ok({ ...placed.value, refused: [...placed.value.refused, ...nameless] })
        : placed;
    }
    const object = objects[0];
    if (object === undefined) return fail(cancelledProblem({ op: 'download', subject: '' }));
    return await downloadArchive(options, target.format, object, destination, () =>
      place(context, [object], { kind: 'object', object: object.name }, undefined),
    );
  } finally {
    await journal.close();
    await forms.close();
  }
}

/** What a download has for itself: its folder; of a single object the one file in it, so that others may be fetched beside. */
const placeOf = ({ target, destination }: DownloadOptions): string =>
  target.kind === 'object'
    ? join(destination, target.object.slice(target.object.lastIndexOf('/') + 1))
    : destination;

/**
 * Downloads what an address turned out to be into a folder: lists, checks the room, fetches in parallel, pinned to the generations listed;
 * a file has its final name only when it is complete and its size and CRC32C are right. An object that is replaced meanwhile is fetched
 * again, whole. Files of earlier attempts with the same journal are
 * kept, large ones are gone on with. Nothing outside `destination` and `journal` is written, and no file of somebody else is replaced.
 *
 * Needs `storage.objects.get`, and `storage.objects.list` on the bucket for a folder.
 *
 * Fails as a whole when the listing fails, when there is no room (`transfer.no-room`), when another download goes there (`transfer.destination-busy`), or when cancelled (`job.cancelled`); what befalls
 * single objects is in the report.
 */
export async function download(options: DownloadOptions): Promise<Result<DownloadReport>> {
  const started = performance.now();
  const prefix = options.target.kind === 'folder' ? options.target.prefix : undefined;
  const wire = await openWire({ ...options, prefix });
  let lock: DestinationLock | null = null;
  try {
    const locked = await lockDestination(placeOf(options));
    if (!locked.ok) return locked;
    lock = locked.value;
    const done = await downloadListed(wire, options);
    if (!done.ok) return done;
    return ok({ ...done.value, seconds: (performance.now() - started) / 1000 });
  } catch (error) {
    if (wire.signal.aborted)
      return fail(cancelledProblem({ op: 'download', subject: addressOf(options.bucket, '') }));
    if (error instanceof DiskFault) return fail(error.problem);
    if (error instanceof Error && 'syscall' in error)
      return fail(diskProblem(error, { op: 'download to', subject: options.destination }));
    throw error;
  } finally {
    lock?.release();
    await wire.close();
  }
}
