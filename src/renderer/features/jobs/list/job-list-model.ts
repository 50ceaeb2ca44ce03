import { goesOn, type JobState } from '../../../../shared/job-status.ts';
import { JOB_COLUMNS, JOB_FILTERS } from '../../../../shared/columns.ts';
import type { JobView } from '../../../../shared/views.ts';
import { durationOf, stateLabelOf } from '../job-view-model.ts';

/** Which jobs the list shows, and in what order. Pure. */

export const FILTERS = JOB_FILTERS;
export type Filter = (typeof FILTERS)[number];

export const FILTER_NAMES: Readonly<Record<Filter, string>> = {
  all: 'All',
  active: 'Active',
  finished: 'Finished',
  failed: 'Failed',
  stopped: 'Stopped',
  interrupted: 'Interrupted',
};

function isIn(filter: Filter, state: JobState): boolean {
  if (filter === 'all') return true;
  if (filter === 'active') return goesOn({ state });
  return filter === state;
}

/** How many jobs each filter shows. */
export function countByFilter(jobs: readonly JobView[]): Readonly<Record<Filter, number>> {
  const counts = { all: 0, active: 0, finished: 0, failed: 0, stopped: 0, interrupted: 0 };
  for (const { state } of jobs)
    for (const filter of FILTERS) if (isIn(filter, state)) counts[filter] += 1;
  return counts;
}

export const COLUMNS = JOB_COLUMNS;
export type Column = (typeof COLUMNS)[number];

export interface Order {
  readonly column: Column;
  readonly descending: boolean;
}
/** Newest first. */
export const FIRST_ORDER: Order = { column: 'created', descending: true };

/** The order after a click on a column's head: the other way round, or this column. Times and numbers begin with the largest. */
export function orderAfter(order: Order, column: Column): Order {
  if (order.column === column) return { column, descending: !order.descending };
  return { column, descending: !['state', 'name', 'host'].includes(column) };
}

export interface ListOptions {
  readonly filter: Filter;
  /** Words that must all be in the name, id, host, kind, state, output, or the places of a transfer. */
  readonly search: string;
  readonly order: Order;
  readonly now: number;
}

export function shownJobs(
  jobs: readonly JobView[],
  { filter, search, order, now }: ListOptions,
): readonly JobView[] {
  const words = search
    .toLowerCase()
    .split(/\s+/)
    .filter((word) => word !== '');
  const chosen = jobs.filter((job) => isIn(filter, job.state) && hasWords(job, words));
  // The list comes newest first.
  const { column } = order;
  if (column === 'created') return order.descending ? chosen : chosen.toReversed();
  const keyed = chosen.map((job) => ({ job, key: keyOf(job, column, now) }));
  const sign = order.descending ? -1 : 1;
  // A stable sort: equal ones stay newest first.
  keyed.sort((a, b) => (a.key < b.key ? -sign : a.key > b.key ? sign : 0));
  return keyed.map(({ job }) => job);
}

/** The job that the screen shows: the chosen one, or the first of the list; null where there is none. */
export function chosenJob(
  jobs: readonly JobView[],
  view: Omit<ListOptions, 'now'> & { readonly selected: string | null },
): JobView | null {
  const { selected } = view;
  if (selected !== null) return jobs.find(({ id }) => id === selected) ?? null;
  return shownJobs(jobs, { ...view, now: Date.now() })[0] ?? null;
}

function hasWords(job: JobView, words: readonly string[]): boolean {
  if (words.length === 0) return true;
  const { name, id, host, kind, state, output, transfer } = job;
  const text = [
    name,
    id,
    host,
    kind,
    state,
    stateLabelOf(job).state,
    output ?? '',
    transfer === undefined ? '' : `${transfer.address}\n${transfer.local}`,
  ]
    .join('\n')
    .toLowerCase();
  return words.every((word) => text.includes(word));
}

function keyOf(job: JobView, column: Exclude<Column, 'created'>, now: number): string | number {
  switch (column) {
    case 'state':
      return stateLabelOf(job).state;
    case 'name':
      return job.name.toLowerCase();
    case 'host':
      return job.host;
    case 'workers':
      return job.workers.length;
    case 'took':
      return durationOf(job.status, now, goesOn(job)) ?? -1;
    case 'progress':
      return job.status.stages.filter(({ state }) => state === 'done').length;
  }
}
