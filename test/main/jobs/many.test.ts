import { appendFile, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeAll, expect, test } from 'vitest';
import { openServices, type Services } from '../../../src/main/services.ts';
import { RUN } from '../../../src/shared/run-directory.ts';
import { writeManyRuns } from '../../e2e/support/runs.ts';
import { temporaryFolder, valueOf } from '../temp.ts';

/** More than are looked at every time. */
const COUNT = 310;

let home = '';
const opened: Services[] = [];
beforeAll(async () => {
  home = temporaryFolder();
  await writeManyRuns(home, COUNT);
});
afterEach(async () => {
  for (const services of opened.splice(0)) await services.close();
});

async function open(): Promise<Services> {
  const services = valueOf(
    await openServices({
      env: { ...process.env, TRAINYARD_HOME: home, TRAINYARD_VAULT: 'passphrase' },
      version: '0.0.0',
      agentFolder: join(home, 'no-agent'),
    }),
  );
  opened.push(services);
  return services;
}

async function allPages({ jobs }: Services): Promise<readonly string[]> {
  const ids: string[] = [];
  for (let before: string | null = null; ; before = ids.at(-1) ?? null) {
    const page = await jobs.page({ before, limit: 200 });
    expect(page.total).toBe(COUNT);
    ids.push(...page.jobs.map(({ id }) => id));
    if (!page.more) return ids;
  }
}

const fileOf = (id: string, name: string) => join(home, 'runs', id, name);

/** An agent takes the run up anew, elsewhere. */
const goOn = (id: string) =>
  appendFile(
    fileOf(id, RUN.events),
    `${JSON.stringify({
      format: 1,
      seq: 3,
      time: new Date().toISOString(),
      kind: 'agent-started',
      agent: { pid: 4_000, startTime: '1', bootId: 'b' },
      version: '0.1.0',
      attempt: 2,
    })}\n`,
  );

test('a run that goes on behind an index that is out of date is told to those who watch, however old it is', async () => {
  const ids = await allPages(await open());
  for (const id of [ids[0] ?? '', ids.at(-1) ?? '']) {
    await goOn(id);
    const { jobs } = await open();
    const [first] = (await jobs.page({ before: null, limit: COUNT })).jobs.filter(
      (job) => job.id === id,
    );
    expect(first?.state).toBe('finished');
    let unwatch = () => {};
    const told = new Promise((resolve) => {
      unwatch = jobs.watch(resolve);
    });
    expect(await told).toMatchObject({ id, before: { state: 'finished' } });
    unwatch();
    expect(valueOf(await jobs.get(id)).state).toBe('interrupted');
    expect((await jobs.list()).find((job) => job.id === id)?.state).toBe('interrupted');
    const there = await jobs.page({ before: null, limit: COUNT });
    expect(there.jobs.find((job) => job.id === id)?.state).toBe('interrupted');
    await writeFile(
      fileOf(id, RUN.events),
      (await readFile(fileOf(id, RUN.events), 'utf8')).split('\n').slice(0, 2).join('\n') + '\n',
    );
  }
}, 60_000);

test('pages hold every run once, newest first, with and without a database', async () => {
  const first = await allPages(await open());
  expect(first).toHaveLength(COUNT);
  expect(first).toEqual([...first].sort().toReversed());
  // What ended is not looked at again: a plan that can no longer be read is not missed.
  const [old = '', gone = ''] = first.toReversed();
  await writeFile(fileOf(old, RUN.plan), 'torn');
  await rm(join(home, 'runs', gone), { recursive: true });
  const again = await open();
  const page = await again.jobs.page({ before: first.at(-3) ?? null, limit: 10 });
  expect(page).toMatchObject({ total: COUNT - 1, more: false, jobs: [{ id: old }] });
  expect(page.jobs[0]?.state).toBe('finished');
  // The directories are the truth.
  for (const suffix of ['', '-wal', '-shm']) await rm(`${again.paths.database}${suffix}`);
  const rebuilt = await (await open()).jobs.list();
  expect(rebuilt).toHaveLength(COUNT - 1);
  expect(rebuilt.at(-1)).toMatchObject({ id: old, state: 'failed' });
}, 60_000);
