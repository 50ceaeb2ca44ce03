import type { Theme } from '../../shared/ipc/application.ts';
import type { JobView } from '../../shared/views.ts';
import { actionsOf, type JobAction } from '../features/jobs/job-actions-model.ts';
import { stateLabelOf } from '../features/jobs/job-view-model.ts';
import type { Place, ScreenName } from './navigation.ts';

/** What the palette lists. Pure. */

export type Deed =
  | { readonly kind: 'go'; readonly place: Place }
  | { readonly kind: 'job'; readonly job: string; readonly action: JobAction }
  | { readonly kind: 'add-key' }
  | { readonly kind: 'new-notebook' }
  | { readonly kind: 'theme'; readonly theme: Theme };

export interface Command {
  readonly id: string;
  readonly title: string;
  readonly detail: string;
  readonly deed: Deed;
}

export interface CommandOptions {
  readonly text: string;
  /** The screens that are there, by name. */
  readonly screens: readonly { readonly screen: ScreenName; readonly name: string }[];
  /** Newest first. */
  readonly jobs: readonly JobView[];
  /** The job that the Jobs screen shows. */
  readonly chosen: JobView | null;
}

/** The most that is listed. */
const MOST = 50;

const THEMES: readonly { readonly theme: Theme; readonly title: string }[] = [
  { theme: 'system', title: 'Theme: as the system' },
  { theme: 'light', title: 'Theme: light' },
  { theme: 'dark', title: 'Theme: dark' },
];

/** Places first, then what can be done with the chosen job and without one, then jobs: those that have every word. */
export function commandsFor({ text, screens, jobs, chosen }: CommandOptions): readonly Command[] {
  const words = text
    .toLowerCase()
    .split(/\s+/)
    .filter((word) => word !== '');
  const has = (name: string) => words.every((word) => name.toLowerCase().includes(word));
  const deeds = [
    ...screens.map(({ screen, name }): Command => ({
      id: screen,
      title: name,
      detail: 'place',
      deed: { kind: 'go', place: { screen } },
    })),
    ...(chosen === null ? [] : ofJob(chosen, hasScreen(screens, 'new-job'))),
    ...general(screens),
  ];
  const found = deeds.filter(({ title }) => has(title));
  for (const job of jobs) {
    if (found.length >= MOST) break;
    const { state } = stateLabelOf(job);
    if (has(`${job.name} ${job.id} ${state}`))
      found.push({
        id: job.id,
        title: job.name,
        detail: `${state}, ${job.id}`,
        deed: { kind: 'go', place: { screen: 'jobs', job: job.id } },
      });
  }
  return found;
}

const hasScreen = (screens: CommandOptions['screens'], wanted: ScreenName): boolean =>
  screens.some(({ screen }) => screen === wanted);

function ofJob(job: JobView, canFill: boolean): readonly Command[] {
  return actionsOf(job, canFill).map(({ action, label }) => ({
    id: `job-${action}`,
    title: `${label}: ${job.name}`,
    detail: 'chosen job',
    deed: { kind: 'job', job: job.id, action },
  }));
}

function general(screens: CommandOptions['screens']): readonly Command[] {
  const detail = 'action';
  return [
    ...(hasScreen(screens, 'keys')
      ? [{ id: 'add-key', title: 'Add key files…', detail, deed: { kind: 'add-key' } as const }]
      : []),
    ...(hasScreen(screens, 'new-job')
      ? [
          {
            id: 'new-notebook',
            title: 'New notebook',
            detail,
            deed: { kind: 'new-notebook' } as const,
          },
        ]
      : []),
    ...THEMES.map(({ theme, title }): Command => ({
      id: `theme-${theme}`,
      title,
      detail,
      deed: { kind: 'theme', theme },
    })),
  ];
}
