import { Button } from '@mantine/core';
import { useMutation, useQuery } from '@tanstack/react-query';
import { useFormContext, useWatch } from 'react-hook-form';
import { ask } from '../../client.ts';
import { keyLabel } from '../../common/key-label.ts';
import { BucketPicker } from './bucket-picker.tsx';
import { ChoiceField, idOf, RemarkText, Row, TextField, type TextPath } from './fields.tsx';
import type { JobForm } from './form-model.ts';

/** The names of the keys there are. */
export function useKeys() {
  return useQuery({ queryKey: ['new-job-keys'], queryFn: () => ask('new-job-keys', {}) });
}

interface KeyFieldProps {
  readonly field: TextPath;
  /** What the empty choice says. */
  readonly none: string;
  readonly chosen: string;
}

export function KeyField({ field, none, chosen }: KeyFieldProps) {
  const keys = useKeys();
  const known = keys.data ?? [];
  const isKnown = chosen === '' || known.some(({ name }) => name === chosen);
  return (
    <ChoiceField
      field={field}
      choices={[
        { value: '', label: none },
        ...known.map((key) => ({ value: key.name, label: keyLabel(key) })),
        ...(isKnown
          ? []
          : [{ value: chosen, label: keys.isSuccess ? `${chosen} (not there)` : chosen }]),
      ]}
    />
  );
}

interface AddressRowProps {
  readonly side: 'code' | 'input' | 'output';
  readonly placeholder: string;
  readonly chosenKey: string;
}

/** A gs:// address and the key for it. */
export function AddressRows({ side, placeholder, chosenKey }: AddressRowProps) {
  const { control, setValue } = useFormContext<JobForm>();
  const address = useWatch({ control, name: `${side}.gcs` });
  return (
    <>
      <Row label="Address" field={`${side}.gcs`}>
        <div className="nj-line">
          <TextField field={`${side}.gcs`} placeholder={placeholder} code />
          <BucketPicker
            address={address}
            keyName={chosenKey}
            takesObjects={side !== 'output'}
            label={`Browse the bucket for the ${side}`}
            onPick={(chosen, key) => {
              setValue(`${side}.gcs`, chosen, { shouldTouch: true });
              if (key !== null) setValue(`${side}.key`, key, { shouldTouch: true });
            }}
          />
        </div>
      </Row>
      <Row label="Key" field={`${side}.key`}>
        <KeyField
          field={`${side}.key`}
          none={side === 'output' ? 'No key' : 'No key (public bucket)'}
          chosen={chosenKey}
        />
      </Row>
    </>
  );
}

interface FolderRowProps {
  readonly side: 'code' | 'input';
}

/** A folder of this machine, typed or picked. */
export function FolderRow({ side }: FolderRowProps) {
  const { setValue } = useFormContext<JobForm>();
  const field = `${side}.dir` as const;
  const pick = useMutation({
    mutationFn: () => ask('new-job-pick-folder', { purpose: side }),
    onSuccess: (chosen) => {
      if (chosen !== null) setValue(field, chosen, { shouldTouch: true, shouldDirty: true });
    },
  });
  return (
    <div className="nj-row">
      <label htmlFor={idOf(field)}>Folder</label>
      <div className="nj-control">
        <div className="nj-line">
          <TextField field={field} placeholder="/home/me/project" code />
          <Button
            size="compact-sm"
            h={28}
            style={{ flex: 'none' }}
            variant="default"
            loading={pick.isPending}
            onClick={() => pick.mutate()}
            aria-label={`Choose the folder of the ${side}`}
          >
            Choose…
          </Button>
        </div>
        <RemarkText field={field} />
      </div>
    </div>
  );
}
