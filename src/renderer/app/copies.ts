import type { JobView } from '../../shared/views.ts';

/** What is copied now. */
export interface Copies {
  /** Transfers, and jobs that fetch or upload. */
  readonly count: number;
  readonly bytesPerSecond: number;
  /** Whether the list of transfers shows one of them. */
  readonly hasTransfer: boolean;
}

/** Told from the jobs. Pure. */
export function copiesOf(jobs: readonly JobView[]): Copies {
  const copying = jobs.filter(
    ({ state, agent }) => agent !== null && (state === 'staging' || state === 'uploading'),
  );
  return {
    count: copying.length,
    bytesPerSecond: copying.reduce((sum, { status }) => {
      const active = status.stages.find(({ state }) => state === 'active');
      return sum + (active?.progress?.bytesPerSecond ?? 0);
    }, 0),
    hasTransfer: copying.some(({ kind }) => kind === 'transfer'),
  };
}
