import { Button } from '@mantine/core';
import { useMutation } from '@tanstack/react-query';
import { useNavigation } from '../../app/navigation.ts';
import { ask } from '../../client.ts';
import { formOf, specOf } from './form-model.ts';
import { writeJobFile } from './form-text.ts';

/** Fills the form of a new job with what a job was started with. */
export function RunAgainButton({ job }: { readonly job: string }) {
  const go = useNavigation((navigation) => navigation.go);
  const again = useMutation({
    mutationFn: () => ask('new-job-again', { id: job }),
    onSuccess: (spec) => go({ screen: 'new-job', specYaml: writeJobFile(specOf(formOf(spec))) }),
  });
  return (
    <Button
      size="compact-sm"
      variant="default"
      loading={again.isPending}
      title={again.isError ? again.error.message : undefined}
      onClick={() => again.mutate()}
    >
      {again.isError ? 'Cannot run again' : 'Run again with changes'}
    </Button>
  );
}
