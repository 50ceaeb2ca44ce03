import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { keyService, type KeyService } from '../../../src/main/keys/service.ts';
import { chooseVaults } from '../../../src/main/keys/choose-vault.ts';
import { findKeyOfAccount, keyOfAccount } from '../../../src/main/jobs/key-of-account.ts';
import { namesKey } from '../../../src/main/jobs/key-dependents.ts';
import { openLog } from '../../../src/main/platform/log.ts';
import { pathsBelow } from '../../../src/main/platform/paths.ts';
import {
  KEPT_DAYS,
  KEPT_OF_KEY,
  keyUseRows,
  type KeyUseReader,
  type KeyUseWriter,
} from '../../../src/main/store/key-uses.ts';
import { keyRows } from '../../../src/main/store/keys.ts';
import { openStore, type Store } from '../../../src/main/store/open.ts';
import { settingRows } from '../../../src/main/store/settings.ts';
import { GOOGLE_ENDPOINTS } from '../../../src/shared/endpoints.ts';
import { wantsReplacing } from '../../../src/shared/key-age.ts';
import { KEY_OPERATIONS, KEY_REASONS, wordsOfUse } from '../../../src/shared/key-use.ts';
import type { KeyCard } from '../../../src/shared/key.ts';
import { problemOf, temporaryFolder, valueOf, writeKeyFile } from '../temp.ts';

const DAY = 86_400_000;
const LOOK = { operation: 'check', reason: 'check', job: null } as const;
const card = (id: string, more: Partial<KeyCard> = {}): KeyCard => ({
  id,
  name: id,
  email: 'trainer@demo-project.iam.gserviceaccount.com',
  projectId: 'demo-project',
  privateKeyId: `key-of-${id}`,
  clientId: null,
  tokenUri: 'https://oauth2.googleapis.com/token',
  fingerprint: id,
  addedAt: '2026-01-01T00:00:00.000Z',
  lastUsedAt: null,
  vault: 'passphrase',
  ...more,
});

function freshStore(): { folder: string; store: Store } {
  const folder = temporaryFolder();
  const { database, logs } = pathsBelow(folder);
  return { folder, store: openStore(database, openLog(join(logs, 'log'))) };
}

/** A service with a clock that the test moves. */
function service(): {
  folder: string;
  keys: KeyService;
  clock: { at: number };
  withUses: (uses: KeyUseReader & KeyUseWriter) => KeyService;
} {
  const folder = temporaryFolder();
  const paths = pathsBelow(join(folder, 'home'));
  mkdirSync(paths.home);
  const log = openLog(join(paths.logs, 'log'));
  const store = openStore(paths.database, log);
  const clock = { at: Date.parse('2026-01-01T10:00:00Z') };
  const settings = settingRows(store);
  const vaults = chooseVaults({ TRAINYARD_VAULT: 'passphrase' }, paths);
  const withUses = (uses: KeyUseReader & KeyUseWriter): KeyService =>
    keyService({
      rows: keyRows(store),
      uses,
      settings,
      vaults,
      endpoints: GOOGLE_ENDPOINTS,
      log,
      clock: { now: () => clock.at },
    });
  return { folder, keys: withUses(keyUseRows(store)), clock, withUses };
}

test('a key asks for a newer one 90 days after it was taken in, and a new one starts anew', async () => {
  const { folder, keys, clock } = service();
  valueOf(await keys.openPassphraseVault('open sesame'));
  writeKeyFile(join(folder, 'a.json'));
  const { addedAt } = valueOf(await keys.add(join(folder, 'a.json'), { name: 'lab' }));
  clock.at += 89 * DAY;
  expect(wantsReplacing(addedAt, clock.at)).toBe(false);
  clock.at += DAY;
  expect(wantsReplacing(addedAt, clock.at)).toBe(true);
  writeKeyFile(join(folder, 'b.json'));
  const newer = valueOf(await keys.read(join(folder, 'b.json')));
  expect(wantsReplacing(valueOf(await keys.replace('lab', newer)).addedAt, clock.at)).toBe(false);
});

test('the log tells of a life: taken in, used, replaced, removed; by the last name when the key is gone', async () => {
  const { folder, keys, clock } = service();
  valueOf(await keys.openPassphraseVault('open sesame'));
  writeKeyFile(join(folder, 'a.json'));
  const first = valueOf(await keys.add(join(folder, 'a.json'), { name: 'lab' }));
  for (let minute = 0; minute < 3; minute += 1) {
    valueOf(await keys.load(first.id, LOOK));
    clock.at += 60_000;
  }
  clock.at += 3_600_000;
  valueOf(await keys.load(first.id, LOOK));
  writeKeyFile(join(folder, 'b.json'));
  const newer = valueOf(await keys.read(join(folder, 'b.json')));
  valueOf(await keys.replace('lab', newer));
  clock.at += 60_000;
  valueOf(await keys.rename('lab', 'old-lab'));
  valueOf(await keys.remove('old-lab'));
  expect(problemOf(await keys.uses('nobody', 10)).code).toBe('input.key-unknown');
  const uses = valueOf(await keys.uses('old-lab', 10));
  expect(
    uses.map(({ operation, times, privateKeyId }) => [operation, times, privateKeyId]),
  ).toEqual([
    ['removed', 1, newer.privateKeyId],
    ['replaced', 1, newer.privateKeyId],
    ['check', 1, first.privateKeyId],
    ['check', 3, first.privateKeyId],
    ['added', 1, first.privateKeyId],
  ]);
  expect(uses[3]).toMatchObject({
    firstAt: '2026-01-01T10:00:00.000Z',
    lastAt: '2026-01-01T10:02:00.000Z',
  });
});

