import { basename } from 'node:path';
import { LineCounter, parseDocument, type Document, type YAMLError } from 'yaml';
import type * as z from 'zod';
import { jobSpecSchema, type JobSpec } from '../../shared/job-spec.ts';
import { fail, ok, problem, type Result } from '../../shared/problem.ts';
import { placeOf } from './job-file-positions.ts';
import { repeatedFields, shapeReason } from './job-file-shape.ts';
import { explainIssue, refusals, type Mistake } from './job-file-mistakes.ts';
import type { FieldPath } from './job-file-words.ts';

/** A job file is a page of text. Characters. */
export const MAX_JOB_FILE = 256 * 1024;
/** More than these are counted, not told. */
const MAX_TOLD = 20;
const MAX_ALIASES = 100;

/** A mistake and where it stands; line and column count from 1. */
export interface PlacedMistake {
  readonly line: number;
  readonly column: number;
  /** What is wrong, and what is allowed. */
  readonly message: string;
}

export type ReadJobFile =
  | { readonly spec: JobSpec; readonly mistakes: null }
  | { readonly spec: null; readonly mistakes: readonly PlacedMistake[] };

/**
 * Reads a job file: YAML 1.2, checked field by field; all mistakes at once. Pure.
 * Errors: `input.job-file`; its message has a line `FILE:LINE:COLUMN: what is wrong` for each mistake.
 */
export function parseJobFile(text: string, options: { readonly path: string }): Result<JobSpec> {
  const read = readJobFile(text);
  if (read.mistakes === null) return ok(read.spec);
  const file = basename(options.path);
  const told = read.mistakes.slice(0, MAX_TOLD);
  const lines = told.map(({ line, column, message }) => `${file}:${line}:${column}: ${message}`);
  const more = read.mistakes.length - told.length;
  if (more > 0) lines.push(`and ${more} more`);
  const count = read.mistakes.length;
  return fail(
    problem({
      code: 'input.job-file',
      op: 'read the job file',
      subject: options.path,
      message: `The job file has ${count === 1 ? 'a mistake' : `${count} mistakes`}:\n${lines.join('\n')}`,
      hint: 'docs/job-file.md shows every field with an example.',
    }),
  );
}

/** Where fields stand in a job file that was read without a mistake: `FILE:LINE:COLUMN`. Pure. */
export function jobFilePlaces(
  text: string,
  options: { readonly path: string },
): (field: FieldPath) => string {
  const lines = new LineCounter();
  const document = parseDocument(text, {
    lineCounter: lines,
    uniqueKeys: false,
    logLevel: 'silent',
  });
  return (field) => {
    const place = placeOf(document, field);
    const { line, col } = lines.linePos(place.value ?? place.key ?? 0);
    return `${basename(options.path)}:${Math.max(1, line)}:${Math.max(1, col)}`;
  };
}

/** What a private key looks like, in a PEM or in the key file of a service account. */
const PRIVATE_KEY = /PRIVATE KEY-----|["']?private_key["']?\s*:/;

/**
 * {@link parseJobFile} with the mistakes as data: for an editor or a form. Mistakes quote the file; those of one that holds a private key are told
 * as that alone.
 */
export function readJobFile(text: string): ReadJobFile {
  const read = readFields(text);
  const key = read.mistakes === null ? null : PRIVATE_KEY.exec(text);
  if (key === null) return read;
  const line = text.slice(0, key.index).split('\n').length;
  const message =
    'A private key stands in this file, so its mistakes are not quoted. A job file names a key of the vault: add a key file with `trainyard keys add`, and give its name as `key`.';
  return { spec: null, mistakes: [{ line, column: 1, message }] };
}

function readFields(text: string): ReadJobFile {
  const first = (message: string): ReadJobFile => ({
    spec: null,
    mistakes: [{ line: 1, column: 1, message }],
  });
  if (text.length > MAX_JOB_FILE)
    return first(`The file is larger than ${MAX_JOB_FILE / 1024} KiB: it is no job file.`);
  if (text.includes('\0') || text.includes('\uFFFD'))
    return first('The file is not text in UTF-8: it is no job file.');
  if (text.trim() === '') return first('The file is empty.');

  const shape = shapeReason(text);
  if (shape !== null) return first(shape);

  const lines = new LineCounter();
  const document = parseDocument(text, {
    lineCounter: lines,
    prettyErrors: false,
    // Looked for below, in less time.
    uniqueKeys: false,
    // Not "silent": that would also leave out the error for a second document. Nothing is printed.
    logLevel: 'error',
  });
  const at = (offset: number | null): { line: number; column: number } => {
    const { line, col } = lines.linePos(offset ?? 0);
    return { line: Math.max(1, line), column: Math.max(1, col) };
  };
  const errors = document.errors.map((error) => ({
    ...at(error.pos[0]),
    message: explainYaml(error),
  }));
  if (errors.length > 0) return { spec: null, mistakes: inOrder(errors) };
  // A field given twice leaves the rest readable; errors of YAML do not.
  const yamlMistakes = repeatedFields(document).map((offset) => ({
    ...at(offset),
    message: 'This field stands in the mapping twice. Keep one of them.',
  }));

  const value = withoutNone(toValue(document));
  if (value === undefined) return first('The file refers to itself too often (YAML aliases).');
  const parsed = jobSpecSchema.safeParse(value, { reportInput: true });
  const found: Mistake[] = parsed.success ? [] : mistakesOf(parsed.error, document);
  const mistakes = [...found, ...refusals(value)].map((mistake) => {
    const place = placeOf(document, mistake.path);
    const offset = mistake.at === 'key' ? (place.key ?? place.value) : (place.value ?? place.key);
    return { ...at(offset), message: mistake.message };
  });
  const all = [...yamlMistakes, ...mistakes];
  if (parsed.success && all.length === 0) return { spec: parsed.data, mistakes: null };
  return { spec: null, mistakes: inOrder(all) };
}

/** `input: none` and `input:` say what leaving the field out says; so with `output`. Pure. */
function withoutNone(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(
    Object.entries(value).filter(
      ([field, given]) =>
        !((field === 'input' || field === 'output') && (given === null || given === 'none')),
    ),
  );
}

function mistakesOf(error: z.ZodError, document: Document): Mistake[] {
  const sourceAt = (path: FieldPath): string | null => placeOf(document, path).source;
  return error.issues.flatMap((issue) => explainIssue(issue, [], sourceAt));
}

function toValue(document: Document): unknown {
  try {
    return document.toJS({ maxAliasCount: MAX_ALIASES }) as unknown;
  } catch {
    return undefined;
  }
}

function inOrder(mistakes: readonly PlacedMistake[]): readonly PlacedMistake[] {
  return mistakes.toSorted((a, b) => a.line - b.line || a.column - b.column);
}

function explainYaml(error: YAMLError): string {
  switch (error.code) {
    case 'TAB_AS_INDENT':
      return 'A tab indents this line. YAML allows spaces only.';
    case 'MULTIPLE_DOCS':
      return 'A second document begins here (---). A job file holds one job.';
    case 'BAD_INDENT':
      return `The indentation does not fit: ${error.message}. Fields of one mapping stand one below the other.`;
    case 'MISSING_CHAR':
      return `Something is missing here: ${error.message}. Every quote and bracket needs its partner.`;
    case 'BLOCK_AS_IMPLICIT_KEY':
      return `A ":" too many, or an indentation that does not fit. Put texts that hold ": " in quotes.`;
    default:
      return `This is not YAML: ${error.message}.`;
  }
}
