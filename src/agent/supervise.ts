import { spawn, type ChildProcess } from 'node:child_process';
import path from 'node:path';
import * as z from 'zod';
import type { WorkerExit, WorkerLeft, WorkerStarted } from '../shared/agent-protocol.ts';
import { STOP_SIGNALS } from '../shared/stop-signals.ts';
import { processIdentitySchema, sameProcess } from '../shared/process-identity.ts';
import {
  workerExit,
  workerFamily,
  workerFolder,
  workerLeft,
  workerLog,
  workerPid,
  workerStarted,
} from '../shared/run-directory.ts';
import { errorMessage, isNoRoom, readAll, readJson, sleep, writeJsonAtomic } from './files.ts';
import { identityOf, ownIdentity, sendSignal } from './identity.ts';
import { launchFailure, launchOf } from './launch.ts';
import { openLogPipe, type LogPipe } from './log-pipe.ts';
import { placeInCgroup, removeCgroup } from './processes/cgroup.ts';
import { endProcesses, ignores, type LeftProcess, type Search } from './processes/end.ts';
import { hasRisen, mayBeOutOfMemory, outOfMemoryCounts } from './processes/out-of-memory.ts';
import { readProcessTable, type ProcessRow } from './processes/table.ts';
import { trackProcesses } from './processes/track.ts';

/** What the agent tells a supervisor over its stdin. No secret but what the user put into the worker's environment. */
export const instructionSchema = z.strictObject({
  start: z.int().min(1),
  runId: z.string(),
  /** How many workers the run has. */
  workers: z.int().min(1),
  command: z.string(),
  /** Working directory, absolute. */
  folder: z.string(),
  environment: z.record(z.string(), z.string()),
  /** Soft limits, as `ulimit -S` takes them. */
  limits: z.array(z.tuple([z.string().regex(/^[a-z]$/), z.string().regex(/^(\d+|unlimited)$/)])),
  /** Octal: the user's own, not that of the agent, which keeps its files to itself. */
  umask: z.string().regex(/^[0-7]+$/),
  logLimitBytes: z.int().positive(),
  stopSignal: z.enum(STOP_SIGNALS),
  stopGraceSeconds: z.number().positive(),
  /** What the log never shows: the token of a notebook. */
  secret: z.string().min(8).nullable(),
  gpus: z.array(z.strictObject({ uuid: z.string(), index: z.int(), name: z.string() })),
});
export type Instruction = Readonly<z.infer<typeof instructionSchema>>;

/** Its presence says that the worker's log has reached its limit. */
export const workerLogFull = (worker: number): string => `${workerFolder(worker)}/log-full.json`;

/** How long a log may take to end after the last process. Milliseconds. */
const DRAIN_TIME = 2_000;
/** How often a full disk is tried again. Milliseconds. */
const ROOM_EVERY = 500;

/**
 * The verb `supervise`: runs one worker to its end. Owns its log and its exit record. It begins only when its instruction came whole and
 * `pid.json` names it; SIGTERM asks it to stop the worker.
 */
