import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { parseJobFile } from '../../../src/main/jobs/job-file.ts';
import { exitStatusOf } from '../../../src/shared/problem.ts';
import { problemOf, valueOf } from '../temp.ts';
import { adminOf, ends, freshHome, google, job, submit, until } from './harness.ts';

const buckets = `input: { gcs: gs://input-data-bucket/data, key: trainer }
output: { gcs: gs://artifacts-bucket/results, key: trainer }
`;

test('services open quickly and write no database', async () => {
  const { open, home } = freshHome();
  const began = performance.now();
  await open();
  expect(performance.now() - began).toBeLessThan(3_000);
  // The vault was there before.
  expect(readdirSync(home).sort()).toEqual(['agents', 'logs', 'runs', 'vault.json']);
});

test('a job takes its input from a bucket and puts its results in a bucket, seen by two at once', async () => {
  const emulator = await google();
  const { base, home, open } = freshHome(emulator.environment);
  const services = await open();
  valueOf(await services.keys.add(emulator.keyFiles['trainer']!));
  const listed = valueOf(
    await services.buckets.listPage({
      address: { bucket: 'input-data-bucket', path: 'data/' },
      key: 'trainer',
      recursive: false,
      signal: new AbortController().signal,
    }),
  );
  expect(listed.objects.map(({ name }) => name)).toEqual(['data/a.txt']);
  expect(listed.prefixes).toEqual(['data/deep/']);
  let shown = '';
  const path = join(base, 'job.yaml');
  const command =
    'cat $TRAINYARD_DATA_PATH/a.txt > $TRAINYARD_OUTPUT_PATH/out.txt; cat $TRAINYARD_DATA_PATH/deep/b.txt; bash train.sh';
  const submitted = valueOf(
    await services.jobs.submit(valueOf(parseJobFile(job(command, buckets), { path })), {
      baseFolder: base,
      onPlan: (plan) => (shown = plan.output?.prefix ?? ''),
    }),
  );
  expect(shown).toBe(`results/digits/${submitted.id}/`);
  expect(submitted.accessExpiresAt).toBeGreaterThan(Date.now() + 3_000_000);
  const other = await open();
  const states: string[] = [];
  const [view, seen] = await Promise.all([
    services.jobs.follow(
      submitted.id,
      ({ state }) => states.push(state),
      AbortSignal.timeout(25_000),
    ),
    ends(other, submitted.id),
  ]);
  expect(valueOf(view)).toMatchObject({
    state: 'finished',
    output: `gs://artifacts-bucket/${shown}`,
  });
  expect(seen.state).toBe('finished');
  expect(states.at(-1)).toBe('finished');
  const storage = await adminOf(emulator);
  const [files] = await storage.bucket('artifacts-bucket').getFiles();
  expect(files.map(({ name }) => name).sort()).toEqual([
    `${shown}manifest.json`,
    `${shown}worker-0/out.txt`,
  ]);
  const [content] = await storage
    .bucket('artifacts-bucket')
    .file(`${shown}worker-0/out.txt`)
    .download();
  expect(content.toString()).toBe('content of data/a.txt');
  const log = valueOf(
    await other.jobs.readLog(submitted.id, { worker: 0, offset: 0, maxBytes: 1_000 }),
  );
  expect(Buffer.from(log.bytes).toString()).toBe('content of data/deep/b.txttraining\n');
  const tail = valueOf(
    await other.jobs.readLog(submitted.id, { worker: 0, offset: -9, maxBytes: 1_000 }),
  );
  expect(Buffer.from(tail.bytes).toString()).toBe('training\n');
  expect(tail.offset).toBe(log.size - 9);
  expect(problemOf(await other.jobs.retry(submitted.id)).code).toBe('input.job-finished');
  expect(problemOf(await other.jobs.stop(submitted.id)).code).toBe('input.job-over');
  const directory = join(home, 'runs', submitted.id);
  expect(readFileSync(join(directory, 'access.json'), 'utf8')).not.toMatch(/token"\s*:\s*"/);
  for (const name of ['trainyard.db', 'trainyard.db-wal', 'trainyard.db-shm'])
    rmSync(join(home, name), { force: true });
  const rebuilt = await open();
  expect((await rebuilt.jobs.list()).map(({ id, state }) => [id, state])).toEqual([
    [submitted.id, 'finished'],
  ]);
  expect(valueOf(await rebuilt.keys.list()).map(({ name }) => name)).toEqual(['trainer']);
}, 60_000);

