import { z } from 'zod';

/** How the user likes the tables: kept over a restart. */

export const JOB_COLUMNS = [
  'state',
  'name',
  'progress',
  'workers',
  'host',
  'created',
  'took',
] as const;
export const JOB_FILTERS = [
  'all',
  'active',
  'finished',
  'failed',
  'stopped',
  'interrupted',
] as const;
export const OBJECT_COLUMNS = ['name', 'type', 'size', 'changed'] as const;

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
