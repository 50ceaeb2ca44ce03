import { access, constants, rename, rm, stat, symlink } from 'node:fs/promises';
import path from 'node:path';
import type { CodeState } from '../../shared/events.ts';
import { formatBytes, plural } from '../../shared/format.ts';
import type { CodePlan, InputPlan } from '../../shared/plan.ts';
import { fail, ok, problem, type Problem, type Result } from '../../shared/problem.ts';
import { RUN } from '../../shared/run-directory.ts';
import { copyEntries } from '../code/copy-tree.ts';
import { cloneRepository, NO_CODE_STATE, readCodeState } from '../code/git.ts';
import { CODE_LIMIT, biggestFiles, planSnapshot } from '../code/snapshot.ts';
import { shown } from '../code/byte-name.ts';
import { fetchLacking, lackingIn, lackingText } from '../code/lacking.ts';
import { mentionedPaths, type IgnoredPath } from '../code/mentions.ts';
import { cancelled } from '../ending.ts';
import { errorMessage } from '../files.ts';
import { proxyForPrograms } from '../found-proxy.ts';
import type { JobRun } from '../run.ts';
import { runSetup } from './setup.ts';
import { noteInStageLog } from './stage-log.ts';
import { fetchObjects, fetchTarget } from './fetch.ts';
import { withoutSecrets } from '../../shared/git.ts';
import { makeFolders } from '../../transfer/make-folders.ts';

/** How many notes on the code are told one by one. */
const NOTES = 20;

/** The stage `staging`: code, data, then setup, which may look at both; each once per run. */
export async function stage(run: JobRun): Promise<Result<void>> {
  const { history, plan } = run;
  if (history.stagingDone) return ok();
  run.events.append({ kind: 'stage-started', stage: 'staging' });
  // It takes its time, and is told before anything long is waited for.
  void run.environment();
  noteInStageLog(run);
  if (!history.codeStaged) {
    const staged = await stageCode(run);
    if (!staged.ok) return told(run, 'code', staged);
  }
  if (!history.dataStaged) {
    const staged = await stageData(run, plan.input);
    if (!staged.ok) return told(run, 'data', staged);
  }
  if (plan.setup !== null && !history.setupDone) {
    const done = await runSetup(run, plan.setup);
    if (!done.ok) return done;
  }
  if (run.stop.asked.aborted) return fail(cancelled(run));
  run.events.append({ kind: 'stage-ended', stage: 'staging' });
  return ok();
}

/** The stage log says why it ends here, too. */
function told<T extends { readonly problem: Problem }>(run: JobRun, what: string, failed: T): T {
  noteInStageLog(run, `${what}: ${failed.problem.message}`);
  return failed;
}

async function stageCode(run: JobRun): Promise<Result<void>> {
  const staged = await takeCode(run, run.plan.code);
  if (!staged.ok) return staged;
  await tellLacking(run);
  run.events.append({ kind: 'code-staged', ...staged.value });
  noteInStageLog(
    run,
    `code: ${plural(staged.value.files, 'file')}, ${formatBytes(staged.value.bytes)}`,
  );
  return ok();
}

function takeCode(run: JobRun, code: CodePlan): Promise<Result<StagedCode>> {
  switch (code.kind) {
    case 'empty':
      return emptyFolder(run);
    case 'dir':
      return snapshot(run, code.path);
    case 'git':
      return clone(run, code);
    case 'gcs':
      return fetchCode(run, code);
  }
}

/** How many paths that rules left out are named in the stage log, and wherever the code is told. */
const IGNORED = 50;
const FIRST_IGNORED = 8;

/** What `.gitignore` and its like left out is noted; what a command names all the same is told aloud. */
function tellIgnored(
  run: JobRun,
  ignored: readonly IgnoredPath[],
  /** What git has although a rule ignores it. */
  taken: ReadonlySet<string>,
): readonly string[] {
  const left = ignored.filter(({ path: name }) => !taken.has(name));
  if (left.length === 0) return [];
  const shownAs = ({ path: name, folder }: IgnoredPath): string => (folder ? `${name}/` : name);
  const more = left.length > IGNORED ? `, and ${left.length - IGNORED} more` : '';
  noteInStageLog(
    run,
    `code: ${plural(left.length, 'path')} left out by .gitignore: ${left.slice(0, IGNORED).map(shownAs).join(', ')}${more}`,
  );
  const { setup, workers, env } = run.plan;
  const named = mentionedPaths(left, [
    ...(setup === null ? [] : [setup]),
    ...workers,
    ...Object.values(env),
  ]);
  if (named.length > 0)
    run.events.append({
      kind: 'warning',
      message: `.gitignore leaves out of the code what a command of the job names: ${named.slice(0, NOTES).map(shownAs).join(', ')}. Workers will not find it, unless they make it.`,
      hint: 'Take it out of .gitignore (a line such as `!path` does), or give it as the input of the job.',
    });
  return left.map(shownAs);
}

/** What the code names and does not hold, where it came from a checkout that is not whole. */
async function tellLacking(run: JobRun): Promise<void> {
  const lacks = await lackingIn(run.at(RUN.code));
  for (const { message, hint } of lackingText(
    lacks,
    run.plan.code.kind === 'git' ? 'git' : 'other',
  ))
    run.events.append({ kind: 'warning', message, hint });
}

