import { stat } from 'node:fs/promises';
import path from 'node:path';
import type { TokenSource } from '../../google/access-token.ts';
import { asPrefix } from '../../shared/address.ts';
import type { GoogleEndpoints } from '../../shared/endpoints.ts';
import type { Progress } from '../../shared/events.ts';
import { fail, ok, problem, type Result } from '../../shared/problem.ts';
import { upload, uploadFile } from '../../transfer/upload.ts';
import { asInput, objectNameFor, type Copy } from './decide.ts';
import type { CopyReport } from './report.ts';

export interface UploadCopyOptions {
  readonly endpoints: GoogleEndpoints;
  readonly tokens: TokenSource | null;
  readonly copy: Extract<Copy, { readonly direction: 'upload' }>;
  /** The place of the journals, see claim.ts. */
  readonly journal: string;
  readonly signal: AbortSignal;
  readonly onProgress: (progress: Progress) => void;
  /** Told of a folder that other users may write to. */
  readonly onWarning?: ((message: string, hint: string) => void) | undefined;
  /** Told before anything is sent. */
  readonly onTooLarge?: (
    files: readonly { readonly path: string; readonly reason: string }[],
  ) => void;
}

/** From a file or folder to a bucket. An existing object is never replaced. Errors: `input.source`, `input.target-exists`, `input.object-too-large`, those of `upload`. */
export async function copyToBucket(options: UploadCopyOptions): Promise<Result<CopyReport>> {
  const { endpoints, tokens, copy, signal, onProgress, onTooLarge, onWarning } = options;
  const status = await stat(copy.source).catch(() => null);
  if (status === null || !(status.isFile() || status.isDirectory()))
    return fail(
      problem({
        code: 'input.source',
        op: 'copy',
        subject: copy.source,
        message:
          status === null
            ? `There is no ${copy.source}.`
            : `${copy.source} is neither a file nor a folder.`,
        hint: 'Check the path.',
      }),
    );
  const access = {
    endpoints,
    tokens,
    bucket: copy.target.bucket,
    journal: path.join(options.journal, 'upload.jsonl'),
    // Others may write below an address that a user gave: an object that is there already is not taken for ours.
    onlyOurs: false,
    // A copy that is repeated finds its own: equal contents are there already.
    equalCounts: true,
    signal,
    onProgress,
    onWarning,
  };
  if (status.isFile()) {
    const started = performance.now();
    const object = objectNameFor(copy.target, copy.source);
    const done = await uploadFile({ ...access, file: copy.source, object });
    if (!done.ok) return fail(asInput(done.problem));
    const seconds = (performance.now() - started) / 1000;
    return ok({
      objects: 1,
      bytes: done.value.size,
      seconds,
      skipped: done.value.sent ? 0 : 1,
      written: [{ object, path: copy.source }],
      mapped: [],
      refused: [],
      failed: [],
    });
  }
  const done = await upload({
    ...access,
    source: copy.source,
    prefix: asPrefix(copy.target.path),
    onTooLarge,
  });
  if (!done.ok) return done;
  const { files, seconds, refused, failed, emptyFolders } = done.value;
  return ok({
    objects: files.length,
    bytes: files.reduce((sum, { size }) => sum + size, 0),
    seconds,
    skipped: files.filter(({ sent }) => !sent).length,
    written: files.map(({ name, relativePath }) => ({ object: name, path: relativePath })),
    mapped: [],
    refused,
    failed,
    emptyFolders,
  });
}
