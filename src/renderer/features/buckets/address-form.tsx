import { Button, TextInput, type TextInputProps } from '@mantine/core';
import type { SubmitEvent } from 'react';

interface AddressFormProps extends Pick<TextInputProps, 'autoFocus' | 'onFocus'> {
  readonly label: string;
  readonly text: string;
  readonly onText: (text: string) => void;
  readonly onOpen: () => void;
  /** It gets the focus of the dialog that it stands in. */
  readonly 'data-autofocus'?: true;
}

/** A field for an address in a bucket, and the button that opens it. */
export function AddressForm({ label, text, onText, onOpen, ...field }: AddressFormProps) {
  const submit = (event: SubmitEvent): void => {
    event.preventDefault();
    onOpen();
  };
  return (
    <form className="address-form" onSubmit={submit}>
      <TextInput
        {...field}
        size="xs"
        className="address-input"
        classNames={{ input: 'code' }}
        aria-label={label}
        placeholder="gs://bucket/path"
        value={text}
        maxLength={2_048}
        spellCheck={false}
        onChange={(event) => onText(event.currentTarget.value)}
      />
      <Button size="xs" type="submit" disabled={text.trim() === ''}>
        Open
      </Button>
    </form>
  );
}