test('what cannot work is refused before anything starts, with the exit status of its kind', async () => {
  const emulator = await google();
  const { base, home, open } = freshHome(emulator.environment);
  const services = await open();
  valueOf(await services.keys.add(emulator.keyFiles['trainer']!));
  const refused = async (text: string): Promise<[string, number]> => {
    const problem = problemOf(await submit(services, base, text));
    expect(problem.hint).not.toBe('');
    return [problem.code, exitStatusOf(problem)];
  };
  expect(await refused(job('x').replace('./code', './missing'))).toEqual(['input.code-folder', 2]);
  expect(await refused(job('x', 'input: { dir: ./missing }\n'))).toEqual(['input.input-folder', 2]);
  expect(await refused(job('x', buckets.replace('key: trainer', 'key: nobody')))).toEqual([
    'input.key-unknown',
    2,
  ]);
  expect(
    await refused(job('x', 'input: { gcs: gs://input-data-bucket/nothing, key: trainer }\n')),
  ).toEqual(['input.nothing-there', 2]);
  expect(
    (await refused(job('x', 'input: { gcs: gs://artifacts-bucket/results, key: trainer }\n')))[1],
  ).toBe(3);
  expect((await refused(job('x', 'input: { gcs: gs://input-data-bucket/data }\n')))[1]).toBe(3);
  expect((await refused(job('x', 'resources: { gpus: 64 }\n')))[0]).toBe('host.gpus');
  expect(readdirSync(join(home, 'runs'))).toEqual([]);
  await emulator.stop();
  expect(
    // Output alone waits for the network: test/cli/silent-network.test.ts.
    (await refused(job('x', 'input: { gcs: gs://input-data-bucket/data, key: trainer }\n')))[1],
  ).toBe(4);
}, 90_000);

test('a failing worker, a stopped job and a retry of each', async () => {
  const { base, open } = freshHome();
  const services = await open();
  const marker = join(base, 'mended');
  const failing = valueOf(await submit(services, base, job(`test -e ${marker} || exit 7`)));
  const failed = await ends(services, failing.id);
  expect(failed).toMatchObject({ state: 'failed', workers: [{ state: 'failed', exitCode: 7 }] });
  expect(failed.status.problem?.message).not.toBe('');
  writeFileSync(marker, '');
  expect(valueOf(await services.jobs.retry(failing.id)).how).toBe('started');
  expect(await ends(services, failing.id)).toMatchObject({
    state: 'finished',
    workers: [{ starts: 2 }],
  });

  const second = join(base, 'second');
  const long = valueOf(await submit(services, base, job(`test -e ${second} || sleep 60`)));
  await until(services, long.id, ({ state }) => state === 'running');
  expect(problemOf(await services.jobs.retry(long.id)).code).toBe('input.job-running');
  valueOf(await services.jobs.stop(long.id));
  expect(await ends(services, long.id)).toMatchObject({ state: 'stopped' });
  writeFileSync(second, '');
  valueOf(await services.jobs.retry(long.id));
  expect(await ends(services, long.id)).toMatchObject({ state: 'finished' });
}, 60_000);

