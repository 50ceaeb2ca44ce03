import { Tooltip } from '@mantine/core';
import { createContext, use, useId, type ReactNode } from 'react';
import { useController, useFormContext, type FieldPathByValue } from 'react-hook-form';
import type { Finding } from './checks.ts';
import type { JobForm } from './form-model.ts';
import type { FieldName } from './form-problems.ts';

export type TextPath = FieldPathByValue<JobForm, string>;
type FlagPath = FieldPathByValue<JobForm, boolean>;

/** What is to be said beside a field; null: nothing. */
export const Remarks = createContext<(field: FieldName) => Finding | null>(() => null);

export const idOf = (field: FieldName): string => `new-job-${field.replaceAll('.', '-')}`;
const remarkIdOf = (field: FieldName): string => `${idOf(field)}-remark`;

/** What a control needs so that its remark is read with it. */
export function useRemark(field: FieldName) {
  const remark = use(Remarks)(field);
  return {
    remark,
    attributes: {
      id: idOf(field),
      'aria-invalid': remark?.state === 'problem' ? true : undefined,
      'aria-describedby': remark === null ? undefined : remarkIdOf(field),
    },
  };
}

export function RemarkText({ field }: { readonly field: FieldName }) {
  const remark = use(Remarks)(field);
  if (remark === null) return null;
  return (
    <p className="nj-remark" data-state={remark.state} id={remarkIdOf(field)}>
      <span aria-hidden>{remark.state === 'problem' ? '✕' : '!'}</span>
      <span>
        {remark.message}
        {remark.hint !== '' && <span className="nj-hint"> {remark.hint}</span>}
      </span>
    </p>
  );
}

interface SectionProps {
  readonly title: string;
  readonly about?: string;
  readonly children: ReactNode;
}

export function Section({ title, about, children }: SectionProps) {
  const id = useId();
  return (
    <section className="nj-section" aria-labelledby={id}>
      <h2 id={id}>{title}</h2>
      {about !== undefined && <p className="nj-about">{about}</p>}
      {children}
    </section>
  );
}

interface RowProps {
  readonly label: string;
  readonly field: FieldName;
  readonly children: ReactNode;
}

/** A label at the left, its control at the right, what is to be said below it. */
export function Row({ label, field, children }: RowProps) {
  return (
    <div className="nj-row">
      <label htmlFor={idOf(field)}>{label}</label>
      <div className="nj-control">
        {children}
        <RemarkText field={field} />
      </div>
    </div>
  );
}

interface TextFieldProps {
  readonly field: TextPath;
  readonly placeholder?: string;
  readonly code?: boolean;
  readonly width?: number;
  /** Where its row is not labelled by it alone. */
  readonly label?: string;
}

export function TextField({ field, placeholder, code = false, width, label }: TextFieldProps) {
  const { register } = useFormContext<JobForm>();
  const { attributes } = useRemark(field);
  return (
    <input
      className="nj-text"
      data-code={code}
      style={width === undefined ? undefined : { width }}
      placeholder={placeholder}
      spellCheck={false}
      autoComplete="off"
      aria-label={label}
      {...attributes}
      {...register(field)}
    />
  );
}

interface ChoiceFieldProps {
  readonly field: TextPath;
  readonly choices: readonly { readonly value: string; readonly label: string }[];
  /** Where its row is not labelled by it alone. */
  readonly label?: string;
}

/** Controlled: its choices may come after its value. */
export function ChoiceField({ field, choices, label }: ChoiceFieldProps) {
  const { field: control } = useController<JobForm, TextPath>({ name: field });
  const { attributes } = useRemark(field);
  return (
    <select className="nj-text nj-choice" aria-label={label} {...attributes} {...control}>
      {choices.map(({ value, label }) => (
        <option key={value} value={value}>
          {label}
        </option>
      ))}
    </select>
  );
}

interface FlagFieldProps {
  readonly field: FlagPath;
  readonly label: string;
  readonly about: string;
}

export function FlagField({ field, label, about }: FlagFieldProps) {
  const { register } = useFormContext<JobForm>();
  const id = idOf(field);
  return (
    <div className="nj-flag">
      <input type="checkbox" id={id} aria-describedby={`${id}-about`} {...register(field)} />
      <label htmlFor={id}>{label}</label>
      <span className="nj-about" id={`${id}-about`}>
        {about}
      </span>
    </div>
  );
}

interface IconButtonProps {
  readonly label: string;
  readonly sign: string;
  readonly disabled?: boolean;
  readonly onClick: () => void;
}

export function IconButton({ label, sign, disabled = false, onClick }: IconButtonProps) {
  return (
    <Tooltip label={label} openDelay={600}>
      <button
        type="button"
        className="nj-icon"
        aria-label={label}
        disabled={disabled}
        onClick={onClick}
      >
        <span aria-hidden>{sign}</span>
      </button>
    </Tooltip>
  );
}