export async function supervise(run: string, worker: number): Promise<void> {
  process.umask(0o077);
  const stop = new AbortController();
  process.on('SIGHUP', () => undefined);
  process.on('SIGINT', () => undefined);
  process.on('SIGTERM', () => stop.abort());
  // A full disk takes no more lines of logs/agent.log: no reason to end.
  process.stderr.on('error', () => undefined);
  const instruction = await readInstruction();
  const named = readJson(path.join(run, workerPid(worker)), processIdentitySchema);
  if (instruction === null || named === null || !sameProcess(named, ownIdentity())) return;
  const file = (name: (worker: number) => string): string => path.join(run, name(worker));
  const memory = outOfMemoryCounts();
  const exitOf = ({ exitCode, signal }: Outcome): WorkerExit => {
    const stopped = stop.signal.aborted;
    const isMemory = mayBeOutOfMemory({ exitCode, signal, stopped }) && hasRisen(memory);
    return {
      exitCode,
      signal,
      start: instruction.start,
      stopped,
      time: new Date().toISOString(),
      ...(isMemory ? { outOfMemory: true } : {}),
    };
  };
  const record = (exit: WorkerExit): Promise<unknown> =>
    onceThereIsRoom(() => writeJsonAtomic(file(workerExit), exit));
  if (stop.signal.aborted) {
    await record(exitOf({ exitCode: null, signal: null }));
    return;
  }
  const log = await openLog(
    file(workerLog),
    instruction.logLimitBytes,
    () => writeJsonAtomic(file(workerLogFull), { limit: instruction.logLimitBytes }),
    instruction.secret,
    stop.signal,
  );
  if (log === null) {
    await record(exitOf({ exitCode: 127, signal: null }));
    return;
  }
  if (instruction.start > 1) log.say(`start ${instruction.start} of this worker`);
  const exit = await runWorker(instruction, log, stop.signal, {
    search: { runId: instruction.runId, directory: run, worker },
    started: (process, cgroup) => {
      const started: WorkerStarted = {
        process,
        time: new Date().toISOString(),
        start: instruction.start,
        gpus: [...instruction.gpus],
        ...(cgroup === null ? {} : { cgroup }),
        outOfMemory: memory,
      };
      return onceThereIsRoom(() => writeJsonAtomic(file(workerStarted), started), stop.signal);
    },
    unnamed: (processes) =>
      tryOnce(() => {
        const { start } = instruction;
        const { bootId } = ownIdentity();
        writeJsonAtomic(file(workerFamily), { start, bootId, processes });
      }),
    exitOf,
    left: (left) => tryOnce(() => writeJsonAtomic(file(workerLeft), left)),
  });
  await log.end(DRAIN_TIME);
  await record(exit);
}

/** What helps where it can be written, and is done without where the disk is full. */
function tryOnce(work: () => void): void {
  try {
    work();
  } catch (error) {
    process.stderr.write(`${errorMessage(error)}\n`);
  }
}

/**
 * Does something that takes room on the disk of the run, again and again while there is none: what a worker did must not be lost for the lack of
 * a few bytes. False where the signal was aborted first.
 */
async function onceThereIsRoom(work: () => void, signal?: AbortSignal): Promise<boolean> {
  while (signal?.aborted !== true)
    try {
      work();
      return true;
    } catch (error) {
      if (!isNoRoom(error)) throw error;
      await sleep(ROOM_EVERY, signal);
    }
  return false;
}

/** Null where there can be no log (why stands in the agent's), or a stop came first. */
async function openLog(
  file: string,
  limit: number,
  onFull: () => void,
  secret: string | null,
  stop: AbortSignal,
): Promise<LogPipe | null> {
  let log: LogPipe | null = null;
  try {
    await onceThereIsRoom(() => {
      log = openLogPipe(file, limit, onFull, secret);
    }, stop);
    return log;
  } catch (error) {
    process.stderr.write(`the log ${file} cannot be opened: ${errorMessage(error)}\n`);
    return null;
  }
}

async function readInstruction(): Promise<Instruction | null> {
  try {
    const parsed = instructionSchema.safeParse(JSON.parse(await readAll(process.stdin)));
    return parsed.success ? parsed.data : null;
  } catch {
    return null;
  }
}

interface Outcome {
  readonly exitCode: number | null;
  readonly signal: string | null;
}

/** What is recorded of a worker while it runs. */
interface Records {
  readonly search: Pick<Search, 'runId' | 'directory' | 'worker'>;
  /** Whether it could be recorded. */
  readonly started: (process: WorkerStarted['process'], cgroup: string | null) => Promise<boolean>;
  readonly unnamed: (processes: Search['known']) => void;
  readonly exitOf: (outcome: Outcome) => WorkerExit;
  readonly left: (left: WorkerLeft) => void;
}

