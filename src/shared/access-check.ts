import * as z from 'zod';
import { grantBindingSchema } from './grant.ts';

/** What somebody wants to do at an address. */
export const ACCESS_USES = ['input', 'output'] as const;
export type AccessUse = (typeof ACCESS_USES)[number];

/**
 * The rungs of the ladder, in its order; those that an address and its use do not need are left out.
 *
 * - `address`: it can be read. `token`: the key gives an access token (enabled, clock right).
 * - `permissions`: what Google says the account holds on the whole bucket; grants with conditions on objects are not seen here.
 * - `list`: the names below the prefix. `read`: one byte of the first object. `create`: an upload is begun and cancelled; no object is made.
 */
export const RUNGS = ['address', 'token', 'permissions', 'list', 'read', 'create'] as const;
export type RungName = (typeof RUNGS)[number];

/** `not-checked`: it could not be asked, offline or after an earlier rung failed. */
export const RUNG_STATES = ['pass', 'fail', 'could-not-tell', 'not-checked'] as const;
export type RungState = (typeof RUNG_STATES)[number];

/** What to ask for where a rung failed. */
export const rungGrantSchema = z.object({
  /** In one sentence or two. */
  sentence: z.string(),
  /** The same grant as data; empty where an address cannot be granted safely. */
  bindings: z.array(grantBindingSchema),
  /** The command that writes it down in other forms; empty where there is none. */
  command: z.string(),
});
export type RungGrant = Readonly<z.infer<typeof rungGrantSchema>>;

export const rungSchema = z.object({
  name: z.enum(RUNGS),
  state: z.enum(RUNG_STATES),
  message: z.string(),
  /** What to do about it; empty where there is nothing. */
  hint: z.string(),
  /** Of the problem, `area.what`; null where there is none. */
  code: z.string().nullable(),
  /** With every refusal that a grant would end. */
  grant: rungGrantSchema.nullable(),
});
export type Rung = Readonly<z.infer<typeof rungSchema>>;

/** Something that a key can do and should not be able to. */
export const powerFindingSchema = z.object({
  permission: z.string(),
  /** `gs://bucket` or `projects/ID`. */
  on: z.string(),
  /** What somebody who gets hold of the key could do with it. */
  what: z.string(),
});
export type PowerFinding = Readonly<z.infer<typeof powerFindingSchema>>;

export const powerReportSchema = z.object({
  /** `nothing-found` is no proof: grants with conditions are not seen. `not-checked`: offline. */
  state: z.enum(['found', 'nothing-found', 'could-not-tell', 'not-checked']),
  /** What the key can do that makes it an administrator's. */
  findings: z.array(powerFindingSchema),
  /** What was asked: `gs://bucket`, `projects/ID`. */
  asked: z.array(z.string()),
});
export type PowerReport = Readonly<z.infer<typeof powerReportSchema>>;

/** `pass`: what decides passed. `could-not-tell`: nothing was refused, and not everything that decides could be tried. */
export const ACCESS_VERDICTS = ['pass', 'fail', 'could-not-tell', 'offline'] as const;

export const accessReportSchema = z.object({
  address: z.string(),
  for: z.enum(ACCESS_USES),
  /** The account that asked; null where no credential was sent. */
  account: z.string().nullable(),
  verdict: z.enum(ACCESS_VERDICTS),
  rungs: z.array(rungSchema),
  power: powerReportSchema,
  /** Of the permissions on objects, those that Google says the account holds on the whole bucket. */
  held: z.array(z.string()),
  /** What the account can do on the bucket that this use does not need, one sentence each. */
  more: z.array(z.string()),
});
export type AccessReport = Readonly<z.infer<typeof accessReportSchema>>;
