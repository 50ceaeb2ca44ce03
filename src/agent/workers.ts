import { spawn } from 'node:child_process';
import { existsSync, renameSync } from 'node:fs';
import {
  lockSchema,
  workerExitSchema,
  workerStartedSchema,
  type WorkerExit,
  type WorkerStarted,
} from '../shared/agent-protocol.ts';
import type { Gpu } from '../shared/gpu.ts';
import { stopSignalOf } from '../shared/plan.ts';
import type { ProcessIdentity } from '../shared/process-identity.ts';
import {
  RUN,
  workerCode,
  workerExit,
  workerFamily,
  workerFolder,
  workerLeft,
  workerOutput,
  workerPid,
  workerStarted,
} from '../shared/run-directory.ts';
import { copyTree } from './code/copy-tree.ts';
import type { SoftLimit } from './environment/soft-limits.ts';
import { makeFolder, readJson, removeFile, writeJsonAtomic } from './files.ts';
import { identityOf } from './identity.ts';
import type { PlacedNotebook } from './notebook/place.ts';
import { withoutControls } from './own-environment.ts';
import type { JobRun } from './run.ts';
import { workerLogFull, type Instruction } from './supervise.ts';
import { workerCheckpoints } from './worker-environment.ts';

/** Where a worker stands when an agent takes the run up. */
export type Standing =
  /** Its next start; `lost` where an earlier start is gone without an exit record, and nobody told yet. */
  | { readonly kind: 'to-start'; readonly start: number; readonly lost: WorkerStarted | null }
  /** It runs, or its supervisor is about to start it. Without a supervisor its exit can no longer be learned. */
  | { readonly kind: 'running'; readonly supervisor: ProcessIdentity | null }
  | { readonly kind: 'ended'; readonly exit: WorkerExit };

export interface WorkerFiles {
  readonly supervisor: ProcessIdentity | null;
  readonly started: WorkerStarted | null;
  readonly exit: WorkerExit | null;
}

export function readWorker(run: JobRun, worker: number): WorkerFiles {
  return {
    supervisor: readJson(run.at(workerPid(worker)), lockSchema),
    started: readJson(run.at(workerStarted(worker)), workerStartedSchema),
    exit: readJson(run.at(workerExit(worker)), workerExitSchema),
  };
}

/**
 * Tells where a worker stands. Pure. A worker that failed or was stopped starts again when the attempt before came to its end (this one is a
 * retry), not when the agent died and a new one reads what happened meanwhile. One that is gone without an exit record (the machine went away)
 * starts again.
 */
export function standingOf(
  files: WorkerFiles,
  told: {
    readonly start: number;
    readonly endTold: boolean;
    /** The attempt before came to its end. */
    readonly retry: boolean;
  },
  alive: (identity: ProcessIdentity) => boolean,
): Standing {
  const { supervisor, started, exit } = files;
  const next = Math.max(told.start, started?.start ?? 0, exit?.start ?? 0) + 1;
  if (exit !== null) {
    const done = exit.exitCode === 0 && !exit.stopped;
    const counted = told.start === exit.start && told.endTold;
    return done || !told.retry || !counted
      ? { kind: 'ended', exit }
      : { kind: 'to-start', start: next, lost: null };
  }
  if (supervisor !== null && alive(supervisor)) return { kind: 'running', supervisor };
  if (started === null) return { kind: 'to-start', start: next, lost: null };
  if (alive(started.process)) return { kind: 'running', supervisor: null };
  const ended = told.start === started.start && told.endTold;
  return { kind: 'to-start', start: next, lost: ended ? null : started };
}

/** The worker's folders; its copy of the code is made once and kept over retries. */
export async function prepareWorker(run: JobRun, worker: number): Promise<void> {
  for (const folder of [workerFolder(worker), workerOutput(worker), workerCheckpoints(worker)])
    makeFolder(run.at(folder));
  const copy = run.at(workerCode(worker));
  if (!existsSync(copy)) await copyTree(run.at(RUN.code), copy);
}

/**
 * Starts a worker under a supervisor. `pid.json` names the supervisor before that learns what to do: an agent that dies in between leaves a
 * supervisor that ends by itself, never a worker that nobody knows of.
 */
export function startWorker(
  run: JobRun,
  worker: number,
  start: number,
  gpus: readonly Gpu[],
  environment: Readonly<Record<string, string>>,
  limits: readonly SoftLimit[],
  /** Instead of the plan's command. */
  notebook: Pick<PlacedNotebook, 'command' | 'secret'> | null = null,
  /** Stay open in the supervisor: the locks of its cards. */
  open: readonly number[] = [],
): ProcessIdentity {
  setAside(run, worker, start);
  const program = process.argv[1];
  if (program === undefined) throw new Error('the path of the program is unknown');
  const child = spawn(process.execPath, [program, 'supervise', run.directory, String(worker)], {
    cwd: run.directory,
    detached: true,
    env: withoutControls(process.env),
    stdio: ['pipe', 'inherit', 'inherit', ...open],
  });
  child.stdin?.on('error', () => undefined);
  child.on('error', () => undefined);
  const supervisor = child.pid === undefined ? null : identityOf(child.pid);
  if (supervisor === null)
    throw new Error(`the supervisor of worker ${worker} could not be started`);
  writeJsonAtomic(run.at(workerPid(worker)), supervisor);
  const instruction: Instruction = {
    start,
    runId: run.plan.id,
    workers: run.plan.workers.length,
    command: notebook?.command ?? run.plan.workers[worker] ?? 'exit 127',
    secret: notebook?.secret ?? null,
    folder: run.at(workerCode(worker)),
    environment: { ...environment },
    limits: limits.map(([flag, value]) => [flag, value]),
    umask: run.umask,
    logLimitBytes: run.plan.logLimitBytes,
    stopSignal: stopSignalOf(run.plan),
    stopGraceSeconds: run.plan.stopGraceSeconds,
    gpus: gpus.map(({ uuid, index, name }) => ({ uuid, index, name })),
  };
  child.stdin?.end(JSON.stringify(instruction));
  child.unref();
  return supervisor;
}

/** Puts the records of the start before aside, under its number. */
function setAside(run: JobRun, worker: number, start: number): void {
  for (const file of [workerPid, workerFamily, workerLeft]) removeFile(run.at(file(worker)));
  for (const file of [workerStarted(worker), workerExit(worker)].map((name) => run.at(name)))
    if (existsSync(file)) renameSync(file, file.replace(/\.json$/, `-${start - 1}.json`));
}

export function isLogFull(run: JobRun, worker: number): boolean {
  return existsSync(run.at(workerLogFull(worker)));
}
