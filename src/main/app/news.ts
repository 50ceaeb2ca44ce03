import { hasEnded } from '../../shared/job-status.ts';
import type { JobView } from '../../shared/views.ts';

export interface News {
  readonly job: string;
  readonly title: string;
  readonly body: string;
}

/** What somebody who does not look at the window should know of a job: that it ended, stands still or waits for access. Pure. */
export function newsOf(before: JobView | undefined, now: JobView): News | null {
  // What it was before is not known: it may be old.
  if (before === undefined) return null;
  const news = (title: string, body: string): News => ({ job: now.id, title, body });
  if (now.status.accessAwaited !== null && before.status.accessAwaited === null)
    return news(`${now.name} waits for access`, now.status.accessAwaited.message);
  if (now.state === before.state) return null;
  if (now.state === 'finished') return news(`${now.name} finished`, now.output ?? '');
  if (now.state === 'failed')
    return news(`${now.name} failed`, now.status.problem?.message ?? 'Its log says why.');
  if (now.state === 'interrupted')
    return news(`${now.name} was interrupted`, 'It can be retried where it was.');
  return null;
}

/** Whether somebody works on it now. Pure. */
export const goesOn = ({ state }: Pick<JobView, 'state'>): boolean =>
  !hasEnded(state) && state !== 'interrupted';

/** The question before the application ends, while jobs go on; null: none does. `onSample`: those that need the sample data. Pure. */
export function farewell(
  jobs: readonly JobView[],
  onSample: readonly JobView[] = [],
): { message: string; detail: string } | null {
  const going = jobs.filter(goesOn);
  if (going.length === 0) return null;
  const one = going.length === 1;
  const names = going.slice(0, 5).map(({ name }) => name);
  const more = going.length - names.length;
  return {
    message: one
      ? `${names[0] ?? 'A job'} goes on without the window`
      : `${going.length} jobs go on without the window`,
    detail: [
      one ? '' : `${names.join(', ')}${more > 0 ? ` and ${more} more` : ''}.`,
      `${one ? 'Its agent carries it' : 'Their agents carry them'}, and the next start finds ${one ? 'it' : 'them'} again.`,
      'Access to Google is renewed only while Trainyard is open, unless the job is unattended: without it, what is still to be downloaded or uploaded waits after an hour, safe on the disk.',
      onSample.length === 0
        ? ''
        : 'The embedded Google of the sample data goes on, too, until nothing was asked of it for half an hour.',
    ]
      .filter((line) => line !== '')
      .join('\n\n'),
  };
}
