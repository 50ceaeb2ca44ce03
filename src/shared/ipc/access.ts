import * as z from 'zod';
import { powerReportSchema } from '../access-check.ts';
import { GRANT_FORMS, GRANT_VARIANTS, grantPlanSchema } from '../grant.ts';
import { keyPowerSchema } from '../key-power.ts';
import { call } from './contract.ts';

/** What the window asks of what keys can do, and of the grants that they need. */

const id = z.string().min(1).max(128);
const gcs = z.string().min(1).max(2_048);

const markSchema = z.object({
  /** The name and the account of the key, as the job's plan has them. */
  name: z.string(),
  email: z.string(),
  power: keyPowerSchema,
});
export type PowerMark = Readonly<z.infer<typeof markSchema>>;

export const ACCESS_CALLS = {
  /** The least grants for these addresses, as text and as data. No key, no network. */
  'access-grant': call(
    z.strictObject({
      input: gcs.nullable(),
      output: gcs.nullable(),
      account: z.string().max(512),
      variant: z.enum(GRANT_VARIANTS),
      project: z.string().min(1).max(128).nullable(),
      form: z.enum(GRANT_FORMS),
    }),
    z.object({ text: z.string(), plan: grantPlanSchema }),
  ),
  /** The kept keys that were found to be administrators'. */
  'access-powers': call(
    z.strictObject({}),
    z.array(z.object({ id: z.string(), power: keyPowerSchema })),
  ),
  /** Whether a key that came in and is not kept yet can administer its project. Asks Google. */
  'access-candidate': call(z.strictObject({ handle: id }), powerReportSchema),
  /** The account's address was typed for a kept key: it is known that it can administer. */
  'access-accept': call(z.strictObject({ id, typed: z.string().max(512) }), z.undefined()),
  /** The administrators' keys that a job uses. */
  'access-job': call(z.strictObject({ job: id }), z.array(markSchema)),
} as const;

export const ACCESS_EVENTS = {} as const;