async function emptyFolder(run: JobRun): Promise<Result<StagedCode>> {
  await makeFolders(run.at(RUN.code));
  return ok({ files: 0, bytes: 0, state: NO_CODE_STATE });
}

interface StagedCode {
  readonly files: number;
  readonly bytes: number;
  readonly state: CodeState;
}

async function snapshot(run: JobRun, folder: string): Promise<Result<StagedCode>> {
  const state = await readCodeState(folder);
  const planned = await planSnapshot(folder, { leaveOut: [run.home] });
  if (!planned.ok) return planned;
  const { entries, files, bytes, notes, ignored } = planned.value;
  const left = tellIgnored(run, ignored, new Set(entries.map((entry) => shown(entry.path))));
  for (const message of notes.slice(0, NOTES))
    run.events.append({ kind: 'warning', message, hint: '' });
  if (notes.length > NOTES)
    run.events.append({
      kind: 'warning',
      message: `${notes.length - NOTES} more like these.`,
      hint: '',
    });
  try {
    await copyEntries(entries, folder, run.at(RUN.code), run.stop.asked);
  } catch (error) {
    if (run.stop.asked.aborted) return fail(cancelled(run));
    return fail(
      problem({
        code: 'host.copy-code',
        op: 'copy the code',
        subject: folder,
        message: `The code could not be copied: ${errorMessage(error)}`,
        hint: 'Check room and permissions on both disks, then retry.',
        retryable: true,
      }),
    );
  }
  const told =
    left.length === 0
      ? {}
      : { ignored: { count: left.length, first: left.slice(0, FIRST_IGNORED) } };
  return ok({ files, bytes, state: { ...state, ...told } });
}

async function clone(
  run: JobRun,
  code: { readonly url: string; readonly ref: string | null },
): Promise<Result<StagedCode>> {
  const partial = run.at(`${RUN.code}.trainyard-partial`);
  await rm(partial, { recursive: true, force: true });
  const state = await cloneRepository({
    ...code,
    folder: partial,
    environment: proxyForPrograms(process.env, (await run.environment()).variables),
    signal: run.stop.asked,
    log: (line) => noteInStageLog(run, line),
  });
  if (!state.ok) return state;
  const environment = proxyForPrograms(process.env, (await run.environment()).variables);
  for (const line of await fetchLacking(partial, environment, run.stop.asked))
    noteInStageLog(run, `code: ${withoutSecrets(line)}`);
  if (run.stop.asked.aborted) return fail(cancelled(run));
  await rm(path.join(partial, '.git'), { recursive: true, force: true });
  const planned = await planSnapshot(partial, { limit: Number.POSITIVE_INFINITY });
  if (!planned.ok) return planned;
  const { files, bytes, entries } = planned.value;
  if (bytes > CODE_LIMIT)
    return fail(
      problem({
        code: 'input.code-too-big',
        op: 'clone the code',
        subject: withoutSecrets(code.url),
        message: `The checkout holds ${bytes} bytes; at most ${CODE_LIMIT} are taken. The biggest: ${biggestFiles(entries)}.`,
        hint: 'Keep data out of the repository, and give it as the input of the job.',
      }),
    );
  await rm(run.at(RUN.code), { recursive: true, force: true });
  await rename(partial, run.at(RUN.code));
  return ok({ files, bytes, state: state.value });
}

/**
 * Fetches code from a bucket: an archive unpacked, a folder or one object as it is. Resumes what an earlier attempt began.
 * Errors: those of download(); `input.code-too-big`.
 */
async function fetchCode(
  run: JobRun,
  code: Extract<CodePlan, { readonly kind: 'gcs' }>,
): Promise<Result<StagedCode>> {
  const fetched = await fetchObjects(run, code, run.at(RUN.code), 'code');
  if (!fetched.ok) return fetched;
  const { objects: files, bytes } = fetched.value;
  if (bytes > CODE_LIMIT)
    return fail(
      problem({
        code: 'input.code-too-big',
        op: 'download the code',
        subject: code.address,
        message: `The code holds ${bytes} bytes in ${files} files; at most ${CODE_LIMIT} are taken.`,
        hint: 'Keep data out of the code, and give it as the input of the job.',
      }),
    );
  return ok({ files, bytes, state: NO_CODE_STATE });
}

async function stageData(run: JobRun, input: InputPlan | null): Promise<Result<void>> {
  const data = run.at(RUN.data);
  if (input === null) {
    await makeFolders(data);
    return ok();
  }
  if (input.kind === 'dir') return linkData(run, input.path, data);
  return fetchTarget(run, input, data);
}

async function linkData(run: JobRun, folder: string, data: string): Promise<Result<void>> {
  try {
    if (!(await stat(folder)).isDirectory()) throw new Error(`${folder} is not a folder`);
    await access(folder, constants.R_OK | constants.X_OK);
  } catch (error) {
    return fail(
      problem({
        code: 'input.data-folder',
        op: 'stage the data',
        subject: folder,
        message: `The input folder cannot be read: ${errorMessage(error)}`,
        hint: 'Correct input.dir in the job file, or its permissions.',
      }),
    );
  }
  await rm(data, { recursive: true, force: true });
  await symlink(folder, data);
  run.events.append({ kind: 'data-staged', objects: 0, bytes: 0, seconds: 0, skipped: 0 });
  noteInStageLog(run, `data: the folder ${folder}, in place`);
  return ok();
}
