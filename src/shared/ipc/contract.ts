import type * as z from 'zod';

/** Declares a call: the schema of its arguments (a strict object) and of its value. */
export const call = <Arguments extends z.ZodType, Value extends z.ZodType>(
  args: Arguments,
  value: Value,
) => ({ args, value });
