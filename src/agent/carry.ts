import { closeSync, readFileSync, writeSync } from 'node:fs';
import path from 'node:path';
import {
  agentSecretsSchema,
  type AgentSecrets,
  type StartAnswer,
} from '../shared/agent-protocol.ts';
import { keepUnknown } from '../shared/unknown-fields.ts';
import { RUN_FORMAT, runPlanSchema, type RunPlan } from '../shared/plan.ts';
import { fail, ok, problem, type Problem, type Result } from '../shared/problem.ts';
import { RUN } from '../shared/run-directory.ts';
import { makeSealKey, type SealKey } from '../google/sealed.ts';
import { openAccessDesk } from './access.ts';
import { carryJob, uploadAgain } from './carry-job.ts';
import { carryTransfer } from './carry-transfer.ts';
import { diskProblem, noRoom } from './disk-problem.ts';
import { openEnvironment } from './environment/open.ts';
import { openEventLog } from './event-log.ts';
import { errorMessage, makeFolder, readAll, removeFile, sleep, writeJsonAtomic } from './files.ts';
import { readHistory } from './history.ts';
import { isAlive, ownIdentity } from './identity.ts';
import { takeLock, type HeldLock } from '../transfer/lock.ts';
import { leaveWorkersCgroup } from './processes/cgroup.ts';
import { emptyPrivate } from './private-folder.ts';
import { note, runLockFolder, type Run } from './run.ts';
import { cannotStart } from './start.ts';
import { watchStop } from './stop-watch.ts';
import { agentVersion } from './version.ts';
import type { Ending } from './ending.ts';

/** See openEventLog. */
const RESERVE = 'control/reserve';

/** The pipe on which `start` waits for the answer. */
const ANSWER = 3;

/**
 * The verb `carry`: carries one run from where it is to its end. Started detached by the verb `start`, which waits for the answer on pipe 3.
 * Exit status 0 when the run came to an end, whichever.
 */
export async function carry(directory: string): Promise<number> {
  const umask = process.umask(0o077).toString(8);
  leaveWorkersCgroup();
  process.on('SIGHUP', () => undefined);
  process.on('SIGINT', () => undefined);
  // A full disk takes no more lines of logs/agent.log: no reason to end.
  process.stdout.on('error', () => undefined);
  process.stderr.on('error', () => undefined);
  const opened = await open(directory, await readAll(process.stdin), umask).catch(
    (error: unknown) => {
      note(
        `cannot begin: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`,
      );
      return fail(
        diskProblem(error, 'start the run', directory) ??
          cannotStart(directory, errorMessage(error)),
      );
    },
  );
  if (!opened.ok) {
    answer({ started: false, problem: opened.problem });
    return 1;
  }
  const { run, lock, inboxKey } = opened.value;
  answer({ started: true, agent: run.agent, inboxKey });
  note(`carries ${run.plan.id}, attempt ${run.attempt}`);
  const ending = await carryOn(run, opened.value.uploadsAgain);
  await finish(run, lock, ending);
  return 0;
}

function answer(value: StartAnswer): void {
  try {
    writeSync(ANSWER, `${JSON.stringify(value)}\n`);
    closeSync(ANSWER);
  } catch {
    // `start` is gone: the events say the same.
  }
}

interface Opened {
  readonly run: Run;
  readonly lock: HeldLock;
  readonly uploadsAgain: boolean;
  /** Renewals are sealed to it. */
  readonly inboxKey: string;
}

async function open(directory: string, text: string, umask: string): Promise<Result<Opened>> {
  const read = readPlan(directory);
  if (!read.ok) return read;
  const plan = read.value;
  const secrets = agentSecretsSchema.parse(JSON.parse(text));
  const agent = ownIdentity();
  const lock = await takeRunLock(directory, plan, agent);
  if (!lock.ok) return lock;
  const sealKey = makeSealKey();
  const opened = openRun(directory, plan, secrets, { agent, umask, sealKey });
  if (!opened.ok) {
    removeFile(path.join(directory, RUN.lock));
    lock.value.release();
    return opened;
  }
  return ok({
    run: opened.value,
    lock: lock.value,
    uploadsAgain: secrets.uploadAgain === true,
    inboxKey: sealKey.publicKey,
  });
}

/** Reads `plan.json`. Errors: `input.plan`, `input.plan-format`. */
export function readPlan(directory: string): Result<RunPlan> {
  const file = path.join(directory, RUN.plan);
  const refuse = (code: 'input.plan' | 'input.plan-format', message: string, hint: string) =>
    fail(problem({ code, op: 'read the plan', subject: file, message, hint }));
  let value: unknown;
  try {
    value = JSON.parse(readFileSync(file, 'utf8'));
  } catch (error) {
    return refuse(
      'input.plan',
      `The plan of the run cannot be read: ${errorMessage(error)}`,
      'Submit the job again.',
    );
  }
  const format =
    typeof value === 'object' && value !== null && 'format' in value ? value.format : undefined;
  if (format !== RUN_FORMAT)
    return refuse(
      'input.plan-format',
      `The plan of the run has format ${JSON.stringify(format)}; this agent knows format ${RUN_FORMAT}. It was made by a later version of Trainyard.`,
      'Update Trainyard, then try again.',
    );
  const parsed = keepUnknown(runPlanSchema).safeParse(value);
  if (!parsed.success)
    return refuse(
      'input.plan',
      `The plan of the run is not as agreed, at "${parsed.error.issues[0]?.path.join('.') ?? ''}".`,
      'Submit the job again, with one version of Trainyard throughout.',
    );
  return ok(parsed.data);
}

