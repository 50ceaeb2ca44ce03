import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import type { KeyCard } from '../../../src/shared/key.ts';
import { openLog } from '../../../src/main/platform/log.ts';
import { openDatabase } from '../../../src/main/store/database.ts';
import { jobRows } from '../../../src/main/store/jobs.ts';
import { keyRows } from '../../../src/main/store/keys.ts';
import { openStore, type Store } from '../../../src/main/store/open.ts';
import { settingRows } from '../../../src/main/store/settings.ts';
import { problemOf, temporaryFolder, valueOf } from '../temp.ts';

const writer = fileURLToPath(new URL('writer.ts', import.meta.url));

function freshStore(): { path: string; store: Store; folder: string } {
  const folder = temporaryFolder();
  const path = join(folder, 'trainyard.db');
  return { folder, path, store: openStore(path, openLog(join(folder, 'log'))) };
}

const card = (id: string, name: string): KeyCard => ({
  id,
  name,
  email: `${name}@p.iam.gserviceaccount.com`,
  projectId: 'p',
  privateKeyId: 'k',
  clientId: null,
  tokenUri: 'https://oauth2.googleapis.com/token',
  fingerprint: `f-${id}`,
  addedAt: '2026-01-01T00:00:00.000Z',
  lastUsedAt: null,
  vault: 'passphrase',
});

test('rows come back as they were written, and names and fingerprints are unique', () => {
  const { store } = freshStore();
  const keys = keyRows(store);
  expect(valueOf(keys.insert(card('1', 'lab')))).toBe('written');
  expect(valueOf(keys.insert(card('2', 'lab')))).toBe('taken');
  expect(valueOf(keys.insert({ ...card('3', 'other'), fingerprint: 'f-1' }))).toBe('taken');
  valueOf(keys.insert(card('4', 'home')));
  expect(valueOf(keys.rename('4', 'lab'))).toBe('taken');
  expect(valueOf(keys.rename('4', 'house'))).toBe('written');
  valueOf(keys.touch('1', '2026-02-02T00:00:00.000Z'));
  expect(valueOf(keys.list())).toEqual([
    { ...card('4', 'home'), name: 'house' },
    { ...card('1', 'lab'), lastUsedAt: '2026-02-02T00:00:00.000Z' },
  ]);
  valueOf(keys.remove('4'));
  expect(valueOf(keys.list())).toHaveLength(1);

  const jobs = jobRows(store);
  const job = { id: 'a', host: 'local', eventsSize: 5, eventsChanged: 7, view: '{}' };
  valueOf(jobs.put([job, { ...job, id: 'b' }]));
  valueOf(jobs.put([{ ...job, eventsSize: 6 }]));
  valueOf(jobs.remove(['b']));
  expect(valueOf(jobs.find(['b', 'a']))).toEqual([{ ...job, eventsSize: 6 }]);
  expect(valueOf(jobs.ids('local'))).toEqual(['a']);
  expect(valueOf(jobs.ids('another'))).toEqual([]);
  store.close();
});

test('two processes write at once and lose nothing', async () => {
  const { path, store } = freshStore();
  valueOf(settingRows(store).set('first', 'x'));
  const children = [0, 1].map(() =>
    spawn(process.execPath, [writer, path, 'count', '150'], {
      stdio: ['ignore', 'ignore', 'inherit'],
    }),
  );
  const ends = children.map((child) => once(child, 'exit'));
  const settings = settingRows(store);
  for (let number = 0; number < 150; number += 1) valueOf(settings.set(`here-${number}`, 'x'));
  expect((await Promise.all(ends)).map(([code]) => code as number)).toEqual([0, 0]);
  const rows = valueOf(
    store.use((database) => database.prepare('SELECT name FROM settings').all()),
  );
  expect(rows).toHaveLength(451);
  store.close();
});

test('a process killed inside a write leaves the other working, and nothing of the write', async () => {
  const { path, store } = freshStore();
  const settings = settingRows(store);
  valueOf(settings.set('before', 'x'));
  const child = spawn(process.execPath, [writer, path, 'hold'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = once(child, 'exit');
  await once(child.stdout, 'data');
  // Readers are not held up by the write.
  expect(valueOf(settings.get('before'))).toBe('x');
  expect(valueOf(settings.get('torn'))).toBeNull();
  child.kill('SIGKILL');
  await ended;
  const began = Date.now();
  valueOf(settings.set('after', 'y'));
  expect(Date.now() - began).toBeLessThan(4_500);
  expect(valueOf(settings.get('after'))).toBe('y');
  expect(valueOf(settings.get('torn'))).toBeNull();
  store.close();
});

test('what is written after a write that gave up waiting is there for all', async () => {
  const { path, store } = freshStore();
  const settings = settingRows(store);
  valueOf(settings.set('name', 'old'));
  const child = spawn(process.execPath, [writer, path, 'hold'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = once(child, 'exit');
  await once(child.stdout, 'data');
  expect(problemOf(settings.set('name', 'refused'))).toMatchObject({
    code: 'host.database-busy',
    retryable: true,
  });
  child.kill('SIGKILL');
  await ended;
  valueOf(settings.set('name', 'new'));
  const other = openStore(path, openLog(`${path}.log`));
  expect(valueOf(settingRows(other).get('name'))).toBe('new');
  other.close();
  store.close();
}, 20_000);

test('the files are closed to others', () => {
  const { path, store, folder } = freshStore();
  valueOf(settingRows(store).set('a', 'b'));
  expect(statSync(path).mode & 0o777).toBe(0o600);
  const files = readdirSync(folder).filter((file) => file.startsWith('trainyard.db'));
  expect(files).toEqual(expect.arrayContaining(['trainyard.db', 'trainyard.db-wal']));
  expect(files.filter((name) => (statSync(join(folder, name)).mode & 0o077) !== 0)).toEqual([]);
  store.close();
});

test('a damaged database is moved aside and made anew', () => {
  const { path, store, folder } = freshStore();
  writeFileSync(path, 'this is not a database '.repeat(500));
  const settings = settingRows(store);
  valueOf(settings.set('a', 'b'));
  expect(valueOf(settings.get('a'))).toBe('b');
  expect(readdirSync(folder).filter((name) => name.includes('.damaged-'))).toHaveLength(1);
  store.close();
});

test('a database deleted under a running process is made anew', () => {
  const { path, store } = freshStore();
  const settings = settingRows(store);
  valueOf(settings.set('a', 'b'));
  for (const suffix of ['', '-wal', '-shm']) rmSync(`${path}${suffix}`, { force: true });
  expect(valueOf(settings.get('a'))).toBeNull();
  valueOf(settings.set('a', 'c'));
  expect(valueOf(settings.get('a'))).toBe('c');
  store.close();
});

test('the database of a later version is refused in words and left alone', () => {
  const { path, store, folder } = freshStore();
  const later = openDatabase(path);
  later.exec('PRAGMA user_version = 99');
  later.close();
  const problem = problemOf(settingRows(store).get('a'));
  expect(problem.code).toBe('input.database-later');
  expect(problem.message).toContain('schema 99');
  expect(readdirSync(folder).some((name) => name.includes('damaged'))).toBe(false);
});
