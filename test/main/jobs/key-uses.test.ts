import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { keyDependents } from '../../../src/main/jobs/key-dependents.ts';
import { valueOf } from '../temp.ts';
import { ends, freshHome, google, job, submit, until } from './harness.ts';

test('each operation of a job is in the log of its key with the id of the job, renewed by the open application too; no token is', async () => {
  const emulator = await google({ lifetime: 6 });
  const { base, home, open } = freshHome(emulator.environment);
  const services = await open();
  const lab = valueOf(await services.keys.add(emulator.keyFiles['trainer']!, { name: 'lab' }));
  const stop = new AbortController();
  services.jobs.keepAccess(stop.signal);
  const buckets =
    'input: { gcs: gs://input-data-bucket/data, key: lab }\noutput: { gcs: gs://artifacts-bucket/results, key: lab }\n';
  const start = async (command: string, more: string) =>
    valueOf(await submit(services, base, job(command, `${buckets}${more}`))).id;
  const narrowed = await start('sleep 8', 'workerKeys: [ { key: lab, mode: token } ]\n');
  const full = await start('true', 'workerKeys: [ { key: lab, mode: account-token } ]\n');
  const handed = await start(
    'sleep 10',
    'unattended: true\nworkerKeys: [ { key: lab, mode: key-file } ]\n',
  );
  await until(services, handed, ({ agent }) => agent !== null);
  const dependents = await keyDependents(services, lab);
  expect(dependents.holding).toEqual([handed]);
  expect(dependents.live.map(({ id }) => id)).toContain(handed);
  for (const id of [narrowed, full, handed])
    expect(await ends(services, id)).toMatchObject({ state: 'finished' });
  stop.abort();
  const token = valueOf(
    await services.keys.mint(lab.id, 'read', services.endpoints, {
      use: { operation: 'check', reason: 'check', job: null },
    }),
  ).token;

  const uses = valueOf(await services.keys.uses('lab', 100));
  const of = (id: string | null) =>
    [...new Set(uses.filter((use) => use.job === id).map(({ operation }) => operation))].sort();
  expect(of(narrowed)).toEqual(['read-token', 'worker-token', 'write-token']);
  expect(of(full)).toEqual(['account-token', 'read-token', 'write-token']);
  expect(of(handed)).toEqual(['key-file', 'key-to-agent', 'read-token', 'write-token']);
  expect(of(null)).toEqual(['added', 'check', 'read-token']);
  const times = (operation: string) =>
    uses
      .filter((use) => use.job === narrowed && use.operation === operation)
      .reduce((sum, use) => sum + use.times, 0);
  // It outlived its first token: the application renewed what was still needed, as often as it needed to.
  expect(times('write-token')).toBeGreaterThan(1);
  expect(times('worker-token')).toBeGreaterThan(1);
  const database = ['', '-wal']
    .map((suffix) => join(home, `trainyard.db${suffix}`))
    .filter((file) => existsSync(file));
  const bytes = Buffer.concat(database.map((file) => readFileSync(file)));
  expect(bytes.includes(lab.id)).toBe(true);
  for (let from = 0; from + 20 <= token.length; from += 1)
    expect(bytes.includes(token.slice(from, from + 20))).toBe(false);
  expect(bytes.includes('ya29')).toBe(false);
}, 90_000);
