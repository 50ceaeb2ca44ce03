import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useEffect, useLayoutEffect, useRef } from 'react';
import type { JobView } from '../../../shared/views.ts';
import { useNavigation } from '../../app/navigation.ts';
import { ask } from '../../client.ts';
import { withChanges } from './job-view-model.ts';
import { useJobsToCome } from './load-jobs.ts';
import { JOBS } from './use-jobs.ts';
import { useView } from './view-store.ts';

/** A job that was just started is among the newest. */
const NEWEST = 50;

/** Another screen, a notification or a link may have asked for a job: it is chosen before anything else is drawn. */
export function useAskedJob(): void {
  const place = useNavigation((navigation) => navigation.place);
  const select = useView((view) => view.select);
  useLayoutEffect(() => {
    if (place.screen === 'jobs' && place.job !== undefined) select(place.job);
  }, [place, select]);
}

/** Calls back once for each job that was asked for, when it is there and the list does not show it. */
export function useHiddenAskedJob(
  jobs: readonly JobView[],
  shown: readonly JobView[],
  onHidden: () => void,
): void {
  const place = useNavigation((navigation) => navigation.place);
  const answered = useRef<unknown>(null);
  useEffect(() => {
    if (place.screen !== 'jobs' || place.job === undefined || answered.current === place) return;
    const is = ({ id }: JobView) => id === place.job;
    if (!jobs.some(is)) return;
    answered.current = place;
    if (!shown.some(is)) onHidden();
  });
}

/** Whether a job that is chosen and not in the list is not there at all; undefined while that is looked for. */
export function useIsGone(id: string): boolean | undefined {
  const client = useQueryClient();
  const isReading = useJobsToCome(({ count }) => count > 0);
  const look = useQuery({
    queryKey: ['job-there', id],
    queryFn: async () => {
      const { jobs } = await ask('jobs-page', { before: null, limit: NEWEST });
      client.setQueryData<readonly JobView[]>(JOBS, (known) =>
        known === undefined ? known : withChanges(known, jobs),
      );
      return jobs.some((job) => job.id === id);
    },
    gcTime: 0,
  });
  if (isReading || look.isPending) return undefined;
  return look.data !== true;
}
