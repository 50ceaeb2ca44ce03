import { Button, Group, Modal, Text } from '@mantine/core';
import { useEffect } from 'react';
import type { JobView } from '../../../shared/views.ts';
import { useNavigation } from '../../app/navigation.ts';
import { NotebookActions, type useNotebook } from '../notebooks/notebook-actions.tsx';
import { actionsOf, type JobAction } from './job-actions-model.ts';
import type { useJobActions } from './use-job-actions.ts';
import { useView } from './view-store.ts';

const TITLES: Readonly<Partial<Record<JobAction, string>>> = {
  'upload-again': 'Uploads what the bucket lacks of the output. No worker runs',
};

interface JobActionsProps {
  readonly job: JobView;
  readonly actions: ReturnType<typeof useJobActions>;
  readonly notebook: ReturnType<typeof useNotebook>;
}

/** The buttons of a job. What the palette asked for is done as if its button had been pressed. */
export function JobActions({ job, actions, notebook }: JobActionsProps) {
  const canFill = useNavigation((navigation) => navigation.screens.has('new-job'));
  const offered = actionsOf(job, canFill);
  const asksToStop = useView((view) => view.stopping === job.id);
  const askToStop = useView((view) => view.askToStop);
  const press = (action: JobAction) => {
    // A transfer that is paused goes on where it was: nothing to ask about.
    if (action === 'stop' && job.kind !== 'transfer') askToStop(job.id);
    else actions[action].mutate();
  };
  const asked = useView((view) => view.asked);
  const askFor = useView((view) => view.askFor);
  useEffect(() => {
    if (asked?.job !== job.id) return;
    askFor(null);
    if (offered.some(({ action }) => action === asked.action)) press(asked.action);
  });

  const button = ({ action, label }: (typeof offered)[number]) => (
    <Button
      key={action}
      size="compact-sm"
      {...(action === 'retry' ? {} : { variant: action === 'stop' ? 'outline' : 'default' })}
      {...(action === 'stop' && job.kind !== 'transfer' ? { color: 'red' } : {})}
      title={TITLES[action]}
      loading={actions[action].isPending}
      onClick={() => press(action)}
    >
      {label}
    </Button>
  );
  return (
    <Group gap="xs" className="detail-actions">
      {offered.filter(({ action }) => action !== 'stop').map(button)}
      <NotebookActions job={job} notebook={notebook} />
      {offered.filter(({ action }) => action === 'stop').map(button)}
      <StopQuestion
        job={job}
        opened={asksToStop && offered.some(({ action }) => action === 'stop')}
        onClose={() => askToStop(null)}
        onStop={() => {
          askToStop(null);
          actions.stop.mutate();
        }}
      />
    </Group>
  );
}

interface StopQuestionProps {
  readonly job: JobView;
  readonly opened: boolean;
  readonly onClose: () => void;
  readonly onStop: () => void;
}

function StopQuestion({ job, opened, onClose, onStop }: StopQuestionProps) {
  const isNotebook = job.kind === 'notebook';
  return (
    <Modal
      opened={opened}
      onClose={onClose}
      title={`Stop ${job.name}?`}
      closeButtonProps={{ 'aria-label': 'Close' }}
      centered
    >
      <Text size="md" mb="md">
        {isNotebook
          ? 'Save what is open in it first: Jupyter and all its kernels end. Its files are kept, and its output is uploaded where it has an address.'
          : 'Its workers are asked to end, and ended after a grace time. What they produced is kept, and uploaded where the job has an output.'}
      </Text>
      <Group justify="flex-end" gap="xs">
        <Button size="xs" variant="default" onClick={onClose}>
          Let it run
        </Button>
        <Button size="xs" color="red" onClick={onStop}>
          {isNotebook ? 'Stop the notebook' : 'Stop the job'}
        </Button>
      </Group>
    </Modal>
  );
}
