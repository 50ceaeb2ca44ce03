import { eligibleGpus, type GpuChoice } from '../../shared/gpu-choice.ts';
import type { Gpu } from '../../shared/gpu.ts';

export interface Assignment {
  /** Those that can be had now. */
  readonly free: readonly Gpu[];
  /** Enough of them for what is needed, or null. */
  readonly chosen: readonly Gpu[] | null;
}

export interface AssignOptions extends GpuChoice {
  /** Also cards that others use. */
  readonly useBusy: boolean;
}

const ANY: AssignOptions = { each: 1, only: null, useBusy: false };

/**
 * Chooses cards. Free is a card of which the driver shows that no process computes on it, that nobody has locked (`taken`), and that can compute. Of
 * the free ones the first in order are taken, so that jobs fill a machine card by card; what has errors of its memory comes last. With `useBusy`
 * cards that others use come after the free ones, those with most memory left first.
 */
export function assignGpus(
  gpus: readonly Gpu[],
  needed: number,
  taken: Pick<ReadonlySet<string>, 'has'>,
  options: AssignOptions = ANY,
): Assignment {
  const eligible = eligibleGpus(gpus, options);
  const works = eligible.filter(
    (gpu) => !taken.has(gpu.uuid) && gpu.needsReset !== true && gpu.blocked?.final !== true,
  );
  const isIdle = (gpu: Gpu): boolean => gpu.processes.length === 0 && gpu.blocked === undefined;
  const idle = works.filter(isIdle);
  const isWhole = (gpu: Gpu): boolean => (gpu.remarks ?? []).length === 0;
  const shared = options.useBusy
    ? works
        .filter((gpu) => !isIdle(gpu) && !(gpu.exclusive === true && gpu.processes.length > 0))
        .toSorted((a, b) => roomOf(b) - roomOf(a))
    : [];
  const free = [...idle.filter(isWhole), ...idle.filter((gpu) => !isWhole(gpu)), ...shared];
  return { free, chosen: free.length >= needed ? free.slice(0, needed) : null };
}

/** MiB. */
const roomOf = ({ memoryTotal, memoryUsed }: Gpu): number => (memoryTotal ?? 0) - (memoryUsed ?? 0);

/** Deals chosen cards out to workers, `each` to one. */
export function dealGpus(
  workers: readonly number[],
  chosen: readonly Gpu[],
  each: number,
): ReadonlyMap<number, readonly Gpu[]> {
  return new Map(
    workers.map((worker, position) => [
      worker,
      chosen.slice(position * each, (position + 1) * each),
    ]),
  );
}
