import type { Gpu } from '../../shared/gpu.ts';

export interface Assignment {
  /** Cards that nobody computes on and nobody has locked. */
  readonly free: readonly Gpu[];
  /** Enough of them for what is needed, or null. */
  readonly chosen: readonly Gpu[] | null;
}

/**
 * Chooses cards. Free is a card on which no process computes, that nobody has locked (`taken`) and that needs no reset. Of the free ones the first in nvidia-smi's order are
 * taken, so that jobs fill a machine card by card.
 */
export function assignGpus(
  gpus: readonly Gpu[],
  needed: number,
  taken: Pick<ReadonlySet<string>, 'has'>,
): Assignment {
  const free = gpus.filter(
    (gpu) => !taken.has(gpu.uuid) && gpu.processes.length === 0 && gpu.needsReset !== true,
  );
  return { free, chosen: free.length >= needed ? free.slice(0, needed) : null };
}

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
