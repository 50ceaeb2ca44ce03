import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useEffect } from 'react';
import type { SampleStatus } from '../../../shared/ipc/sample.ts';
import { ask } from '../../client.ts';

const SAMPLE = ['sample'] as const;

/** What became of the sample data, and whether it is in use. */
export function useSample() {
  return useQuery({
    queryKey: SAMPLE,
    queryFn: () => ask('sample-status', {}),
    staleTime: Infinity,
  });
}

/** Keeps the status fresh; where the endpoints moved, all that was asked of the others is asked again. Once, at the window's root. */
export function useFreshSample(): void {
  const client = useQueryClient();
  useEffect(
    () =>
      window.trainyard.subscribe('sample-changed', (status) => {
        const before = client.getQueryData<SampleStatus>(SAMPLE);
        client.setQueryData(SAMPLE, status);
        if (before?.state !== status.state && status.state !== 'starting')
          void client.invalidateQueries({ predicate: ({ queryKey }) => queryKey[0] !== SAMPLE[0] });
      }),
    [client],
  );
}

/** A key that is taken in or goes changes what the sample can do. */
export function useSampleAgain(): () => void {
  const client = useQueryClient();
  return () => void client.invalidateQueries({ queryKey: SAMPLE });
}

export function useStartSample() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: () => ask('sample-start', {}),
    onSuccess: (status) => client.setQueryData(SAMPLE, status),
  });
}

export function useStopSample() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (remove: boolean) => ask('sample-stop', { remove }),
    onSuccess: (status) => client.setQueryData(SAMPLE, status),
  });
}
