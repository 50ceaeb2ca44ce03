import path from 'node:path';
import type { Gpu } from '../../shared/gpu.ts';
import type { TakenGpu } from '../../shared/gpus-awaited.ts';
import { fail, ok, problem, type Result } from '../../shared/problem.ts';
import { sleep } from '../files.ts';
import { assignGpus, dealGpus } from '../gpu/assign.ts';
import type { GpuLocks } from '../gpu/locks.ts';
import { probeGpus } from '../gpu/nvidia-smi.ts';
import type { JobRun } from '../run.ts';
import { cancelled } from '../ending.ts';

const LOOK_EVERY = 2_000;
/** Which processes are on a card is told anew this often at the most: on a shared machine they come and go. Milliseconds. */
const TELL_PROCESSES_EVERY = 60_000;

export type Grants = ReadonlyMap<number, readonly Gpu[]>;

/**
 * The stage `waiting`: takes the cards for the workers that are to start, all or none, so that two runs never wait for each other.
 * Errors: `host.too-few-gpus`, `host.no-gpus`, `job.cancelled`.
 */
export async function waitForGpus(
  run: JobRun,
  workers: readonly number[],
  locks: GpuLocks,
): Promise<Result<Grants>> {
  const each = run.plan.gpusPerWorker;
  const needed = each * workers.length;
  run.events.append({ kind: 'stage-started', stage: 'waiting' });
  let told = { cards: '', processes: '', at: 0 };
  for (;;) {
    if (run.stop.asked.aborted) return fail(cancelled(run));
    const looked =
      needed === 0
        ? ok({ free: [], chosen: [], taken: [], total: 0 })
        : await look(run, needed, locks);
    if (!looked.ok) return looked;
    const { free, chosen, taken, total } = looked.value;
    if (chosen !== null && locks.take(chosen.map((gpu) => gpu.uuid))) {
      run.events.append({ kind: 'stage-ended', stage: 'waiting' });
      return ok(dealGpus(workers, chosen, each));
    }
    const awaited = { needed, free: free.length, total, taken };
    const now = {
      cards: JSON.stringify({ ...awaited, taken: taken.map((gpu) => ({ ...gpu, processes: [] })) }),
      processes: JSON.stringify(taken.map(({ processes }) => processes)),
      at: performance.now(),
    };
    const isNew =
      now.cards !== told.cards ||
      (now.processes !== told.processes && now.at - told.at >= TELL_PROCESSES_EVERY);
    if (isNew) {
      run.events.append({ kind: 'gpus-awaited', ...awaited });
      told = now;
    }
    await sleep(LOOK_EVERY, run.stop.asked);
  }
}

interface Look {
  readonly free: readonly Gpu[];
  readonly chosen: readonly Gpu[] | null;
  readonly taken: TakenGpu[];
  readonly total: number;
}

async function look(run: JobRun, needed: number, locks: GpuLocks): Promise<Result<Look>> {
  const refuse = (code: 'host.no-gpus' | 'host.too-few-gpus', message: string, hint: string) =>
    fail(problem({ code, op: 'take GPUs', subject: 'this machine', message, hint }));
  const probe = await probeGpus();
  if (probe.kind !== 'gpus')
    return refuse(
      'host.no-gpus',
      probe.kind === 'no-tool'
        ? `The job needs ${needed} GPUs, and this machine has no nvidia-smi.`
        : `The job needs ${needed} GPUs, and nvidia-smi cannot work: ${probe.message}`,
      'Install or repair the NVIDIA driver (try `nvidia-smi`), then retry; or set resources.gpus to 0.',
    );
  const { gpus } = probe;
  if (gpus.length < needed)
    return refuse(
      'host.too-few-gpus',
      `The job needs ${needed} GPUs; this machine has ${gpus.length}: ${gpus.map((gpu) => gpu.name).join(', ')}.`,
      'Use fewer workers or fewer GPUs for each.',
    );
  const locked = locks.taken();
  const { free, chosen } = assignGpus(gpus, needed, locked);
  const taken = gpus
    // Its own cards, of workers that it took up, are no news.
    .filter((gpu) => !free.includes(gpu) && locked.get(gpu.uuid) !== run.directory)
    .map(({ index, uuid, processes, needsReset }): TakenGpu => {
      const holder = locked.get(uuid);
      return {
        index,
        run: holder === undefined ? null : path.basename(holder),
        processes: [...processes],
        needsReset: needsReset === true,
      };
    });
  return ok({ free, chosen, taken, total: gpus.length });
}