test('a log that cannot be written hinders nothing', async () => {
  const { folder, withUses } = service();
  const broken = (): never => {
    throw new Error('the disk is full');
  };
  const keys = withUses({ add: broken, list: broken, lastNamed: broken });
  valueOf(await keys.openPassphraseVault('open sesame'));
  writeKeyFile(join(folder, 'a.json'));
  const { id } = valueOf(await keys.add(join(folder, 'a.json')));
  valueOf(await keys.load(id, LOOK));
  valueOf(await keys.remove(id));
  rmSync(join(folder, 'a.json'));
});

test('the log is bounded by count and by age, each key by itself', () => {
  const { store } = freshStore();
  const uses = keyUseRows(store);
  const start = Date.parse('2026-01-01T00:00:00Z');
  const at = (hours: number): string => new Date(start + hours * 3_600_000).toISOString();
  const use = { operation: 'read-token', reason: 'job', failed: null } as const;
  valueOf(uses.add(card('other'), { ...use, job: 'first' }, at(0)));
  const began = performance.now();
  const count = KEPT_OF_KEY + 200;
  for (let hour = 0; hour < count; hour += 1)
    valueOf(uses.add(card('lab'), { ...use, job: `job-${hour}` }, at(hour)));
  // Cheap: a thousand of them are done in seconds even where much else goes on.
  expect(performance.now() - began).toBeLessThan(20_000);
  const kept = valueOf(uses.list('lab', 10_000));
  expect(kept.length).toBeGreaterThanOrEqual(KEPT_OF_KEY);
  expect(kept.length).toBeLessThan(KEPT_OF_KEY + 60);
  expect(kept[0]?.job).toBe(`job-${count - 1}`);
  expect(valueOf(uses.list('other', 10))).toHaveLength(1);
  // Another process much later.
  valueOf(keyUseRows(store).add(card('lab'), { ...use, job: 'late' }, at(count + KEPT_DAYS * 24)));
  expect(valueOf(uses.list('lab', 10)).map(({ job }) => job)).toEqual(['late']);
  expect(valueOf(uses.list('other', 10))).toEqual([]);
  store.close();
});

test('every operation and reason has words', () => {
  for (const operation of Object.keys(KEY_OPERATIONS) as (keyof typeof KEY_OPERATIONS)[])
    for (const reason of Object.keys(KEY_REASONS) as (keyof typeof KEY_REASONS)[])
      expect(wordsOfUse({ operation, reason, job: 'some-job' })).toMatch(/^\S.*: some-job$/);
});

test('a job finds the key that it names, never another of the account by itself', () => {
  const account = (of: KeyCard) => ({ ...of, keyId: of.id });
  const [lab, second] = [card('lab'), card('second')];
  const job = account(lab);
  expect(findKeyOfAccount([second, lab], job)).toBe(lab);
  expect(findKeyOfAccount([second, lab], account(second))).toBe(second);
  const replaced = { ...lab, privateKeyId: 'newer', fingerprint: 'newer' };
  expect(findKeyOfAccount([second, replaced], job)).toBe(replaced);
  const again = card('again', { privateKeyId: lab.privateKeyId });
  expect(findKeyOfAccount([second, again], job)).toBe(again);
  const named = card('new', { name: 'lab' });
  expect(findKeyOfAccount([second, named], job)).toBe(named);
  const stranger = card('x', { name: 'lab', email: 'other@demo-project.iam.gserviceaccount.com' });
  expect(findKeyOfAccount([stranger], job)).toBeNull();

  const offered = problemOf(keyOfAccount([second, stranger], job, 'JOB'));
  expect(offered.code).toBe('access.key-named-otherwise');
  expect(offered.message).toContain('"second"');
  expect(offered.hint).toContain('trainyard keys rename second lab');
  const gone = problemOf(keyOfAccount([stranger], job, 'JOB'));
  expect(gone.code).toBe('access.key-removed');
  expect(gone.hint).toContain('trainyard keys add FILE --name lab');
  expect(gone.hint).toContain('trainyard retry JOB');
});

test('a template names a key in any of its places', () => {
  const lab = card('id-1', { name: 'lab' });
  for (const text of [
    'input: { gcs: gs://b/p, key: lab }',
    'output:\n  gcs: gs://b/p\n  key: trainer@demo-project.iam.gserviceaccount.com\n',
    'code: { gcs: gs://b/p, key: id-1 }',
    'workerKeys: [ { key: other }, { key: lab, mode: key-file } ]',
  ])
    expect(namesKey(text, lab)).toBe(true);
  for (const text of ['input: { gcs: gs://lab/lab, key: lab2 }', 'lab', '{', '', 'workerKeys: 3'])
    expect(namesKey(text, lab)).toBe(false);
});
