import {
  queryOptions,
  useMutation,
  useQuery,
  useQueryClient,
  type QueryClient,
} from '@tanstack/react-query';
import type { JobView } from '../../../shared/views.ts';
import { ask } from '../../client.ts';
import { loadTheRest } from '../../common/lazily.ts';
import { withChanges } from './job-view-model.ts';
import { loadJobs } from './load-jobs.ts';

export const JOBS = ['jobs'] as const;

const jobsQuery = (client: QueryClient) =>
  queryOptions({
    queryKey: JOBS,
    queryFn: () => loadJobs(client, JOBS),
    staleTime: Infinity,
  });

/**
 * Asks for the jobs before anything is drawn, and keeps their list up to date by the main process's events, whichever screen is shown: called once,
 * at the page's start.
 */
export function keepJobs(client: QueryClient): void {
  window.trainyard.subscribe('jobs-changed', ({ jobs }) => {
    const known = client.getQueryData<readonly JobView[]>(JOBS);
    if (known !== undefined) client.setQueryData(JOBS, withChanges(known, jobs));
    // What is on its way may have been read before.
    else void first.then(() => client.invalidateQueries({ queryKey: JOBS }));
  });
  window.trainyard.subscribe('jobs-gone', () => void client.invalidateQueries({ queryKey: JOBS }));
  const first = client.query(jobsQuery(client)).catch(() => undefined);
  void first.finally(loadTheRest);
}

/** All jobs, newest first; of many the older ones come after the newest. */
export function useJobs() {
  return useQuery(jobsQuery(useQueryClient()));
}

export function useStop(id: string) {
  return useMutation({ mutationFn: () => ask('jobs-stop', { id }) });
}

export function useRetry(id: string) {
  return useMutation({ mutationFn: () => ask('jobs-retry', { id }) });
}

export function useUploadAgain(id: string) {
  return useMutation({ mutationFn: () => ask('jobs-upload-again', { id }) });
}
