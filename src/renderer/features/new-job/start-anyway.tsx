import { Button, Group, Modal, Text } from '@mantine/core';
import { useNavigation } from '../../app/navigation.ts';
import type { Check } from './checks.ts';

/** What a check found already and a start would run into only at its end; null: nothing. Pure. */
export const knownRefusal = (checks: readonly Check[]): Check | null =>
  checks.find(
    ({ field, finding, access }) =>
      field === 'output.gcs' && finding?.state === 'problem' && access?.verdict === 'fail',
  ) ?? null;

interface StartAnywayProps {
  /** Null: closed. */
  readonly refused: Check | null;
  readonly onStart: () => void;
  readonly onClose: () => void;
}

/** Asks before hours of work whose results have nowhere to go. */
export function StartAnyway({ refused, onStart, onClose }: StartAnywayProps) {
  const go = useNavigation((navigation) => navigation.go);
  const access = refused?.access;
  return (
    <Modal
      opened={refused !== null}
      onClose={onClose}
      title="The output will be refused"
      closeButtonProps={{ 'aria-label': 'Close' }}
      centered
    >
      <Text size="md" mb="xs" className="wrap">
        {refused?.finding?.message}
      </Text>
      <Text size="md" mb="md">
        The job can run, and its results stay on this machine. Once access is granted, upload them
        from the job.
      </Text>
      <Group justify="flex-end" gap="xs">
        <Button size="xs" variant="default" onClick={onClose}>
          Cancel
        </Button>
        <Button size="xs" variant="default" onClick={onStart}>
          Start anyway
        </Button>
        <Button
          size="xs"
          data-autofocus
          onClick={() =>
            go({
              screen: 'access',
              ...(access === undefined
                ? {}
                : {
                    [access.for]: access.address,
                    ...(access.account === null ? {} : { key: access.account }),
                  }),
            })
          }
        >
          Ask for access…
        </Button>
      </Group>
    </Modal>
  );
}
