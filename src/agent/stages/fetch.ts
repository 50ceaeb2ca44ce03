import type { Progress, Stage } from '../../shared/events.ts';
import { formatBytes, plural, skippedText } from '../../shared/format.ts';
import type { Account } from '../../shared/key.ts';
import type { InputTarget } from '../../shared/plan.ts';
import { fail, ok, problem, type Problem, type Result } from '../../shared/problem.ts';
import { RUN } from '../../shared/run-directory.ts';
import { packedLines } from '../../shared/codings.ts';
import { download, type DownloadReport } from '../../transfer/download.ts';
import { makeFolder, writeJsonAtomic } from '../files.ts';
import type { Run } from '../run.ts';
import { tellLeftOut } from './left-out.ts';
import { noteInStageLog } from './stage-log.ts';

/** Milliseconds, and the part of the time passed so far: a long transfer does not fill the events. */
const TELL = { least: 1_000, most: 30_000, part: 0.01 };

/** Tells a transfer's progress in events, at most once a second, and less often the longer it takes. */
export function progressTeller(
  run: Run,
  stage: Stage,
  what: 'code' | 'data' | 'output',
): (progress: Progress) => void {
  const began = performance.now();
  let last = 0;
  return (progress) => {
    const now = performance.now();
    const every = Math.min(TELL.most, Math.max(TELL.least, (now - began) * TELL.part));
    const done = progress.objects >= progress.objectsTotal;
    if (last !== 0 && now - last < every && !done) return;
    last = now;
    run.events.append({ kind: 'stage-progress', stage, what, progress });
  };
}

/** How many files that failed are named. */
const NAMED = 10;

/** The first failure of several, in words, with the names of others and how many there are. Null where there is none. */
export function summaryOf(
  op: string,
  failed: readonly { readonly name: string; readonly problem: Problem }[],
  of: number,
): Problem | null {
  const first = failed[0];
  if (first === undefined) return null;
  const { message } = first.problem;
  if (failed.length === 1)
    return message.includes(first.name)
      ? first.problem
      : problem({ ...first.problem, message: `${first.name}: ${message}` });
  const others = failed.slice(1, NAMED).map(({ name }) => name);
  const more = failed.length - 1 - others.length;
  return problem({
    ...first.problem,
    op,
    message: `${failed.length} of ${of} files failed. The first, ${first.name}: ${message} Then: ${others.join(', ')}${more > 0 ? `, and ${more} more` : ''}.`,
  });
}

/** Lists the objects whose files have other names, so that a worker and its user find them: docs/names.md. */
function tellMapped(
  run: Run,
  what: 'code' | 'data',
  mapped: readonly { readonly object: string; readonly path: string }[],
): void {
  const first = mapped[0];
  if (first === undefined) return;
  const list = `${RUN.journals}/${what}-names.json`;
  writeJsonAtomic(run.at(list), { format: 1, mapped });
  run.events.append({
    kind: 'warning',
    message: `${mapped.length} objects have names that no file can have, and lie under others. The first, ${JSON.stringify(first.object)}: ${JSON.stringify(first.path)}.`,
    hint: `All are listed in ${list} in the run directory.`,
  });
}

/**
 * Tells of a folder that other users may write to: of a transfer, whose folder its user chose. A job's folders lie in the home, which is closed to
 * others.
 */
export const warningsOf = (run: Run): ((message: string, hint: string) => void) | undefined =>
  run.plan.kind === 'transfer'
    ? (message, hint) => run.events.append({ kind: 'warning', message, hint })
    : undefined;

export interface InputSource {
  readonly bucket: string;
  readonly target: InputTarget;
  readonly account: Account | null;
  /** What is stored packed stays so. */
  readonly keepCompressed?: boolean;
}

/**
 * Downloads a target into a folder and tells `data-staged`; resumes what an earlier attempt began.
 * Errors: those of download(); the first failure when objects failed.
 */
export async function fetchTarget(
  run: Run,
  from: InputSource,
  destination: string,
): Promise<Result<void>> {
  const fetched = await fetchObjects(run, from, destination, 'data');
  if (!fetched.ok) return fetched;
  const { objects, bytes, seconds, skipped } = fetched.value;
  run.events.append({ kind: 'data-staged', objects, bytes, seconds, skipped });
  noteInStageLog(
    run,
    `data: ${plural(objects, 'object')}, ${formatBytes(bytes)}${skippedText(objects, skipped)}`,
  );
  return ok();
}

/** {@link fetchTarget} for code or data, without its event. */
export async function fetchObjects(
  run: Run,
  from: InputSource,
  destination: string,
  what: 'code' | 'data',
): Promise<Result<DownloadReport>> {
  const journal = run.at(`${RUN.journals}/${what}`);
  makeFolder(journal);
  makeFolder(destination);
  const signal = run.stop.asked;
  const report = await download({
    endpoints: run.plan.endpoints,
    tokens: run.access.source(from.account, 'read', signal),
    bucket: from.bucket,
    target: from.target,
    destination,
    journal,
    keepCompressed: from.keepCompressed === true,
    signal,
    onProgress: progressTeller(run, 'staging', what),
    onWarning: warningsOf(run),
  });
  if (!report.ok) return report;
  const { objects, mapped, refused, failed, packed } = report.value;
  tellMapped(run, what, mapped);
  for (const line of packedLines(packed, NAMED)) noteInStageLog(run, `${what}: ${line}`);
  for (const message of packedLines(
    packed.filter(({ as }) => as !== 'unpacked'),
    NAMED,
  ))
    run.events.append({ kind: 'warning', message, hint: '' });
  const left = {
    refused: refused.map(({ object, reason }) => ({ name: object, reason })),
    failed: failed.map(({ object, problem: cause }) => ({ name: object, problem: cause })),
  };
  tellLeftOut(run, what, left);
  const failure = summaryOf(
    what === 'code' ? 'download the code' : 'download the input',
    left.failed,
    objects + failed.length,
  );
  return failure === null ? report : fail(failure);
}
