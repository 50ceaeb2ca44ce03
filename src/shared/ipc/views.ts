import * as z from 'zod';
import { JOB_COLUMNS, JOB_FILTERS, OBJECT_COLUMNS } from '../columns.ts';

/** How the user likes the tables: kept over a restart. */

const tableOf = <const Columns extends readonly string[]>(columns: Columns) => {
  const column = z.enum(columns);
  return {
    /** Columns that are not shown. */
    hidden: z.array(column).max(columns.length),
    order: z.strictObject({ column, descending: z.boolean() }),
  };
};

export const viewsSchema = z.strictObject({
  jobs: z.strictObject({ ...tableOf(JOB_COLUMNS), filter: z.enum(JOB_FILTERS) }),
  buckets: z.strictObject(tableOf(OBJECT_COLUMNS)),
});
export type Views = Readonly<z.infer<typeof viewsSchema>>;
