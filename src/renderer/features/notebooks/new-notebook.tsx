import { Button, Group, Modal, NativeSelect, NumberInput, Stack, TextInput } from '@mantine/core';
import { useMutation, useQuery } from '@tanstack/react-query';
import { useState, type ReactNode } from 'react';
import type { WorkerKeyMode } from '../../../shared/job-spec.ts';
import type { NotebookRequest } from '../../../shared/notebook.ts';
import { useNavigation } from '../../app/navigation.ts';
import { ask, problemOf } from '../../client.ts';
import { keyLabel } from '../../common/key-label.ts';
import { ProblemAlert } from '../../common/problem-alert.tsx';
import { ConfirmRefused } from '../access/power.tsx';
import { StartAllTheSame } from '../access/start-all-the-same.tsx';
import { useNewNotebook } from './new-notebook-store.ts';

const MODES: readonly { readonly value: WorkerKeyMode; readonly label: string }[] = [
  { value: 'token', label: 'Access to its input and output' },
  { value: 'account-token', label: 'Access to all that the account may do' },
  { value: 'key-file', label: 'The whole key, as a file' },
];

interface Filled {
  readonly name: string;
  readonly key: string;
  readonly mode: WorkerKeyMode;
  readonly input: string;
  readonly output: string;
  readonly code: string;
  readonly gpus: number;
}

const EMPTY: Filled = {
  name: 'notebook',
  key: '',
  mode: 'token',
  input: '',
  output: '',
  code: '',
  gpus: 0,
};

/** Pure. */
function requestOf(filled: Filled): NotebookRequest {
  const orNull = (text: string): string | null => (text.trim() === '' ? null : text.trim());
  return {
    name: filled.name.trim(),
    host: 'local',
    key: orNull(filled.key),
    mode: filled.mode,
    input: orNull(filled.input),
    output: orNull(filled.output),
    code: orNull(filled.code),
    gpus: filled.gpus,
  };
}

/** The button, and the form that it opens. */
export function NewNotebook({ size = 'compact-sm' }: { readonly size?: 'compact-sm' | 'xs' }) {
  const opened = useNewNotebook((store) => store.opened);
  const setOpened = (wanted: boolean) => useNewNotebook.setState({ opened: wanted });
  return (
    <>
      <Button size={size} variant="default" onClick={() => setOpened(true)}>
        New notebook
      </Button>
      <Modal
        opened={opened}
        onClose={() => setOpened(false)}
        title="New notebook"
        closeButtonProps={{ 'aria-label': 'Close' }}
        size="lg"
        centered
      >
        <NotebookForm onDone={() => setOpened(false)} />
      </Modal>
    </>
  );
}

function NotebookForm({ onDone }: { readonly onDone: () => void }) {
  const [filled, setFilled] = useState(EMPTY);
  const go = useNavigation((navigation) => navigation.go);
  const keys = useQuery({ queryKey: ['new-job-keys'], queryFn: () => ask('new-job-keys', {}) });
  const start = useMutation({
    mutationFn: ({ acceptWhole = false }: { readonly acceptWhole?: boolean }) =>
      ask('notebook-start', { ...requestOf(filled), acceptWhole }),
    onSuccess: ({ id }) => {
      onDone();
      go({ screen: 'jobs', job: id });
    },
  });
  const set = (change: Partial<Filled>) => setFilled((before) => ({ ...before, ...change }));
  return (
    <>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          if (!start.isPending) start.mutate({});
        }}
      >
        <Stack gap="xs">
          <TextInput
            size="xs"
            label="Name"
            value={filled.name}
            data-autofocus
            onChange={({ currentTarget }) => set({ name: currentTarget.value })}
          />
          <NativeSelect
            size="xs"
            label="Key"
            description="For input and output, and for what runs in the notebook"
            value={filled.key}
            data={[
              { value: '', label: 'None: public buckets' },
              ...(keys.data ?? []).map((key) => ({ value: key.name, label: keyLabel(key) })),
            ]}
            onChange={({ currentTarget }) => set({ key: currentTarget.value })}
          />
          {filled.key !== '' && (
            <NativeSelect
              size="xs"
              label="What runs in it gets"
              value={filled.mode}
              data={[...MODES]}
              onChange={({ currentTarget }) =>
                set({
                  mode: MODES.find(({ value }) => value === currentTarget.value)?.value ?? 'token',
                })
              }
            />
          )}
          <TextInput
            size="xs"
            label="Input"
            description="What lies in TRAINYARD_DATA_PATH"
            placeholder="gs://bucket/data or a folder"
            value={filled.input}
            onChange={({ currentTarget }) => set({ input: currentTarget.value })}
          />
          <TextInput
            size="xs"
            label="Output"
            description="Where TRAINYARD_OUTPUT_PATH goes when the notebook is stopped"
            placeholder="gs://bucket/results"
            value={filled.output}
            onChange={({ currentTarget }) => set({ output: currentTarget.value })}
          />
          <Folder value={filled.code} onChange={(code) => set({ code })}>
            <NumberInput
              size="xs"
              label="GPUs"
              w={90}
              min={0}
              max={64}
              allowDecimal={false}
              value={filled.gpus}
              onChange={(value) => set({ gpus: Number(value) })}
            />
          </Folder>
          {start.error !== null && <ProblemAlert {...problemOf(start.error)} />}
          <Group justify="flex-end" gap="xs" mt="xs">
            <Button size="xs" variant="default" onClick={onDone}>
              Cancel
            </Button>
            <Button size="xs" type="submit" loading={start.isPending}>
              Start the notebook
            </Button>
          </Group>
        </Stack>
      </form>
      {start.error !== null && (
        <>
          <ConfirmRefused problem={problemOf(start.error)} onConfirmed={() => start.reset()} />
          <StartAllTheSame
            problem={problemOf(start.error)}
            pending={start.isPending}
            onStart={() => start.mutate({ acceptWhole: true })}
          />
        </>
      )}
    </>
  );
}

interface FolderProps {
  readonly value: string;
  readonly onChange: (path: string) => void;
  readonly children: ReactNode;
}

function Folder({ value, onChange, children }: FolderProps) {
  const pick = useMutation({
    mutationFn: () => ask('new-job-pick-folder', { purpose: 'code' }),
    onSuccess: (chosen) => {
      if (chosen !== null) onChange(chosen);
    },
  });
  return (
    <Group gap="xs" align="end" wrap="nowrap">
      <TextInput
        size="xs"
        label="Files"
        description="A folder, of which it works in a copy"
        placeholder="Begins with an empty folder"
        flex={1}
        value={value}
        onChange={({ currentTarget }) => onChange(currentTarget.value)}
      />
      <Button size="xs" variant="default" onClick={() => pick.mutate()}>
        Choose…
      </Button>
      {children}
    </Group>
  );
}
