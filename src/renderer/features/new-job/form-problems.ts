import type * as z from 'zod';
import { hasSecret, SECRET_HINT, SECRET_REFUSED } from '../../../shared/git.ts';
import { jobSpecSchema, type JobSpec } from '../../../shared/job-spec.ts';
import { specOf, type JobForm } from './form-model.ts';

/** The name of a field in the form: `name`, `code.dir`, `workers.3.command`. */
export type FieldName = string;

export type CheckedForm =
  | { readonly spec: JobSpec; readonly problems: null }
  | { readonly spec: null; readonly problems: ReadonlyMap<FieldName, string> };

/** What the form says as a job file, or what is wrong at which field, with the way out. Pure. */
export function checkForm(form: JobForm): CheckedForm {
  const problems = new Map<FieldName, string>();
  const add = (field: FieldName, message: string): void => {
    if (!problems.has(field)) problems.set(field, message);
  };
  tellMissing(form, add);
  const parsed = jobSpecSchema.safeParse(specOf(form));
  if (!parsed.success)
    for (const issue of parsed.error.issues)
      for (const { path, message } of flatten(issue, [], form))
        add(fieldOf(path, form), sentence(message));
  if (parsed.success && problems.size === 0) return { spec: parsed.data, problems: null };
  return { spec: null, problems };
}

const ADDRESS = 'Write an address such as gs://bucket/path.';
const WHOLE_PATH = 'Write the whole path, or choose the folder with the button beside it.';

/** What the schema would say in the words of a file, and what only the form knows. */
function tellMissing(form: JobForm, add: (field: FieldName, message: string) => void): void {
  if (form.name === '') add('name', 'Give the job a name: it becomes part of the output address.');
  if (!/^\s*\d+\s*$/.test(form.gpus) || Number(form.gpus) > 64)
    add('gpus', 'A whole number from 0 to 64.');
  const { code, input, output } = form;
  if (code.type === 'dir') tellPath('code.dir', code.dir, 'the folder of the code', add);
  if (code.type === 'git' && code.git.trim() === '')
    add('code.git', 'Write the address of the repository.');
  if (code.type === 'git' && hasSecret(code.git))
    add('code.git', `${SECRET_REFUSED} ${SECRET_HINT}`);
  if (code.type === 'git')
    for (const field of ['git', 'ref'] as const)
      if (code[field].startsWith('-'))
        add(`code.${field}`, 'It begins with "-", which git would take for an option.');
  if (code.type === 'gcs' && code.gcs === '') add('code.gcs', ADDRESS);
  if (input.type === 'dir') tellPath('input.dir', input.dir, 'the folder of the input', add);
  if (input.type === 'gcs' && input.gcs === '') add('input.gcs', ADDRESS);
  if (output.type === 'gcs' && output.gcs === '') add('output.gcs', ADDRESS);
  form.workers.forEach(({ command }, index) => {
    if (command.trim() === '')
      add(
        `workers.${index}.command`,
        form.workers.length === 1 ? 'Write a command.' : 'Write a command, or remove the row.',
      );
  });
  const seen = new Set<string>();
  form.env.forEach(({ name }, index) => {
    if (name === '') add(`env.${index}.name`, 'Write a name, or remove the row.');
    else if (seen.has(name)) add(`env.${index}.name`, `${name} is there twice: keep one.`);
    seen.add(name);
  });
}

function tellPath(
  field: FieldName,
  path: string,
  what: string,
  add: (field: FieldName, message: string) => void,
): void {
  if (path === '') add(field, `Choose ${what}.`);
  else if (!/^(\/|[A-Za-z]:[\\/]|\\\\)/.test(path)) add(field, WHOLE_PATH);
}

interface Place {
  readonly path: readonly PropertyKey[];
  readonly message: string;
}

/** Of a field with several forms, the issues of the form that was chosen. */
function flatten(
  issue: z.core.$ZodIssue,
  base: readonly PropertyKey[],
  form: JobForm,
): readonly Place[] {
  const path = [...base, ...issue.path];
  if (issue.code === 'invalid_union') {
    const forms = path[0] === 'code' ? ['dir', 'git', 'gcs'] : ['gcs', 'dir'];
    const chosen = forms.indexOf(path[0] === 'code' ? form.code.type : form.input.type);
    return (issue.errors[chosen] ?? []).flatMap((inner) => flatten(inner, path, form));
  }
  if (issue.code === 'invalid_key')
    return [{ path, message: issue.issues[0]?.message ?? issue.message }];
  return [{ path, message: issue.message }];
}

function fieldOf(path: readonly PropertyKey[], form: JobForm): FieldName {
  const [first, second] = path;
  switch (first) {
    case 'resources':
      return 'gpus';
    case 'workers':
      return typeof second === 'number' ? `workers.${second}.command` : 'workers';
    case 'env': {
      const index = form.env.findIndex(({ name }) => name === second);
      return `env.${Math.max(0, index)}.name`;
    }
    case 'output':
      return second === 'exclude' ? 'output.exclude' : path.map(String).join('.');
    case 'workerKeys':
      return 'workerKey';
    default:
      return path.map(String).join('.');
  }
}

/** `a command` becomes `Allowed: a command.`; whole sentences stay. */
function sentence(message: string): string {
  if (/^["A-Z].*\.$/.test(message)) return message;
  if (/^[A-Z]/.test(message)) return `${message}.`;
  return `Allowed: ${message}.`;
}
