import { Button, Checkbox, Group, Modal, Text } from '@mantine/core';
import { useState } from 'react';
import { problemOf } from '../../client.ts';
import { ProblemAlert } from '../../common/problem-alert.tsx';
import { useStopSample } from './use-sample.ts';

/** Asks before the sample data goes, and says what stays. */
export function StopSample() {
  const [asks, setAsks] = useState(false);
  const [removes, setRemoves] = useState(true);
  const stop = useStopSample();
  const close = () => {
    setAsks(false);
    stop.reset();
  };
  return (
    <>
      <Button size="compact-xs" variant="default" onClick={() => setAsks(true)}>
        Stop using sample data…
      </Button>
      <Modal
        opened={asks}
        onClose={close}
        title="Stop using sample data?"
        closeButtonProps={{ 'aria-label': 'Close' }}
        centered
      >
        <Text size="md" mb="xs">
          The emulated Google ends, and Trainyard works with the real one again. Jobs that ran with
          it stay in the list with their logs and files; they cannot be retried without it.
        </Text>
        <Checkbox
          size="xs"
          mb="xs"
          label="Delete its buckets and remove its key, too"
          description={
            removes
              ? 'Nothing of it is left but the jobs.'
              : 'Both are there again when you use sample data the next time.'
          }
          checked={removes}
          onChange={(event) => setRemoves(event.currentTarget.checked)}
        />
        {stop.error !== null && <ProblemAlert {...problemOf(stop.error)} />}
        <Group justify="flex-end" gap="xs" mt="md">
          <Button size="xs" variant="default" onClick={close}>
            Go on with it
          </Button>
          <Button
            size="xs"
            loading={stop.isPending}
            onClick={() => stop.mutate(removes, { onSuccess: close })}
          >
            Stop using it
          </Button>
        </Group>
      </Modal>
    </>
  );
}
