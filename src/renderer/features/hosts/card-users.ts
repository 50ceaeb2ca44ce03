import type { Gpu } from '../../../shared/gpu.ts';
import type { GpuProcess } from '../../../shared/ipc/hosts.ts';
import { goesOn } from '../../../shared/job-status.ts';
import type { JobView } from '../../../shared/views.ts';

/** Who uses a card. Pure. */
export interface CardUsers {
  /** Jobs of ours whose workers were given the card. */
  readonly jobs: readonly JobView[];
  /** Everybody else's processes, each in words: `process 4711: maria, python train.py`. */
  readonly others: readonly string[];
}

export function usersOf(
  gpu: Pick<Gpu, 'uuid' | 'processes'>,
  jobs: readonly JobView[],
  known: readonly GpuProcess[],
): CardUsers {
  const holders = jobs.filter(
    (job) =>
      goesOn(job) &&
      job.workers.some(
        ({ state, gpus }) => state === 'running' && gpus.some(({ uuid }) => uuid === gpu.uuid),
      ),
  );
  const ours = new Set(
    jobs
      .filter(goesOn)
      .flatMap(({ workers }) =>
        workers.flatMap(({ state, pid }) => (state === 'running' && pid !== null ? [pid] : [])),
      ),
  );
  const others = gpu.processes.flatMap((pid) => {
    const process = known.find((one) => one.pid === pid);
    const isOurs = [pid, ...(process?.ancestors ?? [])].some((one) => ours.has(one));
    return isOurs ? [] : [wordsOf(pid, process)];
  });
  return { jobs: holders, others };
}

function wordsOf(pid: number, process: GpuProcess | undefined): string {
  const told = [process?.user ?? '', process?.command ?? ''].filter((word) => word !== '');
  return `process ${pid}${told.length === 0 ? '' : `: ${told.join(', ')}`}`;
}

type Card = Pick<Gpu, 'uuid' | 'card'>;

/** Whether jobs may be given a card. `only`: null is all. Pure. */
export const isForJobs = ({ uuid, card }: Card, only: readonly string[] | null): boolean =>
  only === null || only.includes(uuid) || (card !== undefined && only.includes(card));

/** The setting with one card more or less; all of them are no setting, so that a card that comes later is one of them. Pure. */
export function withCard(
  gpus: readonly Card[],
  only: readonly string[] | null,
  changed: Card,
  isWanted: boolean,
): readonly string[] | null {
  const wanted = gpus.filter((gpu) =>
    gpu.uuid === changed.uuid ? isWanted : isForJobs(gpu, only),
  );
  return wanted.length === gpus.length ? null : wanted.map(({ uuid }) => uuid);
}
