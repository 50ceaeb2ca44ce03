import { getObject, listAll, saysAbsent } from '../../google/listing.ts';
import { areaOf, fail, ok, type Problem, type Result } from '../../shared/problem.ts';
import {
  amendUploads,
  readCompletedUploads,
  type Amendment,
  type CompletedUpload,
} from '../../transfer/upload-journal.ts';
import { forEachOf } from '../../transfer/limiter.ts';
import type { UploadAccess } from '../../transfer/upload.ts';

/** Whose bucket and journal are looked at. */
export type LookAccess = Pick<UploadAccess, 'endpoints' | 'tokens' | 'bucket' | 'journal'> & {
  readonly signal: AbortSignal;
};

/** What a look into the bucket found of what a run uploaded. */
export interface Found {
  /** Objects that the run uploaded. */
  readonly objects: number;
  /** Not in the bucket any more. */
  readonly gone: readonly CompletedUpload[];
  /** Something else has their name now. */
  readonly replaced: readonly CompletedUpload[];
  /** Nobody may tell with this key: the upload of each finds out, which never overwrites. */
  readonly untold: readonly CompletedUpload[];
}

type Answer =
  | { readonly kind: 'there'; readonly generation: string }
  | { readonly kind: 'gone' | 'replaced' | 'untold' };

/** Requests at once. */
const AT_ONCE = 16;

interface Stored {
  readonly size: number | null;
  readonly crc32c: string;
  readonly generation: string;
}

const answerOf = (done: CompletedUpload, stored: Stored | null): Answer => {
  if (stored === null) return { kind: 'gone' };
  const { size } = stored;
  return (size === null || size === done.size) && stored.crc32c === done.crc32c
    ? { kind: 'there', generation: stored.generation }
    : { kind: 'replaced' };
};

/**
 * Looks for what the journal says is in the bucket, and takes out of the journal what is not there, so that the next upload sends it again. What
 * was replaced stands for another file's object from now on: its name is never attempted again. Reads metadata alone; a key that may not
 * read leaves it to the upload, which asks for each object whether its name is free. Errors: those of the network, of reading the journal.
 */
export async function forgetMissing(
  access: LookAccess,
  /** Below it lies nothing but what the run uploaded: one listing tells all. */
  listed: string | null,
): Promise<Result<Found>> {
  const completed = await readCompletedUploads(access.journal, access.bucket);
  const all = listed === null ? ok(null) : await listBelow(access, listed);
  if (!all.ok) return all;
  const answers =
    all.value === null ? await askEach(access, completed) : ok(new Map<string, Answer>());
  if (!answers.ok) return answers;
  const gone: CompletedUpload[] = [];
  const replaced: CompletedUpload[] = [];
  const untold: CompletedUpload[] = [];
  const amendments: Amendment[] = [];
  for (const done of completed) {
    const answer =
      all.value === null
        ? (answers.value.get(done.name) ?? { kind: 'untold' as const })
        : answerOf(done, all.value.get(done.name) ?? null);
    if (answer.kind === 'there') {
      if (answer.generation !== done.generation)
        amendments.push({ kind: 'done', ...done, generation: answer.generation, assumed: false });
      continue;
    }
    ({ gone, replaced, untold })[answer.kind].push(done);
    amendments.push({ kind: 'forgotten', name: done.name, taken: answer.kind === 'replaced' });
  }
  await amendUploads(access.journal, access.bucket, amendments);
  return ok({ objects: completed.length, gone, replaced, untold });
}

/** Whether a refusal says that the key may not look, not that nobody answered. */
const mayNotLook = (problem: Problem): boolean => areaOf(problem) === 'access';

/** What lies below a prefix; null where the key may not list. */
async function listBelow(
  { endpoints, tokens, bucket, signal }: LookAccess,
  prefix: string,
): Promise<Result<ReadonlyMap<string, Stored> | null>> {
  const found = new Map<string, Stored>();
  const pages = listAll({ endpoints, tokens, signal, bucket, prefix, delimiter: false });
  for await (const page of pages) {
    if (!page.ok) return mayNotLook(page.problem) ? ok(null) : page;
    for (const object of page.value.objects) found.set(object.name, object);
  }
  return ok(found);
}

/** Asks for each object by itself, until the key turns out not to be allowed to. */
async function askEach(
  { endpoints, tokens, bucket, signal }: LookAccess,
  completed: readonly CompletedUpload[],
): Promise<Result<ReadonlyMap<string, Answer>>> {
  const answers = new Map<string, Answer>();
  const failures: Problem[] = [];
  let mayNot = false;
  await forEachOf(completed, AT_ONCE, async (done) => {
    if (failures.length > 0 || mayNot) return;
    const found = await getObject({ endpoints, tokens, signal, bucket, name: done.name });
    if (found.ok) answers.set(done.name, answerOf(done, found.value));
    else if (saysAbsent(found.problem)) answers.set(done.name, { kind: 'gone' });
    else if (mayNotLook(found.problem)) mayNot = true;
    else failures.push(found.problem);
  });
  const failure = failures[0];
  return failure === undefined ? ok(answers) : fail(failure);
}
