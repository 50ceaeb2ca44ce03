import { Button, Group, Modal, Text, TextInput } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { jobNameSchema } from '../../../shared/job-spec.ts';
import { ask, problemOf } from '../../client.ts';
import { ProblemAlert } from '../../common/problem-alert.tsx';

interface TemplatesDialogProps {
  readonly opened: boolean;
  readonly onClose: () => void;
  /** What a template made now would hold, and the name it would have. */
  readonly current: { readonly name: string; readonly text: string };
  readonly onUse: (name: string, text: string) => void;
}

/** Job files under names: take one into the form, keep the form as one. */
export function TemplatesDialog({ opened, onClose, current, onUse }: TemplatesDialogProps) {
  return (
    <Modal
      opened={opened}
      onClose={onClose}
      title="Templates"
      closeButtonProps={{ 'aria-label': 'Close' }}
      centered
    >
      <Templates onClose={onClose} current={current} onUse={onUse} />
    </Modal>
  );
}

const NAMES = ['new-job-templates'] as const;

function Templates({ onClose, current, onUse }: Omit<TemplatesDialogProps, 'opened'>) {
  const client = useQueryClient();
  const names = useQuery({ queryKey: NAMES, queryFn: () => ask('new-job-templates', {}) });
  const [name, setName] = useState(current.name);
  const refresh = () => client.invalidateQueries({ queryKey: NAMES });
  const take = useMutation({
    mutationFn: async (one: string) => ({
      one,
      text: await ask('new-job-template', { name: one }),
    }),
    onSuccess: ({ one, text }) => {
      onUse(one, text);
      onClose();
    },
  });
  const save = useMutation({
    mutationFn: () => ask('new-job-save-template', { name, text: current.text }),
    onSuccess: refresh,
  });
  const remove = useMutation({
    mutationFn: (one: string) => ask('new-job-remove-template', { name: one }),
    onSuccess: refresh,
  });
  const failure = take.error ?? save.error ?? remove.error ?? names.error;
  const known = names.data ?? [];
  const isName = jobNameSchema.safeParse(name).success;
  return (
    <>
      {failure !== null && <ProblemAlert {...problemOf(failure)} />}
      {names.isSuccess && known.length === 0 && (
        <Text size="md" c="dimmed" mb="sm">
          None yet. Keep what the form holds under a name, and take it from here next time.
        </Text>
      )}
      <ul className="nj-templates">
        {known.map((one) => (
          <li key={one}>
            <span title={one}>{one}</span>
            <Button
              size="compact-xs"
              variant="default"
              aria-label={`Use ${one}`}
              onClick={() => take.mutate(one)}
            >
              Use
            </Button>
            <Button
              size="compact-xs"
              variant="default"
              aria-label={`Remove ${one}`}
              onClick={() => remove.mutate(one)}
            >
              Remove
            </Button>
          </li>
        ))}
      </ul>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          if (isName) save.mutate();
        }}
      >
        <Group align="flex-end" gap="xs" wrap="nowrap">
          <TextInput
            size="xs"
            style={{ flex: 1 }}
            label="Keep the form as"
            value={name}
            maxLength={63}
            error={name !== '' && !isName ? 'Letters, digits, ".", "_" and "-".' : undefined}
            onChange={(event) => {
              save.reset();
              setName(event.currentTarget.value);
            }}
          />
          <Button size="xs" type="submit" disabled={!isName} loading={save.isPending}>
            {known.includes(name) ? 'Replace' : 'Save'}
          </Button>
        </Group>
      </form>
      <p className="nj-about" role="status">
        {save.isSuccess ? `Kept as ${name}.` : 'Values of variables are kept, too, as plain text.'}
      </p>
    </>
  );
}
