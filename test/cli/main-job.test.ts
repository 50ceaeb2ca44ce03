import { mkdir, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { JobView } from '../../src/shared/views.ts';
import { emailOf, startEmulator, type RunningEmulator } from '../emulator/start.ts';
import { mintFor } from './mint.ts';
import { eventsOf, makeHome, type TestHome } from './harness.ts';

const INPUT = 'input-data-bucket';
const OUTPUT = 'artifacts-bucket';
const trainer = emailOf('trainer');

let google: RunningEmulator;
let home: TestHome;

/** What the set-up account does, through the API. */
async function admin(
  method: string,
  address: string,
  body?: string | Uint8Array,
): Promise<Response> {
  const token = await mintFor(google, 'setup');
  return fetch(`${google.url}${address}`, {
    method,
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body: body as BodyInit }),
  });
}
const namesBelow = async (bucket: string, prefix: string) => {
  const answer = await admin(
    'GET',
    `/storage/v1/b/${bucket}/o?prefix=${encodeURIComponent(prefix)}`,
  );
  const { items = [] } = (await answer.json()) as { items?: { name: string }[] };
  return items.map((item) => item.name);
};
const contentOf = async (bucket: string, name: string) =>
  (await admin('GET', `/storage/v1/b/${bucket}/o/${encodeURIComponent(name)}?alt=media`)).text();

const jobFile = (name: string, workers: readonly string[], more: readonly string[] = []) =>
  home.file(
    `${name}.yaml`,
    [
      `name: ${name}`,
      'host: local',
      'code: { dir: ./code }',
      `workers: ${JSON.stringify(workers)}`,
      ...more,
      '',
    ].join('\n'),
  );
const buckets = [
  `input: { gcs: gs://${INPUT}/data, key: lab }`,
  `output: { gcs: gs://${OUTPUT}/results, key: lab }`,
];

beforeAll(async () => {
  google = await startEmulator({
    accounts: [{ name: 'trainer' }, { name: 'setup' }, { name: 'nobody' }],
    admins: [emailOf('setup')],
    grants: [
      `${trainer}=roles/storage.objectViewer@${INPUT}@resource.name.startsWith("projects/_/buckets/${INPUT}/objects/data/")`,
      `${trainer}=storage.objects.list@${INPUT}`,
      `${trainer}=roles/storage.objectCreator@${OUTPUT}@resource.name.startsWith("projects/_/buckets/${OUTPUT}/objects/results/")`,
    ],
  });
  home = await makeHome(google.environment);
  for (const name of [INPUT, OUTPUT])
    expect(
      (await admin('POST', '/storage/v1/b?project=demo-project', JSON.stringify({ name }))).status,
    ).toBe(200);
  for (const name of ['data/a.txt', 'data/deep/b.txt', 'database.txt'])
    expect(
      (
        await admin(
          'POST',
          `/upload/storage/v1/b/${INPUT}/o?uploadType=media&name=${encodeURIComponent(name)}`,
          name,
        )
      ).status,
    ).toBe(200);
  await mkdir(path.join(home.folder, 'code'));
  await writeFile(path.join(home.folder, 'code', 'note.txt'), 'from the code\n');
  for (const [name, account] of [
    ['lab', 'trainer'],
    ['nobody', 'nobody'],
  ] as const)
    await home.json(['keys', 'add', google.keyFiles[account] ?? '', '--name', name]);
}, 60_000);
afterAll(async () => {
  await home.remove();
  await google.stop();
}, 60_000);

