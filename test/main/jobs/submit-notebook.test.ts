import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { prepareNotebook } from '../../../src/main/jobs/submit-notebook.ts';
import { systemClock } from '../../../src/main/platform/clock.ts';
import { valueOf } from '../temp.ts';
import { freshHome, google } from './harness.ts';

test('a notebook without code does not look for a mention of a key file in the current folder; one with that folder does', async () => {
  const emulator = await google();
  const { base, open } = freshHome(emulator.environment);
  const services = await open();
  valueOf(await services.keys.add(emulator.keyFiles['trainer']!, { name: 'lab' }));
  writeFileSync(join(base, 'other.py'), 'open(os.environ["GOOGLE_APPLICATION_CREDENTIALS"])\n');
  const prepare = async (code: string | null) => {
    const prepared = valueOf(
      await prepareNotebook(
        {
          hosts: services.hosts,
          keys: services.keys,
          powers: { read: () => null },
          endpoints: services.endpoints,
          version: 'test',
          clock: systemClock,
        },
        {
          name: 'n',
          host: 'local',
          key: 'lab',
          mode: 'token',
          input: 'gs://input-data-bucket/data/',
          output: 'gs://artifacts-bucket/results/',
          code,
          gpus: 0,
        },
        { baseFolder: base },
      ),
    );
    return prepared;
  };
  const empty = await prepare(null);
  expect(empty.plan.code).toEqual({ kind: 'empty' });
  expect(empty.warnings.map(({ code }) => code)).not.toContain('input.worker-key-mode');
  const there = await prepare('.');
  expect(there.warnings).toMatchObject([{ code: 'input.worker-key-mode', subject: 'other.py' }]);
  // A key that may do no more than the job does is not spoken of, but that it sees all names of the input’s bucket is no surplus either.
  expect(there.more).toEqual([]);
}, 60_000);
