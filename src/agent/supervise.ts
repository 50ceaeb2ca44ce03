import { spawn, type ChildProcess } from 'node:child_process';
import path from 'node:path';
import * as z from 'zod';
import type { WorkerExit, WorkerStarted } from '../shared/agent-protocol.ts';
import { processIdentitySchema, sameProcess } from '../shared/process-identity.ts';
import {
  workerExit,
  workerFolder,
  workerLog,
  workerPid,
  workerStarted,
} from '../shared/run-directory.ts';
import { errorMessage, isNoRoom, readAll, readJson, sleep, writeJsonAtomic } from './files.ts';
import { groupExists, identityOf, ownIdentity, sendSignal } from './identity.ts';
import { launchFailure, launchOf } from './launch.ts';
import { openLogPipe, type LogPipe } from './log-pipe.ts';

/** What the agent tells a supervisor over its stdin. No secret but what the user put into the worker's environment. */
export const instructionSchema = z.strictObject({
  start: z.int().min(1),
  command: z.string(),
  /** Working directory, absolute. */
  folder: z.string(),
  environment: z.record(z.string(), z.string()),
  /** Soft limits, as `ulimit -S` takes them. */
  limits: z.array(z.tuple([z.string().regex(/^[a-z]$/), z.string().regex(/^(\d+|unlimited)$/)])),
  /** Octal: the user's own, not that of the agent, which keeps its files to itself. */
  umask: z.string().regex(/^[0-7]+$/),
  logLimitBytes: z.int().positive(),
  stopGraceSeconds: z.number().positive(),
  /** What the log never shows: the token of a notebook. */
  secret: z.string().min(8).nullable(),
  gpus: z.array(z.strictObject({ uuid: z.string(), index: z.int(), name: z.string() })),
});
export type Instruction = Readonly<z.infer<typeof instructionSchema>>;

/** Its presence says that the worker's log has reached its limit. */
export const workerLogFull = (worker: number): string => `${workerFolder(worker)}/log-full.json`;

/** How long processes that a worker left behind may take to end after SIGTERM, and a log to end after the last process. Milliseconds. */
const LEFTOVER_TIME = 5_000;
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
  const record = (outcome: Outcome): Promise<unknown> => {
    const exit: WorkerExit = {
      ...outcome,
      start: instruction.start,
      stopped: stop.signal.aborted,
      time: new Date().toISOString(),
    };
    return onceThereIsRoom(() => writeJsonAtomic(file(workerExit), exit));
  };
  if (stop.signal.aborted) {
    await record({ exitCode: null, signal: null });
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
    await record({ exitCode: 127, signal: null });
    return;
  }
  if (instruction.start > 1) log.say(`start ${instruction.start} of this worker`);
  const outcome = await runWorker(instruction, log, stop.signal, (process) => {
    const started: WorkerStarted = {
      process,
      time: new Date().toISOString(),
      start: instruction.start,
      gpus: [...instruction.gpus],
    };
    return onceThereIsRoom(() => writeJsonAtomic(file(workerStarted), started), stop.signal);
  });
  await log.end(DRAIN_TIME);
  await record(outcome);
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

async function runWorker(
  instruction: Instruction,
  log: LogPipe,
  stop: AbortSignal,
  /** Whether it could be recorded. */
  started: (process: WorkerStarted['process']) => Promise<boolean>,
): Promise<Outcome> {
  const launch = launchOf(instruction);
  if (launch === null) {
    log.closeWriter();
    log.say('the worker could not be started: this machine has no bash');
    return { exitCode: 127, signal: null };
  }
  const child = spawn(launch.program, launch.parameters, {
    cwd: instruction.folder,
    env: launch.environment,
    detached: true,
    stdio: ['ignore', log.writer, log.writer, 'pipe'],
  });
  log.closeWriter();
  const exit = outcomeOf(child);
  const pid = child.pid;
  const identity = pid === undefined ? null : identityOf(pid);
  if (pid === undefined || identity === null) {
    const failed = await exit;
    log.say(`the worker could not be started: ${failed.error ?? 'its shell ended at once'}`);
    return { exitCode: failed.exitCode ?? 127, signal: failed.signal };
  }
  const begins = await started(identity);
  const gate = child.stdio[3];
  if (gate !== null && gate !== undefined && 'end' in gate) {
    gate.on('error', () => undefined);
    // The worker begins once this comes, which is sent after `started.json` is on the disk: where the supervisor dies before that, it never does.
    gate.end(begins ? launch.go : '');
  }
  const grace = instruction.stopGraceSeconds * 1_000;
  const end = new AbortController();
  const stopped = onStop(stop, async () => {
    sendSignal(-pid, 'SIGTERM');
    await sleep(grace, end.signal);
    sendSignal(-pid, 'SIGKILL');
  });
  const outcome = await exit;
  await endLeftovers(pid, stop, grace);
  end.abort();
  await stopped();
  return { exitCode: outcome.exitCode, signal: outcome.signal };
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

/**
 * Ends what the worker left in its process group. After a stop they have the rest of the grace time, which SIGKILL ends;
 * else SIGTERM, a few seconds, SIGKILL.
 */
async function endLeftovers(pid: number, stop: AbortSignal, grace: number): Promise<void> {
  if (!groupExists(pid)) return;
  if (!stop.aborted) sendSignal(-pid, 'SIGTERM');
  await untilGone(pid, stop.aborted ? grace + LEFTOVER_TIME : Math.min(grace, LEFTOVER_TIME));
  sendSignal(-pid, 'SIGKILL');
}

async function untilGone(pid: number, time: number): Promise<void> {
  const until = performance.now() + time;
  while (groupExists(pid) && performance.now() < until) await sleep(50);
}
