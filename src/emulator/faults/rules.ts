import * as z from 'zod';
import { OPERATIONS } from '../operation.ts';

/** Bytes that a fault may hold back, or add. */
const LARGEST_CHANGE = 64 * 1024 * 1024;

const count = z.int().min(0);
const milliseconds = z.number().min(0).max(3_600_000);
/** Whose body: the one that the client sends, or the one that it gets. */
const side = z.enum(['request', 'answer']).default('answer');

/** What goes wrong. docs/emulator.md tells each. */
export const faultSchema = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('status'),
    status: z.int().min(200).max(599),
    /** The `Retry-After` header: seconds, or text as it is (a date). */
    retryAfter: z.union([count, z.string()]).optional(),
    /** Google's word for it, such as `backendError`. */
    reason: z.string().optional(),
    message: z.string().optional(),
    /** A body in place of Google's own, sent as `text/html`: what a proxy would answer. */
    body: z.string().optional(),
    /** The request is carried out first. */
    done: z.boolean().default(false),
  }),
  z.strictObject({
    kind: z.literal('latency'),
    milliseconds,
    /** At most so much more, by chance. */
    spread: milliseconds.default(0),
  }),
  z.strictObject({ kind: z.literal('delay'), milliseconds, spread: milliseconds.default(0) }),
  z.strictObject({
    kind: z.literal('bandwidth'),
    bytesPerSecond: z.int().positive(),
    of: side,
  }),
  z.strictObject({ kind: z.literal('reset'), after: count.default(0), of: side }),
  z.strictObject({
    kind: z.literal('stall'),
    after: count.default(0),
    of: side,
    /** Absent: for an hour, or until the client goes away. */
    milliseconds: milliseconds.optional(),
  }),
  z.strictObject({
    kind: z.literal('short-body'),
    bytes: z.int().positive().max(LARGEST_CHANGE),
  }),
  z.strictObject({
    kind: z.literal('long-body'),
    bytes: z.int().positive().max(LARGEST_CHANGE),
  }),
  z.strictObject({
    kind: z.literal('wrong-byte'),
    /** Its offset in the body; below 0 it is counted from the end. */
    at: z.int().default(0),
    of: side,
  }),
  z.strictObject({
    kind: z.literal('wrong-length'),
    /** Added to `Content-Length`; the body stays as it is. */
    by: z
      .int()
      .min(-LARGEST_CHANGE)
      .max(LARGEST_CHANGE)
      .refine((by) => by !== 0, 'must not be 0'),
  }),
  z.strictObject({ kind: z.literal('lost-answer') }),
  z.strictObject({ kind: z.literal('expired-session') }),
  z.strictObject({ kind: z.literal('expired-token') }),
  z.strictObject({
    kind: z.literal('clock'),
    /** How far the server's clock is ahead. */
    seconds: z.int(),
  }),
]);
export type Fault = Readonly<z.infer<typeof faultSchema>>;

/** A name: exact, everything that begins with a prefix, or a glob (`*` and `?` stop at `/`, `**` does not). */
const patternSchema = z.union([
  z.string(),
  z.strictObject({ prefix: z.string() }),
  z.strictObject({ glob: z.string() }),
]);
export type Pattern = Readonly<z.infer<typeof patternSchema>>;

const oneOrMore = <T extends z.ZodType>(schema: T) => z.union([schema, z.array(schema).min(1)]);

/**
 * Which requests a fault befalls. What is left out matches everything. Of the requests that match, the first `after` are spared; of the rest every
 * `every`-th is meant; of those the first `first`; of those each with `probability`.
 */
export const faultRuleSchema = z.strictObject({
  /** For the report and the request log; the kind of the fault where it is left out. */
  name: z.string().min(1).max(100).optional(),
  method: oneOrMore(z.string().regex(/^[A-Z]+$/, 'must be upper case')).optional(),
  operation: oneOrMore(z.enum(OPERATIONS)).optional(),
  bucket: patternSchema.optional(),
  object: patternSchema.optional(),
  /**
   * Which answers of the emulator itself, for faults of the answer: `success` (200 to 299), `any`, or these statuses. Default: `any` for `delay` and
   * `bandwidth`, else `success`.
   */
  answered: z.union([z.enum(['success', 'any']), z.array(z.int())]).optional(),
  after: count.default(0),
  every: z.int().positive().default(1),
  first: z.int().positive().optional(),
  /** Requests are counted all together, or those of each object (and operation) by themselves. */
  countBy: z.enum(['rule', 'object']).default('rule'),
  probability: z.number().min(0).max(1).default(1),
  /** What chance is drawn from: the same requests fail with the same seed, in whatever order they come. */
  seed: z.int().default(1),
  fault: faultSchema,
});
export type FaultRule = Readonly<z.output<typeof faultRuleSchema>>;
/** A rule as a file or test writes it: with defaults left out. */
export type FaultRuleInput = Readonly<z.input<typeof faultRuleSchema>>;

export const faultFileSchema = z.strictObject({ rules: z.array(faultRuleSchema).max(1000) });

export type ParsedFaults =
  | { readonly ok: true; readonly rules: readonly FaultRule[] }
  | { readonly ok: false; readonly message: string };

/** Reads the text of a faults file. Errors: the first mistake with its place, in one sentence. */
export function parseFaults(text: string): ParsedFaults {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return { ok: false, message: 'It is not JSON.' };
  }
  const parsed = faultFileSchema.safeParse(value);
  if (parsed.success) return { ok: true, rules: parsed.data.rules };
  const issue = parsed.error.issues[0];
  const where = issue?.path.map(String).join('.') ?? '';
  return { ok: false, message: `${where === '' ? '' : `${where}: `}${issue?.message ?? ''}.` };
}
