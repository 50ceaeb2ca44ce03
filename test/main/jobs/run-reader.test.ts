import {
  appendFileSync,
  mkdirSync,
  rmSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { localHost } from '../../../src/main/hosts/local/host.ts';
import { hostsOf } from '../../../src/main/hosts/hosts.ts';
import { runs } from '../../../src/main/jobs/runs.ts';
import { viewIndex } from '../../../src/main/jobs/view-index.ts';
import { followRun } from '../../../src/main/jobs/watch.ts';
import { systemClock } from '../../../src/main/platform/clock.ts';
import { openLog } from '../../../src/main/platform/log.ts';
import { homePaths } from '../../../src/main/platform/paths.ts';
import { identityOf } from '../../../src/main/platform/processes.ts';
import { jobRows } from '../../../src/main/store/jobs.ts';
import { openStore } from '../../../src/main/store/open.ts';
import type { JobPlan } from '../../../src/shared/plan.ts';
import type { JobView } from '../../../src/shared/views.ts';
import { planOf } from '../hosts/conformance.ts';
import { problemOf, temporaryFolder, valueOf } from '../temp.ts';

function home() {
  const folder = temporaryFolder();
  const paths = valueOf(homePaths({ TRAINYARD_HOME: folder }));
  const log = openLog(join(folder, 'log'));
  const host = localHost({ paths, agentFolder: '', nodeRuntime: null, env: {}, log });
  const rows = jobRows(openStore(paths.database, log));
  const open = () => runs(hostsOf([host]), viewIndex(rows), systemClock);
  return { paths, host, rows, open };
}

let seq = 0;
const line = (kind: string, fields: object = {}): string =>
  `${JSON.stringify({ format: 1, seq: (seq += 1), time: '2026-01-01T00:00:00.000Z', kind, ...fields })}\n`;
const started = () =>
  line('agent-started', {
    agent: { pid: 1, startTime: '1', bootId: 'b' },
    version: '1',
    attempt: 1,
  });
const ended = (state: string) => line('ended', { state, stage: null, problem: null });

async function write(
  { host }: ReturnType<typeof home>,
  events: string,
  change: (plan: JobPlan) => object = (plan) => plan,
): Promise<{ plan: JobPlan; events: string; lock: string }> {
  const plan = planOf('/code', ['a', 'b']);
  valueOf(await host.createRun(plan));
  const directory = host.runDirectory(plan.id);
  writeFileSync(join(directory, 'plan.json'), JSON.stringify(change(plan)));
  writeFileSync(join(directory, 'events.jsonl'), events);
  return { plan, events: join(directory, 'events.jsonl'), lock: join(directory, 'lock') };
}

const only = async (open: ReturnType<typeof home>['open']): Promise<JobView> => {
  const [view, ...more] = await open().list();
  expect(more).toEqual([]);
  return view!;
};

test('state comes from the events, also when the store is empty or gone', async () => {
  const at = home();
  const { plan } = await write(at, started() + ended('finished'));
  const view = await only(at.open);
  expect(view).toMatchObject({ id: plan.id, state: 'finished', agent: null, output: null });
  expect(view.workers).toHaveLength(2);
  // From the index this time: the same.
  expect(await only(at.open)).toEqual(view);
  expect(valueOf(at.rows.ids('local'))).toEqual([plan.id]);
  for (const suffix of ['', '-wal', '-shm'])
    rmSync(`${at.paths.database}${suffix}`, { force: true });
  expect(await only(at.open)).toEqual(view);
});

test('a row that does not fit the events any more is ignored', async () => {
  const at = home();
  const { plan, events } = await write(at, started() + ended('failed'));
  expect((await only(at.open)).state).toBe('failed');
  appendFileSync(events, started() + ended('finished'));
  expect((await only(at.open)).state).toBe('finished');
  const [row] = valueOf(at.rows.find([plan.id]));
  valueOf(at.rows.put([{ ...row!, view: '{"state":"from another version"}' }]));
  expect((await only(at.open)).state).toBe('finished');
});

test('a run whose agent is gone is interrupted, and says how to go on', async () => {
  const at = home();
  const { plan, lock } = await write(at, started() + line('stage-started', { stage: 'running' }));
  const gone = await only(at.open);
  expect(gone.state).toBe('interrupted');
  expect(gone.status.problem?.hint).toContain(`trainyard retry ${plan.id}`);
  // The pid of a live process with another start time is another process.
  const own = await identityOf(process.pid);
  writeFileSync(lock, JSON.stringify({ ...own, startTime: '1' }));
  expect((await only(at.open)).state).toBe('interrupted');
  writeFileSync(lock, JSON.stringify(own));
  expect(await only(at.open)).toMatchObject({ state: 'running', agent: { pid: process.pid } });
});

test('events are read once, from where the last look ended; torn lines wait, strange ones are skipped', async () => {
  const at = home();
  const { plan, events, lock } = await write(at, started());
  writeFileSync(lock, JSON.stringify(await identityOf(process.pid)));
  const run = valueOf(await at.open().find(plan.id));
  expect((await run.reader.view()).state).toBe('queued');
  const next = line('stage-started', { stage: 'staging' });
  appendFileSync(events, next.slice(0, 20));
  expect((await run.reader.view()).state).toBe('queued');
  appendFileSync(events, next.slice(20));
  expect((await run.reader.view()).state).toBe('staging');
  appendFileSync(
    events,
    'torn {\n' + line('of-a-later-kind', { x: 1 }) + line('stage-started', { stage: 'running' }),
  );
  expect((await run.reader.view()).state).toBe('running');
  truncateSync(events);
  writeFileSync(events, started());
  expect((await run.reader.view()).state).toBe('queued');
  // Many progress events do not pile up: each changes the state and is gone.
  const progress = {
    bytes: 1,
    bytesTotal: 9,
    objects: 1,
    objectsTotal: 9,
    bytesPerSecond: 1,
    secondsLeft: null,
  };
  appendFileSync(
    events,
    line('stage-started', { stage: 'staging' }) +
      Array.from({ length: 20_000 }, (_, bytes) =>
        line('stage-progress', {
          stage: 'staging',
          what: 'data',
          progress: { ...progress, bytes },
        }),
      ).join(''),
  );
  const began = Date.now();
  expect((await run.reader.view()).status.stages[0]?.progress?.bytes).toBe(19_999);
  expect(Date.now() - began).toBeLessThan(15_000);
});

test('a run that cannot be read is listed with the reason, beside the others', async () => {
  const at = home();
  const good = await write(at, started() + ended('finished'));
  const torn = await write(at, '');
  writeFileSync(join(at.host.runDirectory(torn.plan.id), 'plan.json'), '{"format": 1, "ki');
  const later = await write(at, '', (plan) => ({ ...plan, format: 2 }));
  const wrong = await write(at, '', (plan) => ({ ...plan, workers: 5 }));
  const strange = await write(at, '', (plan) => ({ ...plan, id: good.plan.id }));
  const laterText = await write(at, '', (plan) => ({ ...plan, format: '2.0' }));
  const laterEvents = await write(at, '{"format":7,"kind":"x","seq":1}\n');
  const empty = planOf('/c', ['a']);
  mkdirSync(at.host.runDirectory(empty.id));
  const views = new Map((await at.open().list()).map((view) => [view.id, view]));
  expect(views.size).toBe(8);
  const why = (id: string): string => views.get(id)?.status.problem?.message ?? '';
  expect(why(torn.plan.id)).toContain('is torn');
  expect(why(later.plan.id)).toContain('made by a later Trainyard (format 2');
  expect(why(laterText.plan.id)).toContain('made by a later Trainyard (format "2.0"');
  expect(why(wrong.plan.id)).toContain('not as it was agreed');
  expect(why(strange.plan.id)).toContain('belongs to another run');
  expect(why(laterEvents.plan.id)).toContain('format 7');
  expect(why(empty.id)).toContain('has no plan');
  expect(views.get(good.plan.id)).toMatchObject({ state: 'finished' });
  expect(views.get(good.plan.id)).not.toHaveProperty('unreadable');
  expect(views.get(torn.plan.id)).toMatchObject({ state: 'failed', unreadable: true });
  for (const { plan } of [later, laterText, laterEvents])
    expect(views.get(plan.id)).toMatchObject({
      state: 'interrupted',
      unreadable: true,
      status: { problem: { code: 'input.run-format' } },
    });
  for (const view of views.values()) expect(Number.isNaN(Date.parse(view.createdAt))).toBe(false);
});

test('a plan that was replaced is read, also where the index knows the run', async () => {
  const at = home();
  const { plan } = await write(at, started() + ended('finished'));
  expect((await only(at.open)).state).toBe('finished');
  const path = join(at.host.runDirectory(plan.id), 'plan.json');
  writeFileSync(path, JSON.stringify({ ...plan, format: 2 }));
  const later = new Date(Date.now() + 5_000);
  utimesSync(path, later, later);
  expect(await only(at.open)).toMatchObject({ state: 'interrupted', unreadable: true });
});

test('jobs are listed newest first, and an unknown one is told', async () => {
  const at = home();
  for (let number = 0; number < 3; number += 1) await write(at, started() + ended('finished'));
  const ids = (await at.open().list()).map(({ id }) => id);
  expect(ids).toEqual(ids.toSorted().reverse());
  for (const id of ['20200101-000000-aaaaaa', '../..', ''])
    expect(problemOf(await at.open().find(id)).code).toBe('input.job-unknown');
});

test('following tells every state and ends with the run', async () => {
  const at = home();
  const { plan, events, lock } = await write(at, started());
  writeFileSync(lock, JSON.stringify(await identityOf(process.pid)));
  const run = valueOf(await at.open().find(plan.id));
  const seen: string[] = [];
  const following = followRun(run, (view) => seen.push(view.state), new AbortController().signal);
  await expect.poll(() => seen).toEqual(['queued']);
  for (const stage of ['staging', 'running']) {
    appendFileSync(events, line('stage-started', { stage }));
    await expect.poll(() => seen.at(-1)).toBe(stage);
  }
  appendFileSync(events, ended('finished'));
  rmSync(lock);
  expect(valueOf(await following).state).toBe('finished');
  expect(seen).toEqual(['queued', 'staging', 'running', 'finished']);
  const left = new AbortController();
  left.abort();
  expect((await followRun(run, () => undefined, left.signal)).ok).toBe(true);
});
