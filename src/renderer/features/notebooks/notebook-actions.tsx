import { Button } from '@mantine/core';
import { useMutation } from '@tanstack/react-query';
import type { JobView } from '../../../shared/views.ts';
import { useNavigation } from '../../app/navigation.ts';
import { ask } from '../../client.ts';

/** What can be done with a notebook: its address stays in the main process. */
export function useNotebook(id: string) {
  const go = useNavigation((navigation) => navigation.go);
  const open = useMutation({
    mutationFn: (where: 'window' | 'browser') => ask('notebook-open', { id, where }),
  });
  const asJob = useMutation({
    mutationFn: () => ask('notebook-job', { id }),
    onSuccess: (specYaml) => go({ screen: 'new-job', specYaml }),
  });
  return { open, asJob, error: open.error ?? asJob.error };
}

interface NotebookActionsProps {
  readonly job: JobView;
  readonly notebook: ReturnType<typeof useNotebook>;
}

export function NotebookActions({ job, notebook: { open, asJob } }: NotebookActionsProps) {
  const canMakeJob = useNavigation((navigation) => navigation.screens.has('new-job'));
  if (job.kind !== 'notebook') return null;
  return (
    <>
      {job.status.notebook !== null && job.agent !== null && (
        <>
          <Button size="compact-sm" loading={open.isPending} onClick={() => open.mutate('window')}>
            Open
          </Button>
          <Button size="compact-sm" variant="default" onClick={() => open.mutate('browser')}>
            Open in the browser
          </Button>
        </>
      )}
      {canMakeJob && job.workers.some(({ starts }) => starts > 0) && (
        <Button
          size="compact-sm"
          variant="default"
          title="Opens the form of a new job, filled with the notebook's files, input, output and key"
          loading={asJob.isPending}
          onClick={() => asJob.mutate()}
        >
          Run as a job
        </Button>
      )}
    </>
  );
}
