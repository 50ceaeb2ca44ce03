import { spawn } from 'node:child_process';
import { processIdentitySchema } from '../../shared/process-identity.ts';
import { fail, ok, problem, type Problem, type Result } from '../../shared/problem.ts';
import { RUN } from '../../shared/run-directory.ts';
import { readJson, removeFile, sleep, writeJsonAtomic } from '../files.ts';
import { identityOf, killGroupOf, sendSignal } from '../identity.ts';
import { stopSignalOf } from '../../shared/plan.ts';
import { endLeft } from '../processes/leftovers.ts';
import { hasRisen, mayBeOutOfMemory, outOfMemoryCounts } from '../processes/out-of-memory.ts';
import { OUT_OF_MEMORY } from '../worker-problems.ts';
import { openLogPipe } from '../log-pipe.ts';
import { launchFailure, launchOf } from '../launch.ts';
import { tellOwnCredentials } from '../own-credentials.ts';
import type { JobRun } from '../run.ts';
import { workerEnvironment } from '../worker-environment.ts';
import { cancelled } from '../ending.ts';
import { openTokenServer } from '../token-server/open.ts';
import { handOver, type Handed } from './hand-over.ts';

/** Names the process of a setup under way, so that an agent that comes back ends what its predecessor left. */
const SETUP_RECORD = 'control/setup.json';

/**
 * Runs `setup` once, by `bash -c` in `code/`, into `logs/stage.log`, with the input and the key that workers get.
 * Errors: `job.setup-failed`, `job.cancelled`, those of handing the key over.
 */
export async function runSetup(run: JobRun, command: string): Promise<Result<void>> {
  const record = run.at(SETUP_RECORD);
  const before = readJson(record, processIdentitySchema);
  if (before !== null) killGroupOf(before);
  if (run.attempt > 1) await endLeft(run, null);
  const tokens = await openTokenServer(run, false);
  if (!tokens.ok) return tokens;
  try {
    const handed = handOver(run, tokens.value);
    return handed.ok ? await runCommand(run, command, handed.value) : handed;
  } finally {
    await tokens.value?.close();
  }
}

async function runCommand(run: JobRun, command: string, handed: Handed): Promise<Result<void>> {
  const record = run.at(SETUP_RECORD);
  const { variables, limits } = await run.environment();
  if (handed.tokenPort !== null) tellOwnCredentials(run, variables);
  const launch = launchOf({
    command,
    environment: workerEnvironment({
      plan: run.plan,
      directory: run.directory,
      inherited: variables,
      worker: null,
      gpus: [],
      ...handed,
    }),
    umask: run.umask,
    limits,
  });
  if (launch === null) return fail(notRun(run, 'could not be started: this machine has no bash'));
  const limit = run.plan.logLimitBytes;
  const log = openLogPipe(run.at(RUN.stageLog), limit, () =>
    run.events.append({
      kind: 'warning',
      message: `The output of setup has reached the log's limit of ${limit} bytes: what follows is not kept.`,
      hint: 'Let setup write less, or write what you need into a file.',
    }),
  );
  const began = performance.now();
  const child = spawn(launch.program, launch.parameters, {
    cwd: run.at(RUN.code),
    env: launch.environment,
    detached: true,
    stdio: ['ignore', log.writer, log.writer, 'pipe'],
  });
  log.closeWriter();
  const exit = new Promise<Exit>((resolve) => {
    child.once('error', (error: NodeJS.ErrnoException) =>
      resolve({ exitCode: 127, signal: null, error: launchFailure(error.code, error.message) }),
    );
    child.once('exit', (exitCode, signal) => resolve({ exitCode, signal }));
  });
  const gate = child.stdio[3];
  if (gate !== null && gate !== undefined && 'end' in gate) {
    gate.on('error', () => undefined);
    gate.end(launch.go);
  }
  const pid = child.pid;
  const identity = pid === undefined ? null : identityOf(pid);
  if (identity !== null) writeJsonAtomic(record, identity);
  const ended = new AbortController();
  const memory = outOfMemoryCounts();
  const stop = (): void => {
    if (pid === undefined) return;
    sendSignal(-pid, stopSignalOf(run.plan));
    void sleep(run.plan.stopGraceSeconds * 1_000, ended.signal).then(() =>
      sendSignal(-pid, 'SIGKILL'),
    );
  };
  if (run.stop.asked.aborted) stop();
  else run.stop.asked.addEventListener('abort', stop, { once: true });
  const { exitCode, signal, error } = await exit;
  run.stop.asked.removeEventListener('abort', stop);
  ended.abort();
  if (pid !== undefined) sendSignal(-pid, 'SIGKILL');
  // What a set-up that is through has started in a session of its own may serve the workers: it goes on until they have ended.
  if (exitCode !== 0 || run.stop.asked.aborted) await endLeft(run, null);
  await log.end(2_000);
  removeFile(record);
  if (run.stop.asked.aborted) return fail(cancelled(run));
  run.events.append({
    kind: 'setup-ended',
    exitCode,
    seconds: (performance.now() - began) / 1_000,
  });
  if (exitCode === 0) return ok();
  const isMemory = mayBeOutOfMemory({ exitCode, signal, stopped: false }) && hasRisen(memory);
  return fail(
    notRun(
      run,
      error === undefined
        ? `ended ${exitCode === null ? `by ${signal ?? 'a signal'}` : `with exit status ${exitCode}`}${isMemory ? OUT_OF_MEMORY.message : ''}`
        : `could not be started: ${error.replace(/\.$/, '')}`,
      isMemory ? OUT_OF_MEMORY.hint : '',
    ),
  );
}

interface Exit {
  readonly exitCode: number | null;
  readonly signal: string | null;
  /** Why it was not started. */
  readonly error?: string;
}

function notRun(run: JobRun, what: string, hint = ''): Problem {
  return problem({
    code: 'job.setup-failed',
    op: 'run setup',
    subject: run.plan.name,
    message: `setup ${what}.`,
    hint: `${hint}Its output: trainyard logs ${run.plan.id} (${run.at(RUN.stageLog)}).`,
  });
}
