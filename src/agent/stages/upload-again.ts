import type { OutputPlan } from '../../shared/plan.ts';
import { ok, type Result } from '../../shared/problem.ts';
import { RUN } from '../../shared/run-directory.ts';
import { encodeCrc32c } from '../../transfer/crc32c.ts';
import { crc32c } from '../../transfer/native-crc32c.ts';
import { readCompletedUploads } from '../../transfer/upload-journal.ts';
import { uploadBytes, type UploadAccess, type UploadedObject } from '../../transfer/upload.ts';
import type { JobRun } from '../run.ts';
import { forgetMissing, type Found, type LookAccess } from './missing.ts';

/**
 * Uploads the manifest; the name it got. One of an earlier attempt that says something else stays as it is: then `again` puts this one
 * beside it, under the number of this attempt; so is one whose object arrived damaged.
 */
export async function markFinished(
  run: JobRun,
  output: OutputPlan,
  access: UploadAccess & LookAccess,
  bytes: Buffer,
  again: boolean,
): Promise<Result<string>> {
  const upload = {
    ...access,
    journal: run.at(`${RUN.journals}/manifest.jsonl`),
    // The name holds the job's id.
    onlyOurs: true,
    // The stage tells of the output.
    onProgress: undefined,
    bytes,
    contentType: 'application/json',
  };
  if (again) {
    const looked = await forgetMissing(upload, null);
    if (!looked.ok) return looked;
    const checksum = encodeCrc32c(crc32c(bytes, 0));
    const there = await readCompletedUploads(upload.journal, output.bucket);
    const same = there.find((done) => done.size === bytes.length && done.crc32c === checksum);
    if (same !== undefined) return ok(same.name);
  }
  const marked = await uploadBytes({ ...upload, object: output.manifest });
  if (marked.ok) return ok(output.manifest);
  const { code } = marked.problem;
  if (code !== 'transfer.checksum' && !(again && code === 'storage.exists')) return marked;
  const object = output.manifest.replace(/(\.json)?$/, `.attempt-${run.attempt}.json`);
  const beside = await uploadBytes({ ...upload, object });
  return beside.ok ? ok(object) : beside;
}

export type Looked = Pick<Found, 'gone' | 'replaced' | 'untold'>;
export const NOT_LOOKED: Looked = { gone: [], replaced: [], untold: [] };

export async function lookForOutput(
  run: JobRun,
  output: OutputPlan,
  access: LookAccess,
): Promise<Result<Looked>> {
  const found = await forgetMissing(access, output.layout === 'per-run' ? output.prefix : null);
  if (!found.ok) return found;
  const { objects, gone, replaced } = found.value;
  run.events.append({ kind: 'output-checked', objects, missing: gone.length + replaced.length });
  return found;
}

/** Tells of objects that are gone and whose files are gone from this machine, too. */
export function tellLost(
  run: JobRun,
  output: OutputPlan,
  { gone, replaced }: Looked,
  there: readonly UploadedObject[],
): void {
  const paths = new Set(there.map(({ relativePath }) => relativePath));
  const names = new Set(there.map(({ name }) => name));
  const lost = [...gone, ...replaced].filter(
    ({ name, path: file }) => !names.has(name) && (file === '' || !paths.has(file)),
  );
  const first = lost[0];
  if (first === undefined) return;
  run.events.append({
    kind: 'warning',
    message: `${lost.length} of the objects that this run uploaded are not in the bucket any more, and their files are not on this machine either. The first: gs://${output.bucket}/${first.name}.`,
    hint: "Look for them in a backup, or among the bucket's deleted objects; what else was missing is uploaded.",
  });
}
