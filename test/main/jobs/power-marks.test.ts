import { join } from 'node:path';
import { expect, test } from 'vitest';
import { marksOfAll } from '../../../src/main/jobs/power-marks.ts';
import { powerBook } from '../../../src/main/keys/power-book.ts';
import { openLog } from '../../../src/main/platform/log.ts';
import { openStore } from '../../../src/main/store/open.ts';
import { settingRows } from '../../../src/main/store/settings.ts';
import type { Account } from '../../../src/shared/key.ts';
import { ok } from '../../../src/shared/problem.ts';
import { planOf } from '../hosts/conformance.ts';
import { temporaryFolder } from '../temp.ts';

const finding = { permission: 'storage.buckets.delete', on: 'gs://b', what: 'delete it' };

test('plans are read for the marks of jobs only where some key is known for an administrator’s', async () => {
  const folder = temporaryFolder();
  const log = openLog(join(folder, 'log'));
  const book = powerBook(settingRows(openStore(join(folder, 'x.db'), log)));
  const access = { known: (id: string) => book.read(id), knowsAny: () => book.hasAny() };
  const account: Account = {
    keyId: 'ruler',
    name: 'r',
    email: 'r@p.iam.gserviceaccount.com',
    projectId: 'p',
    privateKeyId: 'k',
  };
  let read = 0;
  const jobs = {
    plan: async (id: string) => {
      read += 1;
      const plan = planOf('/code', ['a']);
      return ok({ ...plan, id, workerKeys: [{ account, mode: 'token' as const }] });
    },
  };
  const ids = Array.from({ length: 100 }, (_, at) => `id-${at}`);
  expect((await marksOfAll(jobs, access, ids)).size).toBe(0);
  expect(read).toBe(0);
  book.note('ruler', { state: 'found', findings: [finding], asked: ['gs://b'] });
  expect((await marksOfAll(jobs, access, ids)).get('id-99')).toMatchObject([{ name: 'r' }]);
  expect(read).toBe(100);
  // What was found is gone by a later check.
  book.note('ruler', { state: 'nothing-found', findings: [], asked: ['gs://b'] });
  expect((await marksOfAll(jobs, access, ids)).size).toBe(0);
  expect(read).toBe(100);
});