test('an interrupted job goes on with the same worker, and can be stopped without a retry', async () => {
  const { base, open } = freshHome();
  const services = await open();
  const { id } = valueOf(await submit(services, base, job('echo one start; sleep 5; echo end')));
  const before = await until(services, id, ({ workers }) => workers[0]?.state === 'running');
  process.kill(before.agent!.pid, 'SIGKILL');
  const interrupted = await until(services, id, ({ state }) => state === 'interrupted');
  expect(interrupted.status.problem?.hint).toContain(`trainyard retry ${id}`);
  const second = await open();
  const retries = await Promise.all([services.jobs.retry(id), second.jobs.retry(id)]);
  // What the other one is told, and when, is in two.test.ts.
  expect(retries.map((retry) => retry.ok).toSorted()).toEqual([false, true]);
  const after = await until(services, id, ({ workers }) => workers[0]?.state === 'running');
  expect(after.workers[0]?.pid).toBe(before.workers[0]?.pid);
  expect(await ends(services, id)).toMatchObject({ state: 'finished', workers: [{ starts: 1 }] });

  const other = valueOf(await submit(services, base, job('sleep 60')));
  const running = await until(services, other.id, ({ workers }) => workers[0]?.state === 'running');
  process.kill(running.agent!.pid, 'SIGKILL');
  await until(services, other.id, ({ state }) => state === 'interrupted');
  valueOf(await services.jobs.stop(other.id));
  expect(await ends(services, other.id)).toMatchObject({
    state: 'stopped',
    workers: [{ starts: 1 }],
  });
}, 60_000);

test('tokens that run out: the job waits, retry brings fresh ones; kept fresh, or unattended, it never waits', async () => {
  const emulator = await google({ lifetime: 6 });
  const { base, home, open } = freshHome(emulator.environment);
  const services = await open();
  valueOf(await services.keys.add(emulator.keyFiles['trainer']!));
  const output = 'output: { gcs: gs://artifacts-bucket/results, key: trainer }\n';
  const text = job('sleep 8; echo x > $TRAINYARD_OUTPUT_PATH/x', output);
  const left = valueOf(await submit(services, base, text));
  const alone = valueOf(await submit(services, base, `${text}unattended: true\n`));
  const waiting = await until(services, left.id, ({ status }) => status.accessAwaited !== null);
  expect(waiting).toMatchObject({ state: 'uploading' });
  expect(await ends(services, alone.id)).toMatchObject({ state: 'finished' });
  expect(valueOf(await services.jobs.retry(left.id)).how).toBe('access-delivered');
  expect(await ends(services, left.id)).toMatchObject({ state: 'finished' });

  const stop = new AbortController();
  services.jobs.keepAccess(stop.signal);
  const kept = valueOf(await submit(services, base, text));
  let waited = false;
  await until(services, kept.id, ({ state, status }) => {
    waited ||= status.accessAwaited !== null;
    return state === 'finished';
  });
  stop.abort();
  expect(waited).toBe(false);
  for (const { id } of [left, alone, kept]) {
    const inside = join(home, 'runs', id, 'private');
    const names = existsSync(inside) ? readdirSync(inside, { recursive: true }) : [];
    expect(names.filter((name) => name !== 'inbox')).toEqual([]);
  }
}, 90_000);

test('a change of any run is told to those who watch', async () => {
  const { base, open } = freshHome();
  const services = await open();
  const other = await open();
  const told: string[] = [];
  const toldOthers: string[] = [];
  const unwatch = other.jobs.watch(({ id }) => told.push(id));
  const unwatchOthers = other.jobs.watch(({ id }) => toldOthers.push(id));
  const { id } = valueOf(await submit(services, base, job('sleep 1')));
  await ends(services, id);
  await expect.poll(() => told.length).toBeGreaterThanOrEqual(2);
  expect(new Set(told)).toEqual(new Set([id]));
  unwatch();
  const after = told.length;
  const next = valueOf(await submit(services, base, job('true')));
  await expect.poll(() => toldOthers).toContain(next.id);
  unwatchOthers();
  expect(told.slice(after)).toEqual([]);
}, 30_000);

test('the jobs that need a key are known before it is removed', async () => {
  const emulator = await google();
  const { base, open } = freshHome(emulator.environment);
  const services = await open();
  const card = valueOf(await services.keys.add(emulator.keyFiles['trainer']!));
  const text = job(
    'sleep 30',
    'output: { gcs: gs://artifacts-bucket/results, key: trainer }\nworkerKeys: [ { key: trainer, mode: key-file } ]\n',
  );
  const { id } = valueOf(await submit(services, base, text));
  expect((await services.jobs.usingKey(card.id)).map((view) => view.id)).toEqual([id]);
  expect(await services.jobs.usingKey('another')).toEqual([]);
}, 30_000);
