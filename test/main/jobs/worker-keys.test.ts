import { readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { expect, test } from 'vitest';
import { describeJob } from '../../../src/cli/job-text.ts';
import type { Output } from '../../../src/cli/output.ts';
import { problemOf, valueOf } from '../temp.ts';
import { adminOf, ends, freshHome, google, job, submit, until } from './harness.ts';

const CLIENTS = resolve(import.meta.dirname, '../../fixtures/worker-clients');
const buckets = `input: { gcs: gs://input-data-bucket/data, key: trainer }
output: { gcs: gs://artifacts-bucket/results, key: trainer }
`;
const workerKey = (mode: string): string => `workerKeys: [ { key: trainer, mode: ${mode} } ]\n`;
const asks = (seconds: number): string =>
  `env SECONDS=${seconds} BUCKET=input-data-bucket PREFIX=data/ node ${join(CLIENTS, 'ask-tokens.mjs')}`;

interface Told {
  readonly asked: number;
  readonly tokens: number;
  readonly wrong: readonly string[];
}
const toldBy = (home: string, id: string): Told =>
  JSON.parse(
    readFileSync(join(home, 'runs', id, 'logs/worker-0.log'), 'utf8').split('\n')[0] ?? '',
  ) as Told;

test('with tokens of six seconds, a worker that asks for twenty always gets a live one: from the application, and from an unattended agent', async () => {
  const emulator = await google({ lifetime: 6 });
  const { base, home, open } = freshHome(emulator.environment);
  const services = await open();
  valueOf(await services.keys.add(emulator.keyFiles['trainer']!));
  const stop = new AbortController();
  services.jobs.keepAccess(stop.signal);
  const ids: string[] = [];
  for (const more of [
    buckets + workerKey('token'),
    buckets + workerKey('account-token'),
    `${buckets}${workerKey('token')}unattended: true\n`,
  ])
    ids.push(valueOf(await submit(services, base, job(asks(20), more))).id);
  for (const id of ids) {
    await until(services, id, ({ state }) => state === 'finished', 90);
    const { asked, tokens, wrong } = toldBy(home, id);
    expect(wrong).toEqual([]);
    expect(asked).toBeGreaterThan(10);
    // One serves for four and a half seconds.
    expect(tokens).toBeGreaterThanOrEqual(3);
  }
  stop.abort();
}, 150_000);

test('a bucket that refuses narrowed tokens is told before the start', async () => {
  const emulator = await google();
  const { base, open } = freshHome(emulator.environment);
  const services = await open();
  valueOf(await services.keys.add(emulator.keyFiles['trainer']!));
  const text = job('true', buckets + workerKey('token'));
  const good = valueOf(await submit(services, base, text));
  expect(good.warnings).toEqual([]);
  const storage = await adminOf(emulator);
  // Grants with conditions would keep a bucket from being changed.
  await storage.bucket('artifacts-bucket').delete();
  const metadata = { iamConfiguration: { uniformBucketLevelAccess: { enabled: false } } };
  await storage.createBucket('artifacts-bucket', metadata);
  const told = valueOf(await submit(services, base, text)).warnings;
  expect(told.map(({ code, subject }) => [code, subject])).toEqual([
    ['access.narrowed-refused', 'gs://artifacts-bucket'],
    ['access.not-narrowed', 'gs://artifacts-bucket'],
  ]);
}, 60_000);

test('a job without input and output in a bucket is refused in mode token, and gets the account in mode account-token', async () => {
  const emulator = await google();
  const { base, home, open } = freshHome(emulator.environment);
  const services = await open();
  valueOf(await services.keys.add(emulator.keyFiles['trainer']!));
  const refused = problemOf(await submit(services, base, job('true', workerKey('token'))));
  expect(refused.code).toBe('input.worker-key-nothing');
  expect(refused.hint).toContain('account-token');
  writeFileSync(join(base, 'code', 'data.py'), 'Client.from_service_account_json("k.json")\n');
  const submitted = valueOf(await submit(services, base, job(asks(1), workerKey('account-token'))));
  const { id } = submitted;
  expect(submitted.warnings.map(({ message }) => message)).toEqual([
    'data.py mentions from_service_account_json, and in the mode account-token the workers find no key file.',
  ]);
  const view = await ends(services, id);
  expect(view.workerKeys).toEqual([{ name: 'trainer', mode: 'account-token' }]);
  const plain = { paint: (_: string, text: string) => text } as unknown as Output;
  expect(describeJob(view, plain).join('\n')).toMatch(
    /Keys +workers get trainer, mode account-token/,
  );
  expect(toldBy(home, id)).toMatchObject({ tokens: 1, wrong: [] });
}, 60_000);
