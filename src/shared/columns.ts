/** The columns and filters of the tables. Without schemas: the window's first screen needs these names, and nothing that parses them. */

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
