import { useMutation, useQuery, useQueryClient, type QueryClient } from '@tanstack/react-query';
import { useEffect } from 'react';
import type { JobView } from '../../../shared/views.ts';
import { ask } from '../../client.ts';
import { withChanges } from './job-view-model.ts';
import { loadJobs } from './load-jobs.ts';

const JOBS = ['jobs'] as const;

/** Keeps the list of jobs up to date by the main process's events, whichever screen is shown: used once, by the window's frame. */
export function useFreshJobs(): void {
  const client = useQueryClient();
  useEffect(() => keepJobsFresh(client), [client]);
}

/** All jobs, newest first; of many the older ones come after the newest. */
export function useJobs() {
  const client = useQueryClient();
  return useQuery({
    queryKey: JOBS,
    queryFn: () => loadJobs(client, JOBS),
    staleTime: Infinity,
  });
}

function keepJobsFresh(client: QueryClient): () => void {
  const stopChanges = window.trainyard.subscribe('jobs-changed', ({ jobs }) => {
    const known = client.getQueryData<readonly JobView[]>(JOBS);
    if (known === undefined) void client.invalidateQueries({ queryKey: JOBS });
    else client.setQueryData(JOBS, withChanges(known, jobs));
  });
  const stopGone = window.trainyard.subscribe(
    'jobs-gone',
    () => void client.invalidateQueries({ queryKey: JOBS }),
  );
  return () => {
    stopChanges();
    stopGone();
  };
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
