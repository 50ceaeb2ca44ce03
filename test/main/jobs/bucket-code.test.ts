import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmodSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Storage } from '@google-cloud/storage';
import { beforeAll, expect, test } from 'vitest';
import { parseEventLine, type RunEvent } from '../../../src/shared/events.ts';
import { exitStatusOf } from '../../../src/shared/problem.ts';
import type { RunningEmulator } from '../../emulator/start.ts';
import { problemOf, temporaryFolder, valueOf } from '../temp.ts';
import { adminOf, ends, freshHome, google, submit, until } from './harness.ts';

let emulator: RunningEmulator;
let storage: Storage;
const source = temporaryFolder();

/** The bytes and the modes' execute bits of a tree. */
function sumOf(folder: string): string {
  const sum = createHash('sha256');
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8' }).toSorted();
  for (const name of names) {
    const status = statSync(join(folder, name));
    if (!status.isFile()) continue;
    sum.update(`${name}\0${status.mode & 0o100}\0${status.size}\0`);
    sum.update(readFileSync(join(folder, name)));
  }
  return sum.digest('hex');
}

const object = (name: string, content: Buffer | string): Promise<void> =>
  storage.bucket('input-data-bucket').file(name).save(content, { resumable: false });

const job = (address: string, command: string, key = ', key: trainer'): string =>
  `name: fetched\nhost: local\ncode: { gcs: ${address}${key} }\nworkers: [ ${JSON.stringify(command)} ]\n`;

function eventsOf(directory: string): RunEvent[] {
  return readFileSync(join(directory, 'events.jsonl'), 'utf8')
    .split('\n')
    .flatMap((line) => {
      const parsed = parseEventLine(line);
      return 'event' in parsed ? [parsed.event] : [];
    });
}

beforeAll(async () => {
  emulator = await google();
  storage = await adminOf(emulator);
  mkdirSync(join(source, 'deep'));
  writeFileSync(join(source, 'train.sh'), '#!/bin/sh\necho trained\n');
  chmodSync(join(source, 'train.sh'), 0o755);
  writeFileSync(join(source, 'deep/weights'), Buffer.alloc(300_000, 'w'));
  const pack = (): Buffer => execFileSync('tar', ['-cz', '-C', source, '.']);
  await object('data/code.tar.gz', pack());
  await object('data/broken.zip', 'no archive');
}, 60_000);

async function open() {
  const { base, home, open: openServices } = freshHome(emulator.environment);
  const services = await openServices();
  valueOf(await services.keys.add(emulator.keyFiles['trainer']!));
  return { base, home, services };
}

test('an archive of a bucket is the code: unpacked, executable, with a copy for the worker', async () => {
  const { base, home, services } = await open();
  const text = job('gs://input-data-bucket/data/code.tar.gz', './train.sh');
  const { id, plan } = valueOf(await submit(services, base, `setup: test -x train.sh\n${text}`));
  expect(plan.code).toMatchObject({
    kind: 'gcs',
    bucket: 'input-data-bucket',
    target: { kind: 'archive', object: 'data/code.tar.gz', format: 'tar.gz' },
    account: { name: 'trainer' },
  });
  const view = await ends(services, id);
  expect(view.state).toBe('finished');
  const run = join(home, 'runs', id);
  expect(readFileSync(join(run, 'logs/worker-0.log'), 'utf8')).toBe('trained\n');
  expect(sumOf(join(run, 'code'))).toBe(sumOf(source));
  expect(sumOf(join(run, 'workers/0/code'))).toBe(sumOf(source));
  expect(eventsOf(run).find(({ kind }) => kind === 'code-staged')).toMatchObject({ files: 2 });
  expect(
    (await services.jobs.usingKey(plan.code.kind === 'gcs' ? plan.code.account!.keyId : '')).length,
  ).toBe(0);
}, 60_000);

test('a folder of a bucket is the code, whole also when the agent is killed while it fetches', async () => {
  const folder = temporaryFolder();
  const count = 150;
  for (let index = 0; index < count; index += 1)
    writeFileSync(join(folder, `part-${index}`), createHash('sha512').update(`${index}`).digest());
  await Promise.all(
    readdirSync(folder).map((name) =>
      object(`data/many/${name}`, readFileSync(join(folder, name))),
    ),
  );
  const { base, home, services } = await open();
  const text = job('gs://input-data-bucket/data/many', 'ls | wc -l');
  const { id } = valueOf(await submit(services, base, text));
  const run = join(home, 'runs', id);
  const { agent } = await until(services, id, (view) => view.agent !== null);
  const begun = (): boolean => {
    try {
      return readdirSync(join(run, 'code')).length > 5;
    } catch {
      return false;
    }
  };
  for (const end = Date.now() + 20_000; Date.now() < end && !begun();)
    await new Promise((resolve) => setTimeout(resolve, 1));
  process.kill(agent!.pid, 'SIGKILL');
  await until(services, id, (view) => view.agent === null);
  expect(eventsOf(run).some(({ kind }) => kind === 'code-staged')).toBe(false);
  valueOf(await services.jobs.retry(id));
  expect(await ends(services, id)).toMatchObject({ state: 'finished', workers: [{ starts: 1 }] });
  expect(sumOf(join(run, 'code'))).toBe(sumOf(folder));
  expect(sumOf(join(run, 'workers/0/code'))).toBe(sumOf(folder));
  expect(readFileSync(join(run, 'logs/worker-0.log'), 'utf8').trim()).toBe(String(count));
}, 60_000);

test('what is not there, may not be read or is broken is told, and nothing runs', async () => {
  const { base, home, services } = await open();
  const refused = async (text: string): Promise<[string, number]> => {
    const problem = problemOf(await submit(services, base, text));
    expect(problem.hint).not.toBe('');
    return [problem.code, exitStatusOf(problem)];
  };
  const bucket = 'gs://input-data-bucket';
  expect(await refused(job(`${bucket}/data/missing.zip`, 'x'))).toEqual(['input.nothing-there', 2]);
  expect((await refused(job(`${bucket}/other.zip`, 'x')))[1]).toBe(3);
  expect((await refused(job(`${bucket}/data/code.tar.gz`, 'x', '')))[1]).toBe(3);
  expect(await refused(job(`${bucket}/data/code.tar.gz`, 'x', ', key: nobody'))).toEqual([
    'input.key-unknown',
    2,
  ]);
  expect(readdirSync(join(home, 'runs'))).toEqual([]);

  const { id } = valueOf(await submit(services, base, job(`${bucket}/data/broken.zip`, 'x')));
  const view = await ends(services, id);
  expect(view).toMatchObject({
    state: 'failed',
    status: { problem: { code: 'transfer.archive-broken' } },
  });
  expect(eventsOf(join(home, 'runs', id)).some(({ kind }) => kind === 'worker-started')).toBe(
    false,
  );
}, 60_000);
