import { readdirSync, readFileSync } from 'node:fs';
import { sleep } from '../files.ts';
import { identityOf, isAlive, sendSignal } from '../identity.ts';
import type { JobRun } from '../run.ts';
import type { ProcessIdentity } from '../../shared/process-identity.ts';

/** How long a kernel may take to end after SIGTERM. Milliseconds. */
const GRACE = 5_000;

/**
 * Ends what Jupyter left behind: kernels and terminals have sessions of their own, and outlive one that is killed. They are known by the job's id in
 * their environment. Linux alone; elsewhere kernels end by themselves once their Jupyter is gone.
 */
export async function endLeftKernels(run: JobRun): Promise<void> {
  const left = processesOf(run.plan.id);
  for (const { pid } of left) sendSignal(pid, 'SIGTERM');
  const until = performance.now() + GRACE;
  while (left.some(isAlive) && performance.now() < until) await sleep(50);
  for (const one of left.filter(isAlive)) sendSignal(one.pid, 'SIGKILL');
}

function processesOf(jobId: string): ProcessIdentity[] {
  if (process.platform !== 'linux') return [];
  const mark = `TRAINYARD_JOB_ID=${jobId}`;
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      try {
        const environment = readFileSync(`/proc/${name}/environ`, 'utf8').split('\0');
        const identity = environment.includes(mark) ? identityOf(Number(name)) : null;
        return identity === null || identity.pid === process.pid ? [] : [identity];
      } catch {
        // Another user's, or gone.
        return [];
      }
    });
}
