import { Button } from '@mantine/core';
import type { Problem } from '../../../shared/problem.ts';

/** Where a start was held back to ask: its access cannot be narrowed to the job. It is asked once for each key and bucket. */
export function StartAllTheSame(props: {
  readonly problem: Problem;
  readonly pending: boolean;
  readonly onStart: () => void;
}) {
  if (props.problem.code !== 'access.not-narrowed') return null;
  return (
    <Button size="compact-sm" variant="default" loading={props.pending} onClick={props.onStart}>
      Start all the same
    </Button>
  );
}
