import { Button, CopyButton } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import type { JobView } from '../../../../shared/views.ts';
import { ask, problemOf } from '../../../client.ts';
import { ProblemAlert } from '../../../common/problem-alert.tsx';

/** The job file of a job. */
export function SpecPanel({ job }: { readonly job: JobView }) {
  const { id } = job;
  // Frozen: asked for once.
  const spec = useQuery({
    queryKey: ['job-spec', id],
    queryFn: () => ask('jobs-spec', { id }),
    staleTime: Infinity,
  });
  if (spec.isError) return <ProblemAlert {...problemOf(spec.error)} />;
  return (
    <div className="spec">
      <div className="spec-bar">
        <span className="dimmed">
          {job.kind === 'transfer'
            ? 'What the transfer was asked to do'
            : 'The job file it was started with, paths as they were understood'}
        </span>
        <CopyButton value={spec.data ?? ''} timeout={1_500}>
          {({ copied, copy }) => (
            <Button size="compact-xs" variant="default" onClick={copy}>
              {copied ? 'Copied' : 'Copy'}
            </Button>
          )}
        </CopyButton>
      </div>
      <pre tabIndex={0} role="region" aria-label="Job file">
        {spec.data ?? ''}
      </pre>
    </div>
  );
}
