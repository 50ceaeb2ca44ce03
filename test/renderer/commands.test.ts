import { expect, it } from 'vitest';
import { commandsFor } from '../../src/renderer/app/commands.ts';
import { initialStatus, type JobStatus } from '../../src/shared/job-status.ts';
import type { JobView } from '../../src/shared/views.ts';

function job(name: string, state: JobStatus['state'], kind: JobView['kind'] = 'training'): JobView {
  const status = { ...initialStatus(1), state };
  return {
    id: `id-${name}`,
    name,
    kind,
    host: 'local',
    createdAt: '2026-11-21T09:00:00.000Z',
    state,
    agent: null,
    workers: status.workers.map((worker) => ({ ...worker, starts: 1 })),
    runDirectory: '/runs',
    output: 'gs://out/',
    status,
  };
}

const screens = [
  { screen: 'jobs', name: 'Jobs' },
  { screen: 'new-job', name: 'New job' },
  { screen: 'keys', name: 'Keys' },
  { screen: 'access', name: 'Ask for access' },
] as const;
const titles = (text: string, chosen: JobView | null, jobs: readonly JobView[] = []) =>
  commandsFor({ text, screens, jobs, chosen }).map(({ title }) => title);

it('the palette names every place, and what can be done without a job', () => {
  expect(titles('', null)).toEqual([
    'Jobs',
    'New job',
    'Keys',
    'Ask for access',
    'Add key files…',
    'New notebook',
    'Theme: as the system',
    'Theme: light',
    'Theme: dark',
  ]);
  expect(titles('access', null)).toEqual(['Ask for access']);
});

it('the palette offers what the chosen job allows, in the words of its buttons', () => {
  expect(titles('sweep', job('sweep', 'running'))).toEqual(['Run again: sweep', 'Stop: sweep']);
  expect(titles('sweep', job('sweep', 'failed'))).toEqual([
    'Retry: sweep',
    'Upload again: sweep',
    'Run again: sweep',
  ]);
  expect(titles('copy', job('copy', 'staging', 'transfer'))).toEqual(['Pause: copy']);
  expect(titles('copy', job('copy', 'stopped', 'transfer'))).toEqual(['Resume: copy']);
});

it('the palette finds jobs by name, ID and the word of their state', () => {
  const jobs = [job('sweep', 'finished'), job('copy', 'stopped', 'transfer')];
  expect(titles('paused', null, jobs)).toEqual(['copy']);
  expect(titles('id-sweep', null, jobs)).toEqual(['sweep']);
  expect(titles('nothing of the kind', null, jobs)).toEqual([]);
});
