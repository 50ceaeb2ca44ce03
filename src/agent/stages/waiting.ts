import type { Gpu } from '../../shared/gpu.ts';
import { eligibleGpus, whyFewer, type GpuChoice } from '../../shared/gpu-choice.ts';
import type { TakenGpu } from '../../shared/gpus-awaited.ts';
import { fail, ok, problem, type Result } from '../../shared/problem.ts';
import { sleep } from '../files.ts';
import { assignGpus, dealGpus } from '../gpu/assign.ts';
import type { GpuHolder, GpuLocks } from '../gpu/locks.ts';
import { probeGpus } from '../gpu/nvidia-smi.ts';
import { usersOf } from '../gpu/owners.ts';
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
        ? ok({ free: [], chosen: [], taken: [], total: 0, lost: [] })
        : await look(run, needed, locks);
    if (!looked.ok) return looked;
    const { free, chosen, taken, total, lost } = looked.value;
    if (chosen !== null && (await locks.take(chosen.map((gpu) => gpu.uuid)))) {
      tellRemarks(run, chosen);
      run.events.append({ kind: 'stage-ended', stage: 'waiting' });
      return ok(dealGpus(workers, chosen, each));
    }
    const awaited = {
      needed,
      free: free.length,
      total,
      taken,
      ...(run.plan.useBusyGpus === true ? { useBusy: true } : {}),
      ...(lost.length === 0 ? {} : { lost: [...lost] }),
    };
    const now = {
      cards: JSON.stringify({
        ...awaited,
        taken: taken.map((gpu) => ({ ...gpu, processes: [], users: [] })),
      }),
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
  readonly lost: readonly string[];
}

async function look(run: JobRun, needed: number, locks: GpuLocks): Promise<Result<Look>> {
  const refuse = (code: 'host.no-gpus' | 'host.too-few-gpus', message: string, hint: string) =>
    fail(problem({ code, op: 'take GPUs', subject: 'this machine', message, hint }));
  const probe = await probeGpus(async () => (await run.environment()).variables['PATH']);
  if (probe.kind !== 'gpus')
    return refuse(
      'host.no-gpus',
      probe.kind === 'no-tool'
        ? `The job needs ${needed} GPUs, and this machine has no nvidia-smi.`
        : `The job needs ${needed} GPUs, and nvidia-smi cannot work: ${probe.message}`,
      'Install or repair the NVIDIA driver (try `nvidia-smi`), then retry; or set resources.gpus to 0.',
    );
  const choice: GpuChoice = {
    each: run.plan.gpusPerWorker,
    only: run.plan.onlyGpus ?? null,
  };
  const locked = locks.taken();
  const eligible = eligibleGpus(probe.gpus, choice);
  const { free, chosen } = assignGpus(probe.gpus, needed, locked, {
    ...choice,
    useBusy: run.plan.useBusyGpus === true,
  });
  if (eligible.length < needed)
    return refuse(
      'host.too-few-gpus',
      `The job needs ${needed} GPUs; this machine has ${eligible.length}: ${eligible.map((gpu) => gpu.name).join(', ')}.${whyFewer(probe, choice)}`,
      'Use fewer workers or fewer GPUs for each.',
    );
  const taken = eligible
    // Its own cards, of workers that it took up, are no news.
    .filter((gpu) => !free.includes(gpu) && locked.get(gpu.uuid)?.isOwn !== true)
    .map((gpu) => takenGpu(gpu, locked.get(gpu.uuid)));
  return ok({ free, chosen, taken, total: eligible.length, lost: probe.lost ?? [] });
}

function takenGpu(
  { index, processes, needsReset, blocked, programs }: Gpu,
  holder: GpuHolder | undefined,
): TakenGpu {
  const users = holder === undefined ? usersOf(processes, programs ?? {}) : [];
  return {
    index,
    run: holder?.run ?? null,
    processes: [...processes],
    needsReset: needsReset === true,
    ...(users.length === 0 ? {} : { users }),
    ...(holder === undefined || (holder.run !== null && holder.user === null)
      ? {}
      : { holder: holder.user }),
    ...(blocked === undefined ? {} : { blocked }),
  };
}

/** A card with errors is given where no other is free; its user should know. */
function tellRemarks(run: JobRun, chosen: readonly Gpu[]): void {
  for (const { index, name, remarks = [] } of chosen)
    if (remarks.length > 0)
      run.events.append({
        kind: 'warning',
        message: `GPU ${index} (${name}), which the job was given, ${remarks.join(', and ')}.`,
        hint: 'Results may be wrong, or the job may end with an error of the card. A reset of the card, or its administrator, helps: see nvidia-smi -q.',
      });
}
