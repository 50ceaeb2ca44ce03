import { constants } from 'node:fs';
import { copyFile, link, mkdir, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import type { TokenSource } from '../../google/access-token.ts';
import { resolveInput } from '../../google/input.ts';
import type { GoogleEndpoints } from '../../shared/endpoints.ts';
import type { Progress } from '../../shared/events.ts';
import type { InputTarget } from '../../shared/plan.ts';
import { fail, ok, problem, type Result } from '../../shared/problem.ts';
import { download } from '../../transfer/download.ts';
import type { Copy } from './decide.ts';
import type { CopyReport } from './report.ts';

export interface DownloadCopyOptions {
  readonly endpoints: GoogleEndpoints;
  readonly tokens: TokenSource | null;
  readonly copy: Extract<Copy, { readonly direction: 'download' }>;
  /** The place of the journals, see claim.ts. */
  readonly journal: string;
  readonly signal: AbortSignal;
  readonly onProgress: (progress: Progress) => void;
}

/** From a bucket to a folder or a file. An existing file is never replaced. Errors: those of `resolveInput` and `download`. */
export async function copyFromBucket(options: DownloadCopyOptions): Promise<Result<CopyReport>> {
  const { endpoints, tokens, copy, signal } = options;
  const resolved = await resolveInput({ endpoints, tokens, address: copy.source, signal });
  if (!resolved.ok) return resolved;
  // An archive is copied as it is; only a job's input is unpacked.
  const target: InputTarget =
    resolved.value.kind === 'archive'
      ? { kind: 'object', object: resolved.value.object }
      : resolved.value;
  const place = await placeOf(copy, target);
  if (!place.ok) return place;
  const { folder, file } = place.value;
  const staging = file === null ? folder : path.join(options.journal, 'file');
  const done = await download({
    endpoints,
    tokens,
    bucket: copy.source.bucket,
    target,
    destination: staging,
    journal: options.journal,
    signal,
    onProgress: options.onProgress,
  });
  if (!done.ok) return done;
  const { objects, bytes, seconds, skipped, refused, failed } = done.value;
  const report: CopyReport = {
    objects,
    bytes,
    seconds,
    skipped,
    refused: refused.map(({ object, reason }) => ({ name: object, reason })),
    failed: failed.map((entry) => ({ name: entry.object, problem: entry.problem })),
  };
  if (file === null || target.kind !== 'object' || failed.length > 0 || refused.length > 0)
    return ok(report);
  const moved = await moveInPlace(
    path.join(staging, lastSegment(target.object)),
    path.join(folder, file),
  );
  return moved.ok ? ok(report) : moved;
}

const lastSegment = (name: string): string => name.slice(name.lastIndexOf('/') + 1);

/** The folder to copy into, and for one object that gets another name, that name. */
async function placeOf(
  copy: DownloadCopyOptions['copy'],
  target: InputTarget,
): Promise<Result<{ readonly folder: string; readonly file: string | null }>> {
  const status = await stat(copy.target).catch(() => null);
  if (target.kind !== 'object') {
    if (status !== null && !status.isDirectory())
      return fail(inTheWay(copy.target, 'is a file, and a folder is to be copied'));
    return ok({ folder: copy.target, file: null });
  }
  if (status?.isDirectory() === true || copy.folderMeant)
    return ok({ folder: copy.target, file: null });
  if (status !== null) return fail(inTheWay(copy.target, 'exists, and nothing is overwritten'));
  const folder = path.dirname(copy.target);
  const name = path.basename(copy.target);
  return ok({ folder, file: name === lastSegment(target.object) ? null : name });
}

function inTheWay(target: string, why: string) {
  return problem({
    code: 'input.target-exists',
    op: 'copy',
    subject: target,
    message: `${target} ${why}.`,
    hint: 'Remove or rename it, or give another target.',
  });
}

/** Gives a complete file its name, also on another disk, and only where none of that name is. */
async function moveInPlace(from: string, to: string): Promise<Result<void>> {
  await mkdir(path.dirname(to), { recursive: true });
  const partial = `${to}.trainyard-partial`;
  try {
    try {
      await link(from, to);
    } catch (error) {
      if (codeOf(error) === 'EEXIST') throw error;
      await copyFile(from, partial, constants.COPYFILE_FICLONE);
      await link(partial, to);
    }
    return ok();
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return fail(inTheWay(to, 'exists, and nothing is overwritten'));
    return fail(
      problem({
        code: 'transfer.disk',
        op: 'write',
        subject: to,
        message: `${to} could not be written (${codeOf(error)}).`,
        hint: 'Check the folder, its permissions and its space, then try again.',
      }),
    );
  } finally {
    await rm(partial, { force: true });
  }
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : 'unknown';
}
