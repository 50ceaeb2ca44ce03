import { stat } from 'node:fs/promises';
import path from 'node:path';
import type { TokenSource } from '../../google/access-token.ts';
import { resolveInput } from '../../google/input.ts';
import type { RetryNews } from '../../google/retry.ts';
import type { GoogleEndpoints } from '../../shared/endpoints.ts';
import type { Progress } from '../../shared/events.ts';
import type { InputTarget } from '../../shared/plan.ts';
import { fail, ok, problem, type Result } from '../../shared/problem.ts';
import { downloadObject } from '../../transfer/download-object.ts';
import { download } from '../../transfer/download.ts';
import { asInput, type Copy } from './decide.ts';
import type { CopyReport } from './report.ts';

export interface DownloadCopyOptions {
  readonly endpoints: GoogleEndpoints;
  readonly tokens: TokenSource | null;
  readonly copy: Extract<Copy, { readonly direction: 'download' }>;
  /** What is stored packed stays so. */
  readonly keepCompressed: boolean;
  /** The place of the journals, see claim.ts. */
  readonly journal: string;
  readonly signal: AbortSignal;
  readonly onProgress: (progress: Progress) => void;
  /** Told of a folder that other users may write to. */
  readonly onWarning: (message: string, hint: string) => void;
  /** Told of each wait before the source is asked about again. */
  readonly onRetry: (news: RetryNews) => void;
}

/** From a bucket to a folder or a file. An existing file is never replaced. Errors: those of `resolveInput` and `download`. */
export async function copyFromBucket(options: DownloadCopyOptions): Promise<Result<CopyReport>> {
  const { endpoints, tokens, copy, signal, onRetry } = options;
  const resolved = await resolveInput({ endpoints, tokens, address: copy.source, signal, onRetry });
  if (!resolved.ok) return resolved;
  // An archive is copied as it is; only a job's input is unpacked.
  const target: InputTarget =
    resolved.value.kind === 'archive'
      ? { kind: 'object', object: resolved.value.object }
      : resolved.value;
  const place = await placeOf(copy, target);
  if (!place.ok) return place;
  const { folder, file } = place.value;
  const common = {
    endpoints,
    tokens,
    bucket: copy.source.bucket,
    journal: options.journal,
    keepCompressed: options.keepCompressed,
    signal,
    onProgress: options.onProgress,
    onWarning: options.onWarning,
  };
  if (file !== null && target.kind === 'object') {
    const started = performance.now();
    const done = await downloadObject({ ...common, object: target.object, file });
    if (!done.ok) return fail(asInput(done.problem));
    const seconds = (performance.now() - started) / 1000;
    return ok({
      objects: 1,
      bytes: done.value.bytes,
      seconds,
      skipped: done.value.alreadyThere ? 1 : 0,
      written: [{ object: target.object, path: file }],
      mapped: [],
      refused: [],
      failed: [],
      packed:
        done.value.packed === null
          ? []
          : [
              {
                object: target.object,
                contentEncoding: done.value.contentEncoding ?? '',
                as: done.value.packed,
              },
            ],
    });
  }
  const done = await download({ ...common, target, destination: folder });
  if (!done.ok || target.kind !== 'object') return done;
  const failed = done.value.failed.map((one) => ({ ...one, problem: asInput(one.problem) }));
  return ok({ ...done.value, failed });
}

/** Where to copy: into a folder, or for one object to a file of a name that the user gave. */
async function placeOf(
  copy: DownloadCopyOptions['copy'],
  target: InputTarget,
): Promise<Result<{ readonly folder: string; readonly file: string | null }>> {
  const status = await stat(copy.target).catch(() => null);
  const intoFolder = target.kind !== 'object' || status?.isDirectory() === true || copy.folderMeant;
  if (!intoFolder) return ok({ folder: path.dirname(copy.target), file: copy.target });
  if (status === null || status.isDirectory()) return ok({ folder: copy.target, file: null });
  return fail(
    problem({
      code: 'input.target-exists',
      op: 'copy',
      subject: copy.target,
      message: `${copy.target} is a file, and a folder is to be copied.`,
      hint: 'Remove or rename it, or give another target.',
    }),
  );
}
