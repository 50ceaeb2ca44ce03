import * as z from 'zod';
import { notebookRequestSchema } from '../notebook.ts';
import { call } from './contract.ts';

/** What the window asks of notebooks. Their address has a token in it: it never comes here. */

const id = z.string().min(1).max(128);
const remark = z.object({ message: z.string(), hint: z.string() });

export const NOTEBOOK_CALLS = {
  'notebook-start': call(
    /** `acceptWhole`: as with `new-job-start`. */
    z.strictObject({ ...notebookRequestSchema.shape, acceptWhole: z.boolean().optional() }),
    z.object({ id: z.string(), warnings: z.array(remark) }),
  ),
  /** Opens it in a window of its own, or in the system's browser. */
  'notebook-open': call(
    z.strictObject({ id, where: z.enum(['window', 'browser']) }),
    z.undefined(),
  ),
  /** A job file that runs what the notebook did. */
  'notebook-job': call(z.strictObject({ id }), z.string()),
} as const;

export const NOTEBOOK_EVENTS = {} as const;
