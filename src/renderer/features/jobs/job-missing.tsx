import { Button, Loader, Text } from '@mantine/core';
import { useIsGone } from './use-asked-job.ts';

interface JobMissingProps {
  readonly id: string;
  /** What the way out is called. */
  readonly leave: string;
  readonly onLeave: () => void;
}

/** In place of a job that a link or a notification asked for and that is not in the list. */
export function JobMissing({ id, leave, onLeave }: JobMissingProps) {
  const isGone = useIsGone(id);
  return (
    <div className="centre">
      {isGone === true ? (
        <div className="centre-box" role="alert" aria-labelledby="job-missing">
          <Text size="lg" fw={600} id="job-missing">
            This job is not here
          </Text>
          <Text size="md" className="wrap" my={6}>
            No job of this machine has the ID <span className="code">{id}</span>. It may have been
            removed, or belong to another machine or home folder.
          </Text>
          <Button size="xs" variant="default" onClick={onLeave}>
            {leave}
          </Button>
        </div>
      ) : (
        <Loader size="sm" aria-label="The job is being looked for" />
      )}
    </div>
  );
}