describe('buckets', () => {
  it('checks a key by minting a token', async () => {
    expect(await home.json(['keys', 'check', 'lab'])).toMatchObject({ name: 'lab', checked: true });
  });

  it('lists a bucket, what lies in a folder, and everything with --recursive', async () => {
    const names = async (...args: string[]) =>
      (await home.json<{ kind: string; name: string }[]>(['ls', '--key', 'lab', ...args])).map(
        (entry) => entry.name,
      );
    expect(await names(`gs://${INPUT}`)).toEqual(['data/', 'database.txt']);
    expect(await names(`gs://${INPUT}/data`)).toEqual(['data/a.txt', 'data/deep/']);
    expect(await names(`gs://${INPUT}/data/`)).toEqual(['data/a.txt', 'data/deep/']);
    expect(await names(`gs://${INPUT}/data/`, '--recursive')).toEqual([
      'data/a.txt',
      'data/deep/b.txt',
    ]);
    const shown = await home.run(['ls', `gs://${INPUT}/data/`, '--key', 'lab']);
    expect(shown.stdout).toMatch(/10 B {2}\S+ \S+ {2}gs:\/\/input-data-bucket\/data\/a\.txt\n/);
    expect(shown.stdout).toContain('gs://input-data-bucket/data/deep/\n');
  });

  it('says what to ask for when access is refused, with 3', async () => {
    const refused = await home.run(['ls', `gs://${INPUT}/data/`, '--key', 'nobody', '--json']);
    expect(refused.status).toBe(3);
    expect(JSON.parse(refused.stdout)).toMatchObject({
      problem: { code: expect.stringMatching(/^access\./) as string },
    });
    expect(refused.stderr).toContain('storage.objects.list');
    const anonymous = await home.run(['ls', `gs://${INPUT}/data/`, '--no-key']);
    expect(anonymous.status).toBe(3);
    expect(anonymous.stderr).toContain('--key');
  });

  it('copies a folder from a bucket and to a bucket, and overwrites nothing on either side', async () => {
    const target = path.join(home.folder, 'copied');
    expect(await home.json(['cp', `gs://${INPUT}/data`, target, '--key', 'lab'])).toMatchObject({
      objects: 2,
      failed: [],
    });
    expect(await readFile(path.join(target, 'deep/b.txt'), 'utf8')).toBe('data/deep/b.txt');
    expect(
      await home.json(['cp', target, `gs://${OUTPUT}/results/copy`, '--key', 'lab']),
    ).toMatchObject({ objects: 2 });
    expect(await namesBelow(OUTPUT, 'results/copy')).toEqual([
      'results/copy/a.txt',
      'results/copy/deep/b.txt',
    ]);
    await writeFile(path.join(target, 'a.txt'), 'changed');
    const again = await home.run([
      'cp',
      target,
      `gs://${OUTPUT}/results/copy`,
      '--key',
      'lab',
      '--json',
    ]);
    expect(again.status).toBe(1);
    expect(await contentOf(OUTPUT, 'results/copy/a.txt')).toBe('data/a.txt');
  });

  it('lists every object of a copy as JSON: written, mapped or refused, and ends with 1 when one was refused', async () => {
    const names = ['plain', '../evil', 'a//b', 'twice', 'twice/below'];
    const object = (name: string): string => encodeURIComponent(`data/odd/${name}`);
    for (const name of names) {
      const to = `/upload/storage/v1/b/${INPUT}/o?uploadType=media&name=${object(name)}`;
      expect((await admin('POST', to, name)).status).toBe(200);
    }
    const outer = path.join(home.folder, 'odd');
    const target = path.join(outer, 'in');
    await mkdir(outer);
    const copied = await home.json<Record<string, { object: string; path: string }[]>>([
      ...['cp', `gs://${INPUT}/data/odd/`, target, '--key', 'lab'],
    ]);
    expect(copied['written']?.map((one) => one.path)).toContain('plain');
    expect(copied['mapped']?.length).toBeGreaterThan(1);
    const listed = [...(copied['written'] ?? []), ...(copied['mapped'] ?? [])];
    expect(copied).toMatchObject({ refused: [], failed: [] });
    expect(listed.map((one) => one.object).sort()).toEqual(
      names.map((name) => `data/odd/${name}`).sort(),
    );
    for (const one of listed)
      expect(await readFile(path.join(target, one.path), 'utf8')).toBe(
        one.object.slice('data/odd/'.length),
      );
    expect(await readdir(outer)).toEqual(['in']);
    for (const name of names) await admin('DELETE', `/storage/v1/b/${INPUT}/o/${object(name)}`);

    await writeFile(path.join(target, 'two\nlines'), 'x');
    const back = await home.run([
      ...['cp', target, `gs://${OUTPUT}/results/back`, '--key', 'lab', '--json'],
    ]);
    expect(back.status).toBe(1);
    const told = JSON.parse(back.stdout) as Record<string, { path: string }[]>;
    expect(told['written']).toHaveLength(names.length);
    expect(told['refused']?.map((one) => one.path)).toEqual(['two\nlines']);
  });

  it('copies one object to a name, and one file to a name', async () => {
    const file = path.join(home.folder, 'one.txt');
    const copies = path.join(home.home, 'copies');
    const before = await readdir(copies).catch(() => []);
    expect((await home.run(['cp', `gs://${INPUT}/data/a.txt`, file, '--key', 'lab'])).status).toBe(
      0,
    );
    expect(await readFile(file, 'utf8')).toBe('data/a.txt');
    expect((await home.run(['cp', file, `gs://${OUTPUT}/results/`, '--key', 'lab'])).status).toBe(
      0,
    );
    expect(await contentOf(OUTPUT, 'results/one.txt')).toBe('data/a.txt');
    // A copy that is whole leaves no journals.
    expect(await readdir(copies)).toEqual(before);
  });

  it('asks which key is meant when there are some', async () => {
    const unclear = await home.run(['cp', `gs://${INPUT}/data`, 'x']);
    expect(unclear.status).toBe(2);
    expect(unclear.stderr).toContain('lab');
    expect(unclear.stderr).toContain('--no-key');
    expect((await home.run(['cp', `gs://${INPUT}/data`, 'x', '--no-key'])).status).toBe(3);
  });
});

