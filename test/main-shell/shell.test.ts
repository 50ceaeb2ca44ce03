import { describe, expect, it } from 'vitest';
import { placeOfArguments, placeOfLink } from '../../src/main/app/links.ts';
import { farewell, newsOf } from '../../src/main/app/news.ts';
import { isInSight } from '../../src/main/app/frame.ts';
import {
  keepFrame,
  keepPreferences,
  readFrame,
  readPreferences,
} from '../../src/main/app/preferences.ts';
import { initialStatus, type JobStatus } from '../../src/shared/job-status.ts';
import { ok } from '../../src/shared/problem.ts';
import type { JobView } from '../../src/shared/views.ts';

const ID = '20261121-090000-aaaaaa';

function job(name: string, change: Partial<JobStatus>): JobView {
  const status = { ...initialStatus(1), ...change };
  return {
    id: ID,
    name,
    kind: 'training',
    host: 'local',
    createdAt: '2026-11-21T09:00:00.000Z',
    state: status.state,
    agent: null,
    workers: status.workers,
    runDirectory: '/runs',
    output: 'gs://out/',
    status,
  };
}

describe('links', () => {
  it('show a job, and do nothing else', () => {
    expect(placeOfLink(`trainyard://job/${ID}`)).toEqual({ screen: 'jobs', job: ID });
    expect(placeOfArguments(['electron', '--flag', `trainyard://job/${ID}/`])).toEqual({
      screen: 'jobs',
      job: ID,
    });
    for (const link of [
      'trainyard://job/',
      'trainyard://job/../../etc/passwd',
      `trainyard://job/${ID}?stop=1`,
      `trainyard://stop/${ID}`,
      `https://job/${ID}`,
      `x trainyard://job/${ID}`,
      `trainyard://job/${'9'.repeat(200)}`,
      '',
    ])
      expect(placeOfLink(link), link).toBeNull();
    expect(placeOfArguments(['.', '--x'])).toBeNull();
  });
});

describe('news', () => {
  const problem = {
    code: 'job.worker-failed',
    op: '',
    subject: '',
    message: 'Worker 1 ended.',
    hint: '',
    retryable: false,
  } as const;
  const awaited = { account: 'a', message: 'Its access ran out.', hint: '' };
  const running = job('sweep', { state: 'running' });

  it('are told when a job ends, stands still or waits for access, once', () => {
    expect(newsOf(running, job('sweep', { state: 'finished' }))).toEqual({
      job: ID,
      title: 'sweep finished',
      body: 'gs://out/',
    });
    expect(newsOf(running, job('sweep', { state: 'failed', problem }))?.body).toBe(
      'Worker 1 ended.',
    );
    expect(newsOf(running, job('sweep', { state: 'interrupted' }))?.title).toBe(
      'sweep was interrupted',
    );
    const waits = job('sweep', { state: 'running', accessAwaited: awaited });
    expect(newsOf(running, waits)?.title).toBe('sweep waits for access');
    expect(newsOf(waits, waits)).toBeNull();
    expect(newsOf(running, job('sweep', { state: 'uploading' }))).toBeNull();
    const stopped = job('sweep', { state: 'stopped' });
    expect(newsOf(running, stopped)?.title).toBe('sweep was stopped');
    expect(newsOf(running, stopped, { stoppedHere: true })).toBeNull();
    expect(newsOf(running, { ...stopped, kind: 'transfer' })?.title).toBe('sweep was paused');
    expect(newsOf(running, job('sweep', { state: 'finished' }), { stoppedHere: true })?.title).toBe(
      'sweep finished',
    );
    expect(newsOf(undefined, job('sweep', { state: 'failed', problem }))).toBeNull();
  });

  it('before the window closes say what goes on, where something does', () => {
    expect(
      farewell([job('a', { state: 'finished' }), job('b', { state: 'interrupted' })]),
    ).toBeNull();
    expect(farewell([running])?.message).toBe('sweep goes on without the window');
    const many = farewell(
      Array.from({ length: 8 }, (_, i) => job(`job-${i}`, { state: 'running' })),
    );
    expect(many?.message).toBe('8 jobs go on without the window');
    expect(many?.detail).toContain('job-4 and 3 more.');
  });

  it('before the window closes name who waits for access, and speak of none where no key is involved', () => {
    expect(farewell([running])?.detail).not.toContain('Google');
    expect(farewell([running], { needAccess: [running] })?.detail).toContain('an hour at most');
    const [alone, keyed] = ['alone', 'keyed'].map((name) => ({
      ...job(name, { state: 'running' }),
      id: name,
    })) as [JobView, JobView];
    const told = farewell([alone, keyed], { needAccess: [keyed] })?.detail;
    expect(told).toContain('To their end by themselves: alone.');
    expect(told).toContain('an hour at most: keyed.');
    expect(farewell([alone, keyed])?.detail).not.toContain('Google');
    expect(farewell([alone, keyed], { needAccess: [alone, keyed] })?.detail).not.toContain(
      'by themselves',
    );
    expect(farewell([alone], { onSample: [alone] })?.detail).toContain('sample data');
  });
});

describe('what the window remembers', () => {
  function settings() {
    const rows = new Map<string, string>();
    return {
      rows,
      get: (name: string) => ok(rows.get(name) ?? null),
      hasAny: (prefix: string) => ok([...rows.keys()].some((name) => name.startsWith(prefix))),
      set: (name: string, value: string) => {
        rows.set(name, value);
        return ok();
      },
    };
  }

  it('is read as it was kept; what is damaged is as at the first start', () => {
    const kept = settings();
    const first = { theme: 'system', notifications: true, keepFollowing: false } as const;
    expect(readPreferences(kept, false)).toEqual(first);
    expect(readPreferences(null, true)).toEqual({ ...first, keepFollowing: true });
    // Not chosen: it follows what the system offers.
    const others = { theme: 'dark', notifications: false } as const;
    keepPreferences(kept, { ...others, keepFollowing: false }, false);
    expect(readPreferences(kept, false)).toEqual({ ...others, keepFollowing: false });
    expect(readPreferences(kept, true)).toEqual({ ...others, keepFollowing: true });
    for (const keepFollowing of [true, false]) {
      keepPreferences(kept, { ...others, keepFollowing }, false);
      expect(readPreferences(kept, true)).toEqual({ ...others, keepFollowing });
    }
    const frame = { x: 10, y: 20, width: 900, height: 600, maximized: true };
    keepFrame(kept, frame);
    expect(readFrame(kept)).toEqual(frame);
    keepFrame(kept, { ...frame, width: 3 });
    expect(readFrame(kept)).toEqual(frame);
    for (const damage of ['', '{', '[]', '{"theme":"pink"}', 'null']) {
      for (const name of kept.rows.keys()) kept.rows.set(name, damage);
      expect(readPreferences(kept, false), damage).toEqual(first);
      expect(readFrame(kept), damage).toBeNull();
    }
  });

  it('is not used where the window would be out of sight', () => {
    const screen = { x: 0, y: 0, width: 1920, height: 1080 };
    const frame = (x: number, y: number) => ({ x, y, width: 900, height: 600 });
    expect(isInSight(frame(100, 50), [screen])).toBe(true);
    expect(isInSight(frame(-600, 50), [screen])).toBe(true);
    for (const [x, y] of [
      [1900, 0],
      [0, 1070],
      [-890, 0],
      [3000, 100],
      [10, -50],
    ] as const)
      expect(isInSight(frame(x, y), [screen]), `${x} ${y}`).toBe(false);
    expect(isInSight(frame(2000, 100), [screen, { ...screen, x: 1920 }])).toBe(true);
  });
});
