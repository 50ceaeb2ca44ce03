import { describe, expect, it } from 'vitest';
import {
  formatBytes,
  formatDuration,
  formatRate,
  formatTime,
} from '../../src/renderer/common/format.ts';
import { actionsOf } from '../../src/renderer/features/jobs/job-actions-model.ts';
import {
  amountOf,
  canRetry,
  canStop,
  defaultSource,
  exitOf,
  paceOf,
  percentOf,
  tookOf,
  withChanges,
  retryWord,
  stageName,
  stateLabelOf,
  tabsOf,
  workerLabelOf,
  workersOf,
} from '../../src/renderer/features/jobs/job-view-model.ts';
import { wordsOf as eventWords } from '../../src/renderer/features/jobs/timeline/event-words.ts';
import { shownJobs } from '../../src/renderer/features/jobs/list/job-list-model.ts';
import { rowProgressOf } from '../../src/renderer/features/jobs/list/row-progress-model.ts';
import { wordsOf as transferWords } from '../../src/renderer/features/buckets/transfer-words.ts';
import { initialStatus, JOB_STATES, type JobStatus } from '../../src/shared/job-status.ts';
import type { JobView } from '../../src/shared/views.ts';

function job(id: string, change: Partial<JobStatus> = {}): JobView {
  const status = { ...initialStatus(2), ...change };
  return {
    id,
    name: id,
    kind: 'training',
    host: 'local',
    createdAt: '2026-11-21T09:00:00.000Z',
    state: status.state,
    agent: null,
    workers: status.workers,
    runDirectory: '/runs',
    output: null,
    status,
  };
}

const worker = (change: Partial<JobStatus['workers'][number]>) => ({
  ...initialStatus(1).workers[0]!,
  ...change,
});

describe('numbers and times', () => {
  it('are written with three digits and a unit', () => {
    expect([0, 999, 1_000, 1_024, 1_500, 12_900_000, 1e12].map(formatBytes)).toEqual([
      '0 B',
      '999 B',
      '0.98 KiB',
      '1.00 KiB',
      '1.46 KiB',
      '12.3 MiB',
      '931 GiB',
    ]);
    expect(formatRate(8_493_465)).toBe('8.10 MiB/s');
  });

  it('have the two largest units of time', () => {
    expect([0, 59_400, 72_000, 11_100_000, 187_200_000, -5].map(formatDuration)).toEqual([
      '0 s',
      '59 s',
      '1 m 12 s',
      '3 h 5 m',
      '2 d 4 h',
      '0 s',
    ]);
  });

  it('are short for today and longer the older', () => {
    const now = new Date(2026, 10, 21, 18, 0).getTime();
    const at = (...parts: [number, number, number, number, number]) =>
      formatTime(new Date(...parts).toISOString(), now);
    expect(at(2026, 10, 21, 9, 5)).toBe('09:05');
    expect(at(2026, 10, 1, 9, 5)).toBe('1 Nov 09:05');
    expect(at(2025, 10, 1, 9, 5)).toBe('1 Nov 2025');
    expect(formatTime('no time', now)).toBe('');
  });
});

describe('actions', () => {
  it('are offered where they can do something', () => {
    const stoppable = JOB_STATES.filter((state) => canStop(job('a', { state })));
    expect(stoppable).toEqual(['queued', 'staging', 'waiting', 'running', 'uploading']);
    expect(canStop(job('a', { state: 'running', stopRequested: true }))).toBe(false);
    const retriable = JOB_STATES.filter((state) => canRetry(job('a', { state })));
    expect(retriable).toEqual(['failed', 'stopped', 'interrupted']);
    const accessAwaited = { account: 'a', message: 'm', hint: 'h' };
    expect(canRetry(job('a', { state: 'uploading', accessAwaited }))).toBe(true);
  });
});

describe('progress', () => {
  const progress = {
    bytes: 50,
    bytesTotal: 200,
    objects: 1,
    objectsTotal: 2_000,
    bytesPerSecond: 1_024,
    secondsLeft: 90,
  };
  const stage = { stage: 'staging', startedAt: null, endedAt: null, progress } as const;

  it('is told in bytes, objects, rate and time left', () => {
    expect(amountOf(progress)).toBe('50 of 200 B, 1 of 2,000 objects');
    expect(paceOf({ ...stage, state: 'active' })).toBe('1.00 KiB/s, 1 m 30 s left');
    expect(
      paceOf({ ...stage, state: 'active', progress: { ...progress, secondsLeft: null } }),
    ).toBe('1.00 KiB/s');
    expect(paceOf({ ...stage, state: 'done' })).toBe('');
    expect(percentOf(progress)).toBe(25);
    expect(percentOf({ ...progress, bytes: 0, bytesTotal: 0, objects: 500 })).toBe(25);
    expect(percentOf({ ...progress, bytesTotal: 0, objectsTotal: 0 })).toBe(0);
    expect(amountOf({ ...progress, objects: 1, objectsTotal: 1 })).toBe(
      '50 of 200 B, 1 of 1 object',
    );
  });

  it('in a row says where a job was stopped, and that it goes no further', () => {
    const at = (state: 'active' | 'stopped' | 'interrupted') =>
      rowProgressOf(
        job('a', {
          stages: initialStatus(1).stages.map((one) =>
            one.stage === 'staging' ? { ...stage, state } : one,
          ),
        }),
      );
    expect(at('active')).toEqual({
      percent: 25,
      words: '25 %, 1 m 30 s left',
      told: '0 of 4 stages done, now: Stage code and data, 25 %, 1 m 30 s left',
    });
    expect(at('stopped').told).toBe('0 of 4 stages done, stopped: Stage code and data, 25 %');
    expect(at('interrupted').words).toBe('25 %');
  });
});