describe('jobs', () => {
  it('runs two workers, follows them, uploads, and ends with 0', async () => {
    const file = await jobFile(
      'good',
      [
        'cat note.txt "$TRAINYARD_DATA_PATH/deep/b.txt" > "$TRAINYARD_OUTPUT_PATH/out.txt"; printf "bar 1\\rbar 2\\n"',
        'echo "$NOTE" > "$TRAINML_OUTPUT_PATH/note.txt"; echo two',
      ],
      [...buckets, 'env: { NOTE: "a=b c" }'],
    );
    const ran = await home.run(['run', file, '--json']);
    expect(ran, ran.stderr).toMatchObject({ status: 0 });
    const job = JSON.parse(ran.stdout) as JobView;
    expect(job).toMatchObject({
      name: 'good',
      state: 'finished',
      workers: [
        { index: 0, state: 'finished', exitCode: 0 },
        { index: 1, state: 'finished', exitCode: 0 },
      ],
      output: `gs://${OUTPUT}/results/good/${job.id}/`,
    });
    // The whole address stands there before the job starts.
    expect(ran.stderr.indexOf(job.output ?? '?')).toBeLessThan(ran.stderr.indexOf('staging'));
    expect(ran.stderr.indexOf(job.output ?? '?')).toBeGreaterThan(-1);
    const base = `results/good/${job.id}`;
    expect(await namesBelow(OUTPUT, base)).toEqual([
      `${base}/manifest.json`,
      `${base}/worker-0/out.txt`,
      `${base}/worker-1/note.txt`,
    ]);
    expect(await contentOf(OUTPUT, `${base}/worker-0/out.txt`)).toBe(
      'from the code\ndata/deep/b.txt',
    );
    expect(await contentOf(OUTPUT, `${base}/worker-1/note.txt`)).toBe('a=b c\n');
    expect((await home.run(['logs', job.id, '--worker', '0'])).stdout).toBe('bar 1\rbar 2\n');
    expect((await home.run(['logs', job.id])).stdout).toBe('bar 1\rbar 2\ntwo\n');
    expect((await home.run(['job', job.id.slice(0, 15)])).stdout).toContain('finished');
    expect((await home.json<JobView[]>(['jobs']))[0]?.id).toBe(job.id);
    expect(await home.run(['retry', job.id])).toMatchObject({ status: 2 });
  });

  it('ends with 1 when a worker fails, with its exit status, and uploads what there is', async () => {
    const file = await jobFile(
      'bad',
      ['echo partly > "$TRAINYARD_OUTPUT_PATH/part.txt"; exit 7'],
      buckets,
    );
    const ran = await home.run(['run', file]);
    expect(ran).toMatchObject({ status: 1, stdout: '' });
    expect(ran.stderr).toContain('exit status 7');
    expect(ran.stderr).toMatch(/trainyard retry \S+/);
    const job = await home.job('latest');
    expect(job).toMatchObject({ state: 'failed', workers: [{ state: 'failed', exitCode: 7 }] });
    expect(await namesBelow(OUTPUT, `results/bad/${job.id}`)).toContain(
      `results/bad/${job.id}/worker-0/part.txt`,
    );
  });

  it('refuses a job whose input may not be listed, with 3, and starts nothing', async () => {
    const before = (await home.json<JobView[]>(['jobs'])).length;
    const file = await jobFile(
      'refused',
      ['true'],
      [`input: { gcs: gs://${INPUT}/data, key: nobody }`],
    );
    const refused = await home.run(['run', file]);
    expect(refused.status).toBe(3);
    expect(refused.stderr).toContain('storage.objects.list');
    expect(await home.json<JobView[]>(['jobs'])).toHaveLength(before);
  });

  it('keeps the output when the bucket refuses it, says what to ask for, and retry uploads it once the grant is there', async () => {
    const file = await jobFile(
      'closed',
      ['echo kept > "$TRAINYARD_OUTPUT_PATH/kept.txt"'],
      [`output: { gcs: gs://${OUTPUT}/closed, key: lab }`],
    );
    const refused = await home.run(['run', file]);
    expect(refused.status, refused.stderr).toBe(1);
    expect(refused.stderr).toContain('Storage Object Creator (roles/storage.objectCreator)');
    expect(refused.stderr).toContain(`objects/closed/`);
    const job = await home.job('latest');
    expect(job).toMatchObject({ state: 'failed', workers: [{ state: 'finished', exitCode: 0 }] });
    expect(await readFile(path.join(job.runDirectory, 'output/worker-0/kept.txt'), 'utf8')).toBe(
      'kept\n',
    );

    const address = `/storage/v1/b/${OUTPUT}/iam`;
    const policy = (await (
      await admin('GET', `${address}?optionsRequestedPolicyVersion=3`)
    ).json()) as { bindings?: unknown[] };
    const bindings = [
      ...(policy.bindings ?? []),
      { role: 'roles/storage.objectCreator', members: [`serviceAccount:${trainer}`] },
    ];
    const repaired = await admin(
      'PUT',
      address,
      JSON.stringify({ ...policy, version: 3, bindings }),
    );
    expect(repaired.status).toBe(200);
    const retried = await home.run(['retry', job.id]);
    expect(retried, retried.stderr).toMatchObject({ status: 0 });
    const after = await home.job(job.id);
    expect(after.workers[0]?.starts).toBe(1);
    expect(await namesBelow(OUTPUT, `closed/closed/${job.id}`)).toEqual([
      `closed/closed/${job.id}/manifest.json`,
      `closed/closed/${job.id}/worker-0/kept.txt`,
    ]);
  });

  it('says of an exact name that is taken that a retry meets it again, and retry uploads once it is free', async () => {
    const taken = `/storage/v1/b/${OUTPUT}/o/${encodeURIComponent('results/exact/model')}`;
    const put = await admin(
      'POST',
      `/upload/storage/v1/b/${OUTPUT}/o?uploadType=media&name=results/exact/model`,
      'another’s',
    );
    expect(put.status).toBe(200);
    const file = await jobFile(
      'exact',
      ['cd "$TRAINYARD_OUTPUT_PATH"; echo mine > model; echo log > log'],
      [`output: { gcs: gs://${OUTPUT}/results/exact, key: lab, layout: exact }`],
    );
    const clashed = await home.run(['run', file]);
    expect(clashed.status, clashed.stderr).toBe(1);
    const { id } = await home.job('latest');
    expect(clashed.stderr).toContain(`gs://${OUTPUT}/results/exact/model is there already`);
    expect(clashed.stderr).toContain('A retry finds the same names taken.');
    expect(clashed.stderr).toContain(`trainyard retry ${id}. Or run the job again`);
    expect(clashed.stderr).not.toContain('Try again:');
    expect((await admin('DELETE', taken)).status).toBe(204);
    const retried = await home.run(['retry', id]);
    expect(retried.status, retried.stderr).toBe(0);
    expect(await contentOf(OUTPUT, 'results/exact/model')).toBe('mine\n');
  });

  it('shows a run directory that cannot be read among the others', async () => {
    const folder = path.join(home.home, 'runs', '20200101-000000-abcdef');
    await mkdir(folder, { recursive: true });
    await writeFile(path.join(folder, 'plan.json'), '{"format":2,"kind":"training"}');
    const jobs = await home.json<JobView[]>(['jobs']);
    expect(jobs.length).toBeGreaterThan(1);
    expect(jobs.at(-1)).toMatchObject({ id: '20200101-000000-abcdef' });
    const shown = await home.run(['job', '20200101']);
    expect(shown.stdout).toMatch(/update/i);
    await rm(folder, { recursive: true });
  });

  it('is left running by SIGINT without a terminal (130), can be followed by its log, and stopped', async () => {
    const file = await jobFile('long', ['echo begun; sleep 60 & wait'], buckets);
    const running = home.start(['run', file]);
    await running.printed(/worker 0 started/);
    running.child.kill('SIGINT');
    const left = await running.ended;
    expect(left.status).toBe(130);
    expect(left.stderr).toMatch(/trainyard logs \S+ -f/);
    const job = await home.job('latest');
    expect(job).toMatchObject({ state: 'running', agent: { pid: expect.any(Number) as number } });
    const logs = home.start(['logs', job.id, '-f']);
    await logs.printed(/begun/);
    const stopped = await home.run(['stop', job.id]);
    expect(stopped).toMatchObject({ status: 0, stdout: `${job.id}: stopped\n` });
    expect(await logs.ended).toMatchObject({ status: 0, stdout: 'begun\n' });
    expect(await home.job(job.id)).toMatchObject({
      state: 'stopped',
      workers: [{ state: 'stopped' }],
    });
  });

  it('starts detached, prints the id, and a retry of a running job is refused', async () => {
    const file = await jobFile('detached', ['echo one; sleep 2; echo two'], buckets);
    const started = await home.run(['run', file, '--detach', '--json']);
    expect(started.status).toBe(0);
    const { id, ...rest } = JSON.parse(started.stdout) as { id: string };
    expect(rest).toEqual({});
    expect(started.stderr).toMatch(/access .* lasts until/);
    expect(await home.run(['retry', id])).toMatchObject({ status: 2 });
    const logs = await home.run(['logs', id, '-f']);
    expect(logs).toMatchObject({ status: 0, stdout: 'one\ntwo\n' });
    expect(await home.until(id, (job) => job.state === 'finished')).toMatchObject({
      state: 'finished',
    });
    const job = await home.until(id, (view) => view.agent === null);
    expect(await readdir(path.join(job.runDirectory, 'private'))).toEqual([]);
    expect((await eventsOf(job)).at(-1)).toMatchObject({ kind: 'ended', state: 'finished' });
  });

  it('two command lines on one home run two jobs at once, and see both', async () => {
    const files = await Promise.all(
      ['left', 'right'].map((name) => jobFile(name, [`echo ${name}; sleep 1`], buckets)),
    );
    const ended = await Promise.all(files.map((file) => home.run(['run', file])));
    expect(
      ended.map(({ status }) => status),
      ended.map(({ stderr }) => stderr).join('\n'),
    ).toEqual([0, 0]);
    const names = (await home.json<JobView[]>(['jobs'])).slice(0, 2).map((job) => job.name);
    expect(names.sort()).toEqual(['left', 'right']);
  });

  it('shows the host', async () => {
    const probe = await home.json<{ host: string; processors: number; disk: { free: number } }>([
      'hosts',
      'check',
      'local',
    ]);
    expect(probe.host).toBe('local');
    expect(probe.processors).toBeGreaterThan(0);
    expect(probe.disk.free).toBeGreaterThan(0);
    expect((await home.run(['hosts', 'check', 'local'])).stdout).toMatch(/Logging out +\S+/);
  });
});
