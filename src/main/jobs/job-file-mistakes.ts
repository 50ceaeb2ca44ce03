import type * as z from 'zod';
import { hasSecret, SECRET_HINT, SECRET_REFUSED } from '../../shared/git.ts';
import { allowedAt, didYouMean, fieldsBelow, showPath, type FieldPath } from './job-file-words.ts';

/** A mistake at a field. `at`: whether the field's name or its value is the place to show. */
export interface Mistake {
  readonly path: FieldPath;
  readonly at: 'key' | 'value';
  readonly message: string;
}

type Issue = z.core.$ZodIssue;

/** What an issue of the schema means, in words. `sourceAt` gives a plain value as it was written. Pure. */
export function explainIssue(
  issue: Issue,
  base: FieldPath,
  sourceAt: (path: FieldPath) => string | null,
): readonly Mistake[] {
  const path: FieldPath = [
    ...base,
    ...issue.path.map((part) => (typeof part === 'number' ? part : String(part))),
  ];
  const allowed = allowedAt(path);
  const says = (what: string, at: Mistake['at'] = 'value'): readonly Mistake[] => [
    { path, at, message: `${what}${allowed === undefined ? '' : ` Allowed: ${allowed}.`}` },
  ];
  const name = path.length === 0 ? 'The file' : showPath(path);
  switch (issue.code) {
    case 'unrecognized_keys':
      return issue.keys.map((key) => unknownField(path, key));
    case 'invalid_union':
      return explainUnion(issue, path, sourceAt) ?? says(`${name} is ${describe(issue.input)}.`);
    case 'invalid_key':
      return [
        {
          path,
          at: 'key',
          message: `${name} is not a name that a variable can have. Allowed: ${issue.issues[0]?.message ?? 'letters, digits and "_"'}.`,
        },
      ];
    case 'invalid_type': {
      if (issue.input === undefined) return says(`${name} is missing.`, 'key');
      if (path[0] === 'env' && path.length === 2)
        return [notQuoted(path, issue.input, sourceAt(path))];
      if (path.length === 1 && path[0] === 'workers' && typeof issue.input === 'string')
        return says('workers is a single text: write it as a list, "- " before each command.');
      return says(`${name} is ${describe(issue.input)}.`);
    }
    case 'invalid_value':
    case 'too_small':
    case 'too_big':
    case 'not_multiple_of':
    case 'invalid_format':
    case 'invalid_element':
    case 'custom': {
      const isSentence = path.at(-1) === 'gcs' || issue.message.startsWith('It holds');
      const own = issue.code === 'custom' && isSentence ? ` ${issue.message}` : '';
      return says(`${name} is ${describe(issue.input)}.${own}`);
    }
  }
}

/** `code` and `input` have several forms: the field that is there tells which was meant. */
function explainUnion(
  issue: Extract<Issue, { code: 'invalid_union' }>,
  path: FieldPath,
  sourceAt: (path: FieldPath) => string | null,
): readonly Mistake[] | null {
  const { input } = issue;
  if (input === undefined || !isMapping(input)) return input === undefined ? missing(path) : null;
  // In the order of the schema's forms.
  const forms = path[0] === 'code' ? ['dir', 'git', 'gcs'] : ['gcs', 'dir'];
  const chosen = forms.findIndex((form) => form in input);
  const field = forms[chosen];
  const issues = issue.errors[chosen];
  if (field === undefined || issues === undefined) {
    const known = fieldsBelow(path);
    const keys = Object.keys(input);
    const unknown = keys.filter((key) => !known.includes(key));
    if (unknown.length > 0) return unknown.map((key) => unknownField(path, key));
    // What goes with one form alone tells which was meant.
    if (keys.length > 0) return missing([...path, keys.includes('ref') ? 'git' : 'gcs']);
    return [
      {
        path,
        at: 'value',
        message: `${showPath(path)} is empty. Give one of ${forms.join(', ')}. Allowed: ${allowedAt(path) ?? ''}.`,
      },
    ];
  }
  return issues.flatMap((inner) => {
    const other =
      inner.code === 'unrecognized_keys'
        ? forms.find((form) => inner.keys.includes(form))
        : undefined;
    if (other === undefined) return explainIssue(inner, path, sourceAt);
    const message = `${showPath(path)} has both ${field} and ${other}. Give one of them.`;
    return [{ path: [...path, other], at: 'key' as const, message }];
  });
}

