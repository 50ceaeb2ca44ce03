import { spawn } from 'node:child_process';
import { processIdentitySchema } from '../../shared/process-identity.ts';
import { fail, ok, problem, type Result } from '../../shared/problem.ts';
import { RUN } from '../../shared/run-directory.ts';
import { readJson, removeFile, sleep, writeJsonAtomic } from '../files.ts';
import { identityOf, killGroupOf, sendSignal } from '../identity.ts';
import { stopSignalOf } from '../../shared/plan.ts';
import { endLeft } from '../processes/leftovers.ts';
import { hasRisen, mayBeOutOfMemory, outOfMemoryCounts } from '../processes/out-of-memory.ts';
import { OUT_OF_MEMORY } from '../worker-problems.ts';
import { openLogPipe } from '../log-pipe.ts';
import { placeCloudSdkConfig } from '../private-folder.ts';
import type { JobRun } from '../run.ts';
import { workerEnvironment } from '../worker-environment.ts';
import { cancelled } from '../ending.ts';

/** Names the process of a setup under way, so that an agent that comes back ends what its predecessor left. */
const SETUP_RECORD = 'control/setup.json';

/**
 * Runs `setup` once, by `bash -c` in `code/`, into `logs/stage.log`.
 * Errors: `job.setup-failed`, `job.cancelled`.
 */
export async function runSetup(run: JobRun, command: string): Promise<Result<void>> {
  const record = run.at(SETUP_RECORD);
  const before = readJson(record, processIdentitySchema);
  if (before !== null) killGroupOf(before);
  if (run.attempt > 1) await endLeft(run, null);
  const environment = workerEnvironment({
    plan: run.plan,
    directory: run.directory,
    inherited: await run.environment(),
    worker: null,
    gpus: [],
    cloudSdkConfig: placeCloudSdkConfig(run.directory),
    keyFile: null,
    tokenPort: null,
  });
  const limit = run.plan.logLimitBytes;
  const log = openLogPipe(run.at(RUN.stageLog), limit, () =>
    run.events.append({
      kind: 'warning',
      message: `The output of setup has reached the log's limit of ${limit} bytes: what follows is not kept.`,
      hint: 'Let setup write less, or write what you need into a file.',
    }),
  );
  const began = performance.now();
  const child = spawn(
    '/bin/sh',
    ['-c', 'umask "$2"; exec bash -c "$1"', 'sh', command, run.umask],
    {
      cwd: run.at(RUN.code),
      env: environment,
      detached: true,
      stdio: ['ignore', log.writer, log.writer],
    },
  );
  log.closeWriter();
  const exit = new Promise<{ exitCode: number | null; signal: string | null }>((resolve) => {
    child.once('error', () => resolve({ exitCode: 127, signal: null }));
    child.once('exit', (exitCode, signal) => resolve({ exitCode, signal }));
  });
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
  const { exitCode, signal } = await exit;
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
    problem({
      code: 'job.setup-failed',
      op: 'run setup',
      subject: run.plan.name,
      message: `setup ended ${exitCode === null ? `by ${signal ?? 'a signal'}` : `with exit status ${exitCode}`}${isMemory ? OUT_OF_MEMORY.message : ''}.`,
      hint: `${isMemory ? OUT_OF_MEMORY.hint : ''}Its output: trainyard logs ${run.plan.id} (${run.at(RUN.stageLog)}).`,
    }),
  );
}
