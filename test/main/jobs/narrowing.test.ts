import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { gatherAccess } from '../../../src/main/jobs/access.ts';
import { parseJobFile } from '../../../src/main/jobs/job-file.ts';
import type { SubmitOptions } from '../../../src/main/jobs/submit.ts';
import type { Services } from '../../../src/main/services.ts';
import { parseEventLine } from '../../../src/shared/events.ts';
import type { Result } from '../../../src/shared/problem.ts';
import type { SubmittedJob } from '../../../src/main/jobs/service.ts';
import { systemClock } from '../../../src/main/platform/clock.ts';
import { problemOf, valueOf } from '../temp.ts';
import { adminOf, ends, freshHome, google, job } from './harness.ts';

const both = (key: string): string => `input: { gcs: gs://input-data-bucket/data/, key: ${key} }
output: { gcs: gs://artifacts-bucket/results, key: ${key} }
`;

/** A home with the key of an account that may do everything, and of one that may do its job. */
async function world() {
  const emulator = await google();
  const home = freshHome(emulator.environment);
  const services = await home.open();
  for (const name of ['admin', 'trainer'])
    valueOf(await services.keys.add(emulator.keyFiles[name]!, { name }));
  const storage = await adminOf(emulator);
  await storage.bucket('input-data-bucket').file('secret.txt').save('s', { resumable: false });
  const submit = (
    text: string,
    options: Partial<SubmitOptions> = {},
  ): Promise<Result<SubmittedJob>> =>
    services.jobs.submit(valueOf(parseJobFile(text, { path: 'job.yaml' })), {
      baseFolder: home.base,
      ...options,
    });
  return { emulator, storage, ...home, services, submit };
}

/** What a run tells of its access; a busy machine makes it tell of other things. */
const warningsOf = (home: string, id: string): string[] =>
  readFileSync(join(home, 'runs', id, 'events.jsonl'), 'utf8')
    .split('\n')
    .flatMap((line) => {
      const parsed = parseEventLine(line);
      return 'event' in parsed &&
        parsed.event.kind === 'warning' &&
        parsed.event.message.includes('narrowed')
        ? [parsed.event.message]
        : [];
    });

/** What a token of the agent's may do, asked of the emulator. */
async function reach(services: Services, id: string, purpose: 'read' | 'write') {
  const plan = valueOf(await services.jobs.plan(id));
  const access = valueOf(await gatherAccess(services.keys, plan, systemClock));
  const { token } = access.secrets.tokens.find((one) => one.purpose === purpose)!.access;
  const { storage } = services.endpoints;
  const ask = async (path: string, init: RequestInit = {}): Promise<number> => {
    const headers = { authorization: `Bearer ${token}` };
    const answer = await fetch(`${storage}${path}`, { ...init, headers });
    await answer.arrayBuffer();
    return answer.status;
  };
  const read = (bucket: string, name: string) =>
    ask(`/storage/v1/b/${bucket}/o/${encodeURIComponent(name)}`);
  const list = (bucket: string, prefix: string) =>
    ask(`/storage/v1/b/${bucket}/o?prefix=${encodeURIComponent(prefix)}`);
  const create = (bucket: string, name: string) =>
    ask(`/upload/storage/v1/b/${bucket}/o?uploadType=media&name=${encodeURIComponent(name)}`, {
      method: 'POST',
      body: 'x',
    });
  return { read, list, create };
}

test('an administrator’s job: the tokens of its agent reach input and output of the job alone, in each mode', async () => {
  const { services, submit } = await world();
  // The form of a key that is known to administer asks; nothing was looked for here.
  for (const more of ['', 'workerKeys: [ { key: admin, mode: account-token } ]\n']) {
    const { id, warnings } = valueOf(await submit(job('true', both('admin') + more)));
    expect(warnings).toEqual([]);
    expect((await ends(services, id)).state).toBe('finished');
    const reads = await reach(services, id, 'read');
    expect(await reads.read('input-data-bucket', 'data/a.txt')).toBe(200);
    expect(await reads.list('input-data-bucket', 'data/')).toBe(200);
    expect(await reads.read('input-data-bucket', 'secret.txt')).toBe(403);
    expect(await reads.list('input-data-bucket', '')).toBe(403);
    expect(await reads.create('artifacts-bucket', `results/digits/${id}/x`)).toBe(403);
    const writes = await reach(services, id, 'write');
    expect(await writes.read('artifacts-bucket', `results/digits/${id}/manifest.json`)).toBe(200);
    expect(await writes.list('artifacts-bucket', `results/digits/${id}/`)).toBe(200);
    expect(await writes.create('artifacts-bucket', `results/digits/${id}/new`)).toBe(200);
    expect(await writes.create('artifacts-bucket', 'results/other')).toBe(403);
    expect(await writes.read('input-data-bucket', 'data/a.txt')).toBe(403);
  }
}, 60_000);

