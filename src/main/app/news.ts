import { goesOn } from '../../shared/job-status.ts';
import type { JobView } from '../../shared/views.ts';

export interface News {
  readonly job: string;
  readonly title: string;
  readonly body: string;
}

/**
 * What somebody who does not look at the window should know of a job: that it ended, stands still or waits for access. `stoppedHere`: the stop
 * was asked for in this window, which is no news. Pure.
 */
export function newsOf(
  before: JobView | undefined,
  now: JobView,
  { stoppedHere }: { readonly stoppedHere: boolean } = { stoppedHere: false },
): News | null {
  // What it was before is not known: it may be old. Of what cannot be read nothing is.
  if (before === undefined || now.unreadable === true) return null;
  const news = (title: string, body: string): News => ({ job: now.id, title, body });
  if (now.status.accessAwaited !== null && before.status.accessAwaited === null)
    return news(`${now.name} waits for access`, now.status.accessAwaited.message);
  if (now.state === before.state) return null;
  if (now.state === 'finished') return news(`${now.name} finished`, now.output ?? '');
  if (now.state === 'failed')
    return news(`${now.name} failed`, now.status.problem?.message ?? 'Its log says why.');
  if (now.state === 'interrupted')
    return news(`${now.name} was interrupted`, 'It can be retried where it was.');
  if (now.state === 'stopped' && !stoppedHere)
    return now.kind === 'transfer'
      ? news(`${now.name} was paused`, 'Resume goes on where it was.')
      : news(`${now.name} was stopped`, 'It was asked for outside this window.');
  return null;
}

export interface FarewellOptions {
  /** The jobs that have still something to download or upload with tokens that only Trainyard renews. */
  readonly needAccess?: readonly JobView[];
  /** Those that need the sample data. */
  readonly onSample?: readonly JobView[];
}

/** The question before the application ends, while jobs go on; null: none does. Pure. */
export function farewell(
  jobs: readonly JobView[],
  { needAccess = [], onSample = [] }: FarewellOptions = {},
): { message: string; detail: string } | null {
  const going = jobs.filter(goesOn);
  const [first] = going;
  if (first === undefined) return null;
  const waiting = new Set(needAccess.map(({ id }) => id));
  return {
    message:
      going.length === 1
        ? `${first.name} goes on without the window`
        : `${going.length} jobs go on without the window`,
    detail: [
      ...(going.length === 1 ? ofOne(waiting.has(first.id)) : ofMany(going, waiting)),
      ...(onSample.length === 0
        ? []
        : [
            'The embedded Google of the sample data goes on, too, until nothing was asked of it for half an hour.',
          ]),
    ].join('\n\n'),
  };
}

function ofOne(needsAccess: boolean): readonly string[] {
  return needsAccess
    ? [
        'Its agent carries it, and the next start finds it again.',
        'Its access to Google lasts an hour at most, and is renewed only while Trainyard is open: what it has to download or upload after that waits, safe on the disk.',
      ]
    : ['Its agent carries it to its end, and the next start finds it again.'];
}

function ofMany(going: readonly JobView[], waiting: ReadonlySet<string>): readonly string[] {
  const byThemselves = going.filter(({ id }) => !waiting.has(id));
  const wait = going.filter(({ id }) => waiting.has(id));
  return [
    ...(byThemselves.length === 0 ? [] : [`To their end by themselves: ${namesOf(byThemselves)}.`]),
    ...(wait.length === 0
      ? []
      : [
          `Until their access to Google ends, an hour at most: ${namesOf(wait)}. It is renewed only while Trainyard is open: what is to be downloaded or uploaded after that waits, safe on the disk.`,
        ]),
    'Their agents carry them, and the next start finds them again.',
  ];
}

function namesOf(jobs: readonly JobView[]): string {
  const names = jobs.slice(0, 5).map(({ name }) => name);
  const more = jobs.length - names.length;
  return `${names.join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
}