function missing(path: FieldPath): readonly Mistake[] {
  const allowed = allowedAt(path);
  return [
    {
      path,
      at: 'key',
      message: `${showPath(path)} is missing.${allowed === undefined ? '' : ` Allowed: ${allowed}.`}`,
    },
  ];
}

function unknownField(path: FieldPath, key: string): Mistake {
  const known = fieldsBelow(path);
  // A field of another form of the same mapping.
  if (known.includes(key))
    return {
      path: [...path, key],
      at: 'key',
      message: `${showPath([...path, key])} does not go with the other fields here. Allowed: ${allowedAt(path) ?? ''}.`,
    };
  const meant = didYouMean(key, known);
  return {
    path: [...path, key],
    at: 'key',
    message: `There is no field "${key}" here.${meant === null ? '' : ` Did you mean "${meant}"?`} Allowed: ${known.join(', ')}.`,
  };
}

function notQuoted(path: FieldPath, value: unknown, source: string | null): Mistake {
  const text =
    source ?? (typeof value === 'number' || typeof value === 'boolean' ? String(value) : null);
  return {
    path,
    at: 'value',
    message:
      text === null || text === ''
        ? `${showPath(path)} is ${describe(value)}. Allowed: a text in quotes, such as "".`
        : `${showPath(path)} is ${describe(value)}. Put it in quotes: "${text}".`,
  };
}

/** What the schema knows and this version cannot do yet. Pure; reads the value as it was written. */
export function refusals(value: unknown): readonly Mistake[] {
  if (!isMapping(value)) return [];
  const mistakes: Mistake[] = [];
  const refuse = (path: FieldPath, message: string): void => {
    mistakes.push({ path, at: 'value', message });
  };
  const kind = value['kind'];
  if (kind === 'notebook')
    refuse(['kind'], 'A notebook is started with `trainyard notebook`. Allowed here: training.');
  if (kind === 'transfer')
    refuse(['kind'], 'A transfer is started with `trainyard cp`. Allowed here: training.');
  const host = value['host'];
  if (typeof host === 'string' && host !== '' && host !== 'local')
    refuse(
      ['host'],
      `Jobs cannot run on "${host}" yet: hosts behind SSH and clusters are not there yet. Allowed: local, this machine.`,
    );
  const code = value['code'];
  if (isMapping(code) && typeof code['git'] === 'string' && hasSecret(code['git']))
    refuse(['code', 'git'], `${SECRET_REFUSED} ${SECRET_HINT}`);
  if (isMapping(code))
    for (const field of ['git', 'ref'] as const) {
      const text = code[field];
      if (typeof text === 'string' && text.startsWith('-'))
        refuse(
          ['code', field],
          `code.${field} begins with "-", which git would take for an option.`,
        );
    }
  return mistakes;
}

function isMapping(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A value in words, short. Pure. */
function describe(value: unknown): string {
  if (value === null) return 'empty';
  if (value === undefined) return 'missing';
  if (Array.isArray(value))
    return value.length === 0
      ? 'an empty list'
      : `a list of ${value.length} ${value.length === 1 ? 'entry' : 'entries'}`;
  switch (typeof value) {
    case 'string':
      return value === ''
        ? 'an empty text'
        : `"${value.length > 60 ? `${value.slice(0, 60)}…` : value}"`;
    case 'number':
      return `the number ${value}`;
    case 'bigint':
      return `the number ${value.toString()}`;
    case 'boolean':
      return value ? 'the value true' : 'the value false';
    case 'object':
      return 'a mapping';
    default:
      return 'something else';
  }
}
