import * as z from 'zod';
import { formatCount, plural } from './format.ts';
import { problemSchema } from './problem-schema.ts';

/**
 * What a transfer of a run left out: of its code and data, objects that can be no file; of its output, files that can be no object. `failed` is
 * what might have been carried, and was not.
 */
export const LEFT_OUT_OF = ['code', 'data', 'output'] as const;
export type LeftOutOf = (typeof LEFT_OUT_OF)[number];

const reason = z.strictObject({ name: z.string(), reason: z.string() });

/** What events and views tell of it. */
export const leftOutSchema = z.strictObject({
  what: z.enum(LEFT_OUT_OF),
  refused: z.int().min(0),
  failed: z.int().min(0),
  /** The first few of both. */
  first: z.array(reason),
  /** A file of the run directory that lists all: {@link leftOutListSchema}. */
  list: z.string(),
});
export type LeftOut = Readonly<z.infer<typeof leftOutSchema>>;

/** `journals/<what>-left-out.json`. */
export const leftOutListSchema = z.strictObject({
  format: z.literal(1),
  refused: z.array(reason),
  failed: z.array(z.strictObject({ name: z.string(), problem: problemSchema })),
});
export type LeftOutList = Readonly<z.infer<typeof leftOutListSchema>>;

/** How many an event names. */
export const FIRST_LEFT_OUT = 20;

const nounOf = (what: LeftOutOf, count: number): string => {
  const noun = what === 'output' ? 'file' : 'object';
  const whole = { code: 'the code', data: 'the input', output: 'the output' }[what];
  return `${plural(count, noun)} of ${whole}`;
};

/** A copy is neither: only what it could not carry. */
const nounOfCopy = (what: LeftOutOf, count: number): string =>
  plural(count, what === 'output' ? 'file' : 'object');

const wereLeft = (count: number): string => (count === 1 ? 'was left out' : 'were left out');

/** What the user can do about it. */
const HINTS: Readonly<Record<LeftOutOf, string>> = {
  code: 'The job runs without them. Correct the code in the bucket, then run the job again.',
  data: 'The job runs without them. Correct the input in the bucket, then run the job again.',
  output:
    'Everything else is in the bucket. Rename or replace them in the output folder of the run directory, then upload again.',
};

/** What was left out in one sentence, with the names of the first few, and where all are listed; `isCopy`: by a transfer that is no job. Pure. */
export function leftOutText(
  { what, refused, failed, first, list }: LeftOut,
  named: number,
  isCopy = false,
): { readonly message: string; readonly hint: string } {
  const count = refused + failed;
  const names = first
    .slice(0, named)
    .map(({ name, reason: why }) => `${JSON.stringify(name)}: ${why.replace(/\.$/, '')}`);
  const more = count - names.length;
  return {
    message: `${(isCopy ? nounOfCopy : nounOf)(what, count)} ${wereLeft(count)}${names.length === 0 ? '.' : `. ${names.join('; ')}${more > 0 ? `; and ${formatCount(more)} more` : ''}.`}`,
    // What failed is told by the problem of the run.
    hint: `${failed > 0 || isCopy ? '' : `${HINTS[what]} `}All are listed in ${list} in the run directory.`,
  };
}