describe('a job', () => {
  const now = Date.parse('2026-11-21T09:02:00.000Z');
  const startedAt = '2026-11-21T09:00:00.000Z';

  it('took until its end, or until now while it goes on', () => {
    const endedAt = '2026-11-21T09:01:00.000Z';
    expect(tookOf(job('a', { state: 'finished', startedAt, endedAt }), now)).toBe('1 m 0 s');
    expect(tookOf(job('a', { state: 'running', startedAt }), now)).toBe('2 m 0 s');
    expect(tookOf(job('a', { state: 'interrupted', startedAt }), now)).toBe('–');
    expect(tookOf(job('a'), now)).toBe('–');
  });

  it('that was interrupted has no clock: not in the list, not by time taken, not of its workers', () => {
    const lost = job('a', { state: 'interrupted', startedAt });
    const short = job('b', {
      state: 'finished',
      startedAt,
      endedAt: '2026-11-21T09:00:01.000Z',
    });
    const order = { column: 'took', descending: true } as const;
    const shown = shownJobs([lost, short], { filter: 'all', search: '', order, now });
    expect(shown.map(({ id }) => id)).toEqual(['b', 'a']);
    const one = worker({ state: 'running', starts: 1 });
    expect(workerLabelOf(lost, one).state).toBe('running when last seen');
    expect(workerLabelOf(job('a', { state: 'running' }), one).state).toBe('running');
    expect(workerLabelOf(lost, worker({ state: 'failed' })).state).toBe('failed');
  });

  it('that cannot be read says so, and offers nothing', () => {
    const unreadable = { ...job('a', { state: 'failed' }), unreadable: true as const };
    expect(stateLabelOf(unreadable).state).toBe('unreadable');
    expect(stateLabelOf({ ...unreadable, agent: { pid: 1 } }).state).toBe('unreadable, running');
    expect(actionsOf(unreadable, true)).toEqual([]);
  });

  it('that is a transfer has one stage, and the words of the list of transfers', () => {
    const transfer = (state: JobStatus['state']): JobView => ({
      ...job('t', { state, stages: initialStatus(0, ['staging']).stages }),
      kind: 'transfer',
      transfer: { direction: 'download', address: 'gs://b/pictures/', local: '/data' },
    });
    for (const state of JOB_STATES)
      expect(stateLabelOf(transfer(state)).state).toBe(transferWords(transfer(state)).state);
    expect(retryWord(transfer('stopped'))).toBe('Resume');
    expect(retryWord(transfer('failed'))).toBe('Retry');
    expect(retryWord(job('a', { state: 'stopped' }))).toBe('Retry');
    expect(stageName('transfer', 'staging')).toBe('Download');
    expect(tabsOf(transfer('finished'))).toEqual(['logs', 'timeline', 'spec']);
    const find = (search: string) =>
      shownJobs([transfer('stopped')], {
        filter: 'all',
        search,
        order: { column: 'created', descending: true },
        now,
      }).length;
    expect([find('paused'), find('stopped'), find('pictures'), find('nothing')]).toEqual([
      1, 1, 1, 0,
    ]);
    const ended = {
      format: 1,
      seq: 1,
      time: startedAt,
      kind: 'ended',
      state: 'stopped',
      stage: 'staging',
      problem: null,
    } as const;
    expect(eventWords(ended, 'transfer').title).toBe('The transfer was paused');
    expect(eventWords(ended).title).toBe('The job was stopped');
    const waits = { needed: 2, free: 1, total: 2, taken: [] };
    expect(eventWords({ ...ended, kind: 'gpus-awaited', ...waits })).toMatchObject({
      title: 'Waits for 2 GPUs',
      detail: '1 of 2 is free.',
    });
  });

  it('shows the log of the worker that failed, else of the first that started', () => {
    expect(defaultSource(job('a'))).toBe('stage');
    const first = worker({ index: 0, starts: 1, state: 'finished' });
    const second = worker({ index: 1, starts: 1, state: 'running' });
    expect(defaultSource(job('a', { workers: [first, second] }))).toBe(0);
    expect(defaultSource(job('a', { workers: [first, { ...second, state: 'failed' }] }))).toBe(1);
  });

  it('says how workers ended', () => {
    expect(exitOf(worker({ exitCode: 3 }))).toBe('exit 3');
    expect(exitOf(worker({ signal: 'SIGKILL' }))).toBe('signal SIGKILL');
    expect(exitOf(worker({}))).toBe('–');
    expect(exitOf(worker({ state: 'failed' }))).toBe('not seen');
    const workers = [worker({ state: 'finished' }), worker({ index: 1, state: 'running' })];
    expect(workersOf(job('a', { state: 'running', workers }))).toBe('1/2 done');
    expect(workersOf(job('a', { state: 'finished', workers }))).toBe('2');
  });
});

it('the list takes changes in, newest first, and never an older look', () => {
  const before = [job('3', { seq: 4 }), job('1', { seq: 2 })];
  const after = withChanges(before, [
    job('2', { seq: 1 }),
    job('3', { seq: 3, state: 'staging' }),
    job('1', { seq: 2, state: 'interrupted' }),
  ]);
  expect(after.map(({ id, state }) => [id, state])).toEqual([
    ['3', 'queued'],
    ['2', 'queued'],
    ['1', 'interrupted'],
  ]);
});
