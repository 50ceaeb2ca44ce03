import type { Services } from '../../main/services.ts';
import { hasEnded } from '../../shared/job-status.ts';

/** Milliseconds for a job to stop, and for an agent to leave after its last event. */
const STOP_TIME = 15_000;
const LOOK_INTERVAL = 100;

/** Ends what runs in the demo's home, so that no process is left: stops jobs that run, waits until their agents are gone, else kills them. */
export async function endJob(services: Services): Promise<void> {
  for (const job of await services.jobs.list())
    if (!hasEnded(job.state) && job.agent !== null) await services.jobs.stop(job.id);
  const late = Date.now() + STOP_TIME;
  for (;;) {
    const left = (await services.jobs.list()).filter((job) => job.agent !== null);
    if (left.length === 0) return;
    if (Date.now() > late) {
      for (const job of left) {
        for (const worker of job.workers)
          if (worker.state === 'running' && worker.pid !== null) kill(-worker.pid);
        if (job.agent !== null) kill(job.agent.pid);
      }
      return;
    }
    await new Promise((resolve) => setTimeout(resolve, LOOK_INTERVAL));
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // Gone by itself.
  }
}
