import { Button } from '@mantine/core';
import type { ClipboardEvent, KeyboardEvent } from 'react';
import { useFieldArray, useFormContext } from 'react-hook-form';
import { MAX_WORKERS } from '../../../shared/job-spec.ts';
import { IconButton, RemarkText, useRemark, type TextPath } from './fields.tsx';
import type { JobForm } from './form-model.ts';
import { splitCommands, splitVariables } from './form-text.ts';

interface RowTextProps {
  readonly field: TextPath;
  readonly label: string;
  readonly placeholder?: string;
  readonly onPaste?: (event: ClipboardEvent<HTMLTextAreaElement>) => void;
  readonly onKeyDown?: (event: KeyboardEvent<HTMLTextAreaElement>) => void;
}

/** One line that grows with its text. */
export function RowText({ field, label, placeholder, onPaste, onKeyDown }: RowTextProps) {
  const { register } = useFormContext<JobForm>();
  const { attributes } = useRemark(field);
  return (
    <textarea
      rows={1}
      className="nj-text"
      data-code
      aria-label={label}
      placeholder={placeholder}
      spellCheck={false}
      onPaste={onPaste}
      onKeyDown={onKeyDown}
      {...attributes}
      {...register(field)}
    />
  );
}

/** Whether the text box is all selected or empty: then what is pasted takes its place. */
const isReplaced = (box: HTMLTextAreaElement): boolean =>
  box.selectionStart === 0 && box.selectionEnd === box.value.length;

/** A command for each worker. */
export function WorkerRows() {
  const { control, setFocus, setValue, getValues } = useFormContext<JobForm>();
  const { fields, insert, remove, move, append } = useFieldArray({ control, name: 'workers' });
  const isFull = fields.length >= MAX_WORKERS;
  // Once the rows are drawn again.
  const focus = (index: number) => setTimeout(() => setFocus(`workers.${index}.command`));

  const paste = (index: number, event: ClipboardEvent<HTMLTextAreaElement>) => {
    const commands = splitCommands(event.clipboardData.getData('text/plain'));
    if (commands.length < 2) return;
    event.preventDefault();
    const box = event.currentTarget;
    const room = MAX_WORKERS - fields.length;
    if (isReplaced(box)) {
      const [first = '', ...rest] = commands;
      setValue(`workers.${index}.command`, first, { shouldTouch: true });
      insert(
        index + 1,
        rest.slice(0, room).map((command) => ({ command })),
      );
    } else
      insert(
        index + 1,
        commands.slice(0, room).map((command) => ({ command })),
      );
  };

  const press = (index: number, event: KeyboardEvent<HTMLTextAreaElement>) => {
    if (event.nativeEvent.isComposing) return;
    const plain = !event.ctrlKey && !event.metaKey && !event.shiftKey;
    if (event.key === 'Enter' && plain && !event.altKey && !isFull) {
      event.preventDefault();
      insert(index + 1, { command: '' });
    } else if (event.altKey && plain && (event.key === 'ArrowUp' || event.key === 'ArrowDown')) {
      event.preventDefault();
      const to = index + (event.key === 'ArrowUp' ? -1 : 1);
      if (to < 0 || to >= fields.length) return;
      move(index, to);
      focus(to);
    } else if (
      event.key === 'Backspace' &&
      fields.length > 1 &&
      getValues(`workers.${index}.command`) === ''
    ) {
      event.preventDefault();
      remove(index);
      focus(Math.max(0, index - 1));
    }
  };

  return (
    <>
      <ol className="nj-rows" aria-label="Workers">
        {fields.map((row, index) => (
          <li key={row.id}>
            <span className="nj-number" aria-hidden>
              {index}
            </span>
            <div className="nj-grow">
              <RowText
                field={`workers.${index}.command`}
                label={`Command of worker ${index}`}
                placeholder="python train.py --data $TRAINYARD_DATA_PATH"
                onPaste={(event) => paste(index, event)}
                onKeyDown={(event) => press(index, event)}
              />
              <RemarkText field={`workers.${index}.command`} />
            </div>
            {fields.length > 1 && (
              <>
                <IconButton
                  label={`Move worker ${index} up`}
                  sign="↑"
                  disabled={index === 0}
                  onClick={() => move(index, index - 1)}
                />
                <IconButton
                  label={`Move worker ${index} down`}
                  sign="↓"
                  disabled={index === fields.length - 1}
                  onClick={() => move(index, index + 1)}
                />
                <IconButton
                  label={`Remove worker ${index}`}
                  sign="✕"
                  onClick={() => remove(index)}
                />
              </>
            )}
          </li>
        ))}
      </ol>
      <div className="nj-line">
        <Button
          size="compact-xs"
          variant="default"
          disabled={isFull}
          onClick={() => append({ command: '' })}
        >
          Add a worker
        </Button>
        <span className="nj-about">
          Enter adds one, Alt and an arrow moves it, several pasted lines become several workers.
        </span>
      </div>
    </>
  );
}

/** Variables for setup and workers. */
export function EnvironmentRows() {
  const { control, setValue } = useFormContext<JobForm>();
  const { fields, append, remove, insert } = useFieldArray({ control, name: 'env' });

  const paste = (index: number, event: ClipboardEvent<HTMLTextAreaElement>) => {
    const text = event.clipboardData.getData('text/plain');
    if (!isReplaced(event.currentTarget) || !text.includes('=')) return;
    const [first, ...rest] = splitVariables(text);
    if (first === undefined) return;
    event.preventDefault();
    setValue(`env.${index}.name`, first.name, { shouldTouch: true });
    setValue(`env.${index}.value`, first.value, { shouldTouch: true });
    if (rest.length > 0) insert(index + 1, [...rest]);
  };
  const press = (event: KeyboardEvent<HTMLTextAreaElement>) => {
    // A name is one line.
    if (event.key === 'Enter') event.preventDefault();
  };

  return (
    <>
      {fields.length > 0 && (
        <ul className="nj-rows" aria-label="Environment">
          {fields.map((row, index) => (
            <li key={row.id}>
              <div className="nj-grow">
                <div className="nj-pair">
                  <RowText
                    field={`env.${index}.name`}
                    label={`Name of variable ${index + 1}`}
                    placeholder="NAME"
                    onPaste={(event) => paste(index, event)}
                    onKeyDown={press}
                  />
                  <span aria-hidden>=</span>
                  <RowText
                    field={`env.${index}.value`}
                    label={`Value of variable ${index + 1}`}
                    placeholder="value"
                  />
                </div>
                <RemarkText field={`env.${index}.name`} />
              </div>
              <IconButton
                label={`Remove variable ${index + 1}`}
                sign="✕"
                onClick={() => remove(index)}
              />
            </li>
          ))}
        </ul>
      )}
      <div className="nj-line">
        <Button size="compact-xs" variant="default" onClick={() => append({ name: '', value: '' })}>
          Add a variable
        </Button>
        <span className="nj-about">Pasted NAME=VALUE lines become several.</span>
      </div>
    </>
  );
}
