import { Button } from '@mantine/core';
import type { SampleStatus } from '../../../shared/ipc/sample.ts';
import { problemOf } from '../../client.ts';
import './sample.css';
import { StopSample } from './stop-sample.tsx';
import { useStartSample } from './use-sample.ts';

/** Over everything while the sample data is in use: what is emulated, and the way back. */
export function SampleBanner({
  status,
}: {
  readonly status: Extract<SampleStatus, { state: 'on' | 'broken' }>;
}) {
  const start = useStartSample();
  const problem =
    start.error !== null
      ? problemOf(start.error)
      : status.state === 'broken'
        ? status.problem
        : null;
  return (
    <div className="banner sample-banner" role="status">
      <span className="wrap">
        <strong>Sample data: an emulated Google Cloud.</strong>{' '}
        {problem === null
          ? `Storage is at ${status.storage}: nothing comes from or goes to the real service.`
          : `${problem.message} ${problem.hint}`}
      </span>
      {status.state === 'broken' && (
        <Button
          size="compact-xs"
          variant="default"
          loading={start.isPending}
          onClick={() => start.mutate()}
        >
          Start it again
        </Button>
      )}
      <StopSample />
    </div>
  );
}
