import * as z from 'zod';
import { PROBLEM_AREAS, type Problem, type ProblemCode } from './problem.ts';

/** A {@link Problem} as it is kept and crosses to the window. */
export const problemSchema = z.strictObject({
  code: z.custom<ProblemCode>(
    (value) =>
      typeof value === 'string' && PROBLEM_AREAS.some((area) => value.startsWith(`${area}.`)),
    'a problem code',
  ),
  op: z.string(),
  subject: z.string(),
  message: z.string(),
  hint: z.string(),
  retryable: z.boolean(),
}) satisfies z.ZodType<Problem>;