/** A sweep, or the agent of the attempt before, may hold the lock for a moment more. */
async function takeRunLock(
  directory: string,
  plan: RunPlan,
  agent: Run['agent'],
): Promise<Result<HeldLock>> {
  for (let tries = 0; ; tries += 1) {
    const taken = takeLock(runLockFolder(directory), { process: agent, run: directory }, (other) =>
      isAlive(other.process),
    );
    if (taken.kind === 'held') {
      writeJsonAtomic(path.join(directory, RUN.lock), agent);
      return ok(taken.lock);
    }
    if (tries === 3)
      return fail(
        problem({
          code: 'host.run-is-carried',
          op: 'start the run',
          subject: plan.id,
          message: `The run ${plan.id} is carried already, by process ${taken.by.process.pid}.`,
          hint: `Follow it with: trainyard logs ${plan.id} -f`,
        }),
      );
    await sleep(100);
  }
}

function openRun(
  directory: string,
  plan: RunPlan,
  secrets: AgentSecrets,
  own: { readonly agent: Run['agent']; readonly umask: string; readonly sealKey: SealKey },
): Result<Run> {
  const { agent, umask, sealKey } = own;
  const at = (name: string): string => path.join(directory, name);
  for (const folder of [
    RUN.control,
    RUN.private,
    RUN.logs,
    RUN.journals,
    RUN.workers,
    RUN.output,
    RUN.checkpoints,
  ])
    makeFolder(at(folder));
  const events = openEventLog(at(RUN.events), at(RESERVE));
  if (!events.ok) return events;
  const history = readHistory(events.value.earlier);
  const uploadsAgain = secrets.uploadAgain === true;
  if (uploadsAgain && (history.ended === null || plan.kind === 'transfer' || plan.output === null))
    return fail(
      problem({
        code: 'input.nothing-to-upload',
        op: 'upload the output again',
        subject: plan.id,
        message: `The run ${plan.id} has not ended, or has no output to upload.`,
        hint: `Take up an interrupted run with: trainyard retry ${plan.id}`,
      }),
    );
  if (history.ended?.state === 'finished' && !uploadsAgain)
    return fail(
      problem({
        code: 'input.run-finished',
        op: 'start the run',
        subject: plan.id,
        message: `The run ${plan.id} has finished: there is nothing left to do.`,
        hint: `Submit the job again to run it once more. What is missing in the bucket: trainyard upload ${plan.id}`,
      }),
    );
  // A request that an earlier attempt has answered, or that came after its end, is not meant for this one.
  if (history.ended !== null) removeFile(at(RUN.stopRequest));
  const attempt = history.attempts + 1;
  // Before anything of this attempt runs: nobody else can have announced a key for this agent by then.
  writeJsonAtomic(at(RUN.inboxKey), { format: 1, agent, key: sealKey.publicKey });
  events.value.append({ kind: 'agent-started', agent, version: agentVersion(), attempt });
  if (events.value.stuck()) {
    events.value.close();
    return fail(noRoom(directory));
  }
  for (const warning of uploadsAgain ? [] : (secrets.warnings ?? []))
    if (
      !events.value.earlier.some((one) => one.kind === 'warning' && one.message === warning.message)
    )
      events.value.append({ kind: 'warning', ...warning });
  const keys = new Map(secrets.keys.map(({ keyId, key }) => [keyId, key]));
  const over = new AbortController();
  return ok({
    directory,
    home: path.resolve(directory, '../..'),
    plan,
    agent,
    attempt,
    history,
    events: events.value,
    stop: watchStop(directory),
    access: openAccessDesk({
      directory,
      plan,
      tokens: secrets.tokens,
      keys: plan.unattended ? keys : new Map(),
      whole: secrets.whole ?? [],
      sealKey,
      tell: (event) => events.value.append(event),
    }),
    keys,
    umask,
    environment: openEnvironment({
      plan,
      terminal: secrets.terminal ?? null,
      history,
      events: events.value,
      over: over.signal,
    }),
    over,
    at,
  });
}

async function carryOn(run: Run, uploadsAgain: boolean): Promise<Ending> {
  try {
    const { plan } = run;
    if (plan.kind === 'transfer') return await carryTransfer({ ...run, plan });
    const job = { ...run, plan };
    return uploadsAgain ? await uploadAgain(job) : await carryJob(job);
  } catch (error) {
    note(
      `an error of the agent itself: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`,
    );
    const cause = diskProblem(error, 'carry the run', run.directory) ?? bug(run, error);
    return { state: 'failed', stage: run.events.stage(), problem: cause };
  }
}

function bug(run: Run, error: unknown): Problem {
  return problem({
    code: 'internal.agent',
    op: 'carry the run',
    subject: run.plan.id,
    message: `The agent met an error that it did not expect: ${errorMessage(error)}`,
    hint: `${run.at(RUN.agentLog)} has the details. What was produced is kept; try: trainyard retry ${run.plan.id}`,
    retryable: true,
  });
}

/**
 * The end of an attempt: secrets gone first, then the last event, which waits for room on a full disk, then the lock. What a disk that takes
 * nothing any more refuses is left to the next start: none of it keeps the rest from being done.
 */
async function finish(run: Run, lock: HeldLock, ending: Ending): Promise<void> {
  run.over.abort();
  run.stop.close();
  run.access.close();
  attempt('remove the secrets', () => emptyPrivate(run.directory));
  attempt('remove the request to stop', () => removeFile(run.at(RUN.stopRequest)));
  run.events.append({ kind: 'ended', ...ending });
  await run.events.end();
  note(`ended: ${ending.state}`);
  attempt('remove the lock', () => removeFile(run.at(RUN.lock)));
  attempt('release the lock', () => lock.release());
}

function attempt(what: string, work: () => void): void {
  try {
    work();
  } catch (error) {
    note(`cannot ${what}: ${errorMessage(error)}`);
  }
}
