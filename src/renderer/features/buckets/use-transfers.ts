import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useEffect, useMemo } from 'react';
import type { JobView } from '../../../shared/views.ts';
import { ask } from '../../client.ts';
import { useJobs } from '../jobs/use-jobs.ts';
import { withTransfers } from './transfer-words.ts';

const TRANSFERS = ['transfers'] as const;

/** A transfer that was just started is among the newest runs. */
const NEWEST = 50;

/** The runs that are transfers, newest first, kept up to date by the main process's events. */
export function useTransfers() {
  const client = useQueryClient();
  useEffect(() => {
    const stopChanges = window.trainyard.subscribe('jobs-changed', ({ jobs }) => {
      const known = client.getQueryData<readonly JobView[]>(TRANSFERS);
      if (known !== undefined) client.setQueryData(TRANSFERS, withTransfers(known, jobs));
    });
    const stopGone = window.trainyard.subscribe(
      'jobs-gone',
      () => void client.invalidateQueries({ queryKey: TRANSFERS }),
    );
    return () => {
      stopChanges();
      stopGone();
    };
  }, [client]);
  const newest = useQuery({
    queryKey: TRANSFERS,
    queryFn: async () => {
      const { jobs } = await ask('jobs-page', { before: null, limit: NEWEST });
      return withTransfers([], jobs);
    },
    refetchOnMount: 'always',
  });
  const { data: all } = useJobs();
  const data = useMemo(
    () => (newest.data === undefined ? undefined : withTransfers(newest.data, all ?? [])),
    [newest.data, all],
  );
  return { data, error: newest.error, isError: newest.isError };
}

export function useTransferActions() {
  const client = useQueryClient();
  const onSettled = () => client.invalidateQueries({ queryKey: TRANSFERS, exact: true });
  return {
    pause: useMutation({ mutationFn: (id: string) => ask('jobs-stop', { id }), onSettled }),
    goOn: useMutation({ mutationFn: (id: string) => ask('jobs-retry', { id }), onSettled }),
  };
}

interface From {
  readonly address: string;
  readonly key: string | null;
}

/** The ways in which a transfer begins; each answers with the runs started. */
export function useStartTransfer() {
  const client = useQueryClient();
  const onSettled = () => client.invalidateQueries({ queryKey: TRANSFERS, exact: true });
  return {
    download: useMutation({
      mutationFn: (from: From & { readonly what: 'folder' | 'object' }) =>
        ask('buckets-download', from),
      onSettled,
    }),
    pickUpload: useMutation({
      mutationFn: (to: From & { readonly what: 'files' | 'folders' }) =>
        ask('buckets-pick-upload', to),
      onSettled,
    }),
    upload: useMutation({
      mutationFn: (to: From & { readonly paths: string[] }) => ask('buckets-upload', to),
      onSettled,
    }),
  };
}