test('what is gone of an output is uploaded again with narrowed access, and a retry goes on with it', async () => {
  const { services, submit, storage, home } = await world();
  const text = job('echo one > $TRAINYARD_OUTPUT_PATH/one.txt', both('admin'));
  const { id } = valueOf(await submit(text.replace('output: { ', 'output: { layout: exact, ')));
  expect((await ends(services, id)).state).toBe('finished');
  const object = storage.bucket('artifacts-bucket').file('results/one.txt');
  await object.delete();
  valueOf(await services.jobs.uploadAgain(id));
  const view = await ends(services, id);
  expect(view).toMatchObject({ state: 'finished', status: { leftOut: [] } });
  expect(warningsOf(home, id)).toEqual([]);
  expect((await object.download())[0].toString()).toBe('one\n');
}, 60_000);

test('a bucket that cannot narrow: the start says so and asks once; where nobody is asked it goes on, and the run says it too', async () => {
  const { services, submit, storage, home, base } = await world();
  await storage.bucket('artifacts-bucket').delete();
  const metadata = { iamConfiguration: { uniformBucketLevelAccess: { enabled: false } } };
  await storage.createBucket('artifacts-bucket', metadata);
  writeFileSync(join(base, 'code', 'x.txt'), 'x');
  const text = job('echo one > $TRAINYARD_OUTPUT_PATH/one.txt', both('admin'));

  const refused = problemOf(await submit(text, { onNotNarrowed: () => Promise.resolve(false) }));
  expect(refused).toMatchObject({
    code: 'access.not-narrowed',
    subject: 'gs://artifacts-bucket',
  });
  expect(await services.jobs.list()).toEqual([]);

  const unattended = valueOf(await submit(`${text}unattended: true\n`));
  expect(unattended.warnings.map(({ code }) => code)).toEqual(['access.not-narrowed']);
  expect((await ends(services, unattended.id)).state).toBe('finished');
  expect(warningsOf(home, unattended.id)).toEqual([refused.message]);

  let asked = 0;
  const yes: Partial<SubmitOptions> = {
    onNotNarrowed: (problems) => {
      asked += problems.length;
      return Promise.resolve(true);
    },
  };
  const first = valueOf(await submit(text, yes));
  const second = valueOf(await submit(text, yes));
  expect(asked).toBe(1);
  for (const { id, warnings } of [first, second]) {
    expect(warnings).toHaveLength(1);
    expect((await ends(services, id)).state).toBe('finished');
  }
  // The input's bucket narrows all the same.
  const reads = await reach(services, second.id, 'read');
  expect(await reads.read('input-data-bucket', 'secret.txt')).toBe(403);
}, 90_000);

test('an agent that holds the key narrows for itself; a Security Token Service out of reach refuses no job', async () => {
  const { services, submit, home } = await world();
  const { id } = valueOf(await submit(job('true', `${both('admin')}unattended: true\n`)));
  expect((await ends(services, id)).state).toBe('finished');
  const { endpoints } = services;
  const lost = { ...endpoints, securityTokenService: 'http://127.0.0.1:9/v1/token' };
  const plan = { ...valueOf(await services.jobs.plan(id)), endpoints: lost };
  const access = valueOf(
    await gatherAccess(services.keys, plan, systemClock, { timeoutMs: 2_000 }),
  );
  expect(access.secrets.whole).toHaveLength(2);
  expect(access.narrowing.refused[0]?.problem.code).toBe('access.not-narrowed');
  expect(warningsOf(home, id)).toEqual([]);
  // Once it was decided to narrow, a renewal waits for the service.
  const renewed = await gatherAccess(services.keys, plan, systemClock, {
    timeoutMs: 1_000,
    decided: [],
  });
  expect(problemOf(renewed).code).toMatch(/^network\./);
}, 60_000);