/** Runs the worker's command to its end, then ends what is left of its processes: only then is it over. */
async function runWorker(
  instruction: Instruction,
  log: LogPipe,
  stop: AbortSignal,
  records: Records,
): Promise<WorkerExit> {
  const launch = launchOf(instruction);
  if (launch === null) {
    log.closeWriter();
    log.say('the worker could not be started: this machine has no bash');
    return records.exitOf({ exitCode: 127, signal: null });
  }
  const child = spawn(launch.program, launch.parameters, {
    cwd: instruction.folder,
    env: launch.environment,
    detached: true,
    stdio: ['ignore', log.writer, log.writer, 'pipe'],
  });
  log.closeWriter();
  const ending = outcomeOf(child);
  const pid = child.pid;
  const identity = pid === undefined ? null : identityOf(pid);
  if (pid === undefined || identity === null) {
    const failed = await ending;
    log.say(`the worker could not be started: ${failed.error ?? 'its shell ended at once'}`);
    return records.exitOf({ exitCode: failed.exitCode ?? 127, signal: failed.signal });
  }
  const { directory, worker } = records.search;
  const cgroup = worker === null ? null : placeInCgroup(directory, worker, pid);
  const search = { ...records.search, leader: identity, cgroup };
  const begins = await records.started(identity, cgroup);
  const gate = child.stdio[3];
  if (gate !== null && gate !== undefined && 'end' in gate) {
    gate.on('error', () => undefined);
    // The worker begins once this comes, which is sent after `started.json` is on the disk: where the supervisor dies before that, it never does.
    gate.end(begins ? launch.go : '');
  }
  const { workers, stopSignal } = instruction;
  const tracker = trackProcesses({ ...search, known: [] }, workers, records.unnamed);
  const grace = instruction.stopGraceSeconds * 1_000;
  const end = new AbortController();
  const asked: { at: number | null; rows: readonly ProcessRow[] } = { at: null, rows: [] };
  const stopped = onStop(stop, async () => {
    tracker.look();
    asked.at = performance.now();
    asked.rows = readProcessTable().rows.filter(
      (row) => row.group === pid && !ignores(row.pid, stopSignal),
    );
    sendSignal(-pid, stopSignal);
    await sleep(grace, end.signal);
    if (!end.signal.aborted) sendSignal(-pid, 'SIGKILL');
  });
  const outcome = await ending;
  tracker.end();
  end.abort();
  await stopped();
  const exit = records.exitOf(outcome);
  // What the stop asked for has the rest of its time.
  const spent = asked.at === null ? 0 : performance.now() - asked.at;
  const rest = Math.max(0, grace - spent);
  const tell = (processes: readonly LeftProcess[]): void =>
    records.left({
      exit,
      signal: stopSignal,
      graceSeconds: Math.ceil(rest / 1_000),
      processes: processes.map(({ pid, startTime, command, how }) => ({
        pid,
        startTime,
        command,
        how,
      })),
    });
  const left = await endProcesses(
    { ...search, known: tracker.known() },
    { signal: stopSignal, grace: rest, asked: asked.rows, tell },
  );
  if (left.length > 0) tell(left);
  await removeCgroup(cgroup);
  // A stop that was asked for while they were waited for does not change how the command ended.
  return exit;
}

function outcomeOf(child: ChildProcess): Promise<Outcome & { readonly error?: string }> {
  return new Promise((resolve) => {
    child.once('error', (error: NodeJS.ErrnoException) =>
      resolve({ exitCode: 127, signal: null, error: launchFailure(error.code, error.message) }),
    );
    child.once('exit', (exitCode, signal) => resolve({ exitCode, signal }));
  });
}

/** Runs `action` once the signal is aborted; the answer waits for an action under way. */
function onStop(signal: AbortSignal, action: () => Promise<void>): () => Promise<void> {
  let running = Promise.resolve();
  const begin = (): void => {
    running = action();
  };
  if (signal.aborted) begin();
  else signal.addEventListener('abort', begin, { once: true });
  return async () => {
    signal.removeEventListener('abort', begin);
    await running;
  };
}
