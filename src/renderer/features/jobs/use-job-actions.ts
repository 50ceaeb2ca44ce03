import { useMutation } from '@tanstack/react-query';
import type { JobView } from '../../../shared/views.ts';
import { useNavigation } from '../../app/navigation.ts';
import { ask } from '../../client.ts';
import { useRetry, useStop, useUploadAgain } from './use-jobs.ts';

/** What the buttons of a job do, and the failure of the last one. */
export function useJobActions({ id }: JobView) {
  const stop = useStop(id);
  const retry = useRetry(id);
  const upload = useUploadAgain(id);
  const again = useRunAgain(id);
  return {
    stop,
    retry,
    'upload-again': upload,
    'run-again': again,
    error: stop.error ?? retry.error ?? upload.error ?? again.error,
  };
}

/** Opens the form of a new job as this one was filled. */
function useRunAgain(id: string) {
  const go = useNavigation((navigation) => navigation.go);
  return useMutation({
    mutationFn: () => ask('jobs-spec', { id }),
    onSuccess: (specYaml) => go({ screen: 'new-job', specYaml }),
  });
}
