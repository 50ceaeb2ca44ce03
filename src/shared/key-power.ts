import * as z from 'zod';
import { powerFindingSchema } from './access-check.ts';
import { problem, type Problem } from './problem.ts';

/** A kept key that was found to be an administrator's. */
export const keyPowerSchema = z.object({
  findings: z.array(powerFindingSchema).min(1),
  /** ISO 8601. */
  foundAt: z.string(),
  /** When somebody typed the account's address to say that they know; null: nobody has. */
  acceptedAt: z.string().nullable(),
});
export type KeyPower = Readonly<z.infer<typeof keyPowerSchema>>;

/** One line for each finding: the permission, where, and what somebody could do with it. */
export function findingLines(findings: KeyPower['findings']): readonly string[] {
  return findings.map(({ permission, on, what }) => `${permission} on ${on}: ${what}`);
}

/** Why a key that can administer is not taken, or not passed, without the account's address typed by hand. */
export function administersProblem(
  email: string,
  findings: KeyPower['findings'],
  hint: string,
): Problem {
  return problem({
    code: 'access.key-administers',
    op: 'look at what the key can do',
    subject: email,
    message: `This is an administrator’s key. Whoever gets hold of it can do far more than a job needs:\n${findingLines(
      findings,
    )
      .map((line) => `- ${line}`)
      .join('\n')}`,
    hint,
  });
}

/** What to do instead, before any way to go on. */
export const LESSER_KEY =
  'Better: make a service account of its own for training, and grant it what the job needs (`trainyard grant` writes that down).';
