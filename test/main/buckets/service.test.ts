import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { groupDropped } from '../../../src/main/buckets/dropped.ts';
import { bookmarkRows } from '../../../src/main/store/bookmarks.ts';
import { openStore } from '../../../src/main/store/open.ts';
import { openLog } from '../../../src/main/platform/log.ts';
import { freshHome, google } from '../jobs/harness.ts';
import { problemOf, temporaryFolder, valueOf } from '../temp.ts';

const signal = new AbortController().signal;

test('a key that may see one prefix counts, searches and looks there, and is told what it lacks elsewhere', async () => {
  const emulator = await google();
  const { open } = freshHome(emulator.environment);
  const services = await open();
  valueOf(await services.keys.add(emulator.keyFiles['trainer']!));
  const at = (path: string, bucket = 'input-data-bucket') =>
    ({ address: { bucket, path }, key: 'trainer', signal }) as const;

  const seen: number[] = [];
  expect(
    valueOf(await services.buckets.measure(at('data/'), ({ objects }) => seen.push(objects))),
  ).toEqual({
    objects: 2,
    bytes: 'content of data/a.txt'.length + 'content of data/deep/b.txt'.length,
    untold: 0,
  });
  expect(seen).toEqual([2]);

  const search = (text: string, maxMatches = 10) =>
    services.buckets.search({ ...at('data/'), text, maxMatches }, () => undefined);
  const found = valueOf(await search('B.TXT'));
  expect(found.matches.map(({ name }) => name)).toEqual(['data/deep/b.txt']);
  expect(found).toMatchObject({ objects: 2, more: false });
  // The prefix itself is not searched.
  expect(valueOf(await search('data')).matches).toEqual([]);
  expect(valueOf(await search('.txt', 1))).toMatchObject({ more: true });

  expect(valueOf(await services.buckets.object(at('data/a.txt')))).toMatchObject({
    name: 'data/a.txt',
    size: 21,
  });
  const start = valueOf(await services.buckets.readStart({ ...at('data/a.txt'), maxBytes: 7 }));
  expect(Buffer.from(start.bytes).toString()).toBe('content');
  expect(start.complete).toBe(false);

  const refused = problemOf(
    await services.buckets.listPage({ ...at('', 'artifacts-bucket'), recursive: false }),
  );
  expect(refused.code).toBe('access.list-refused');
  expect(refused.hint).toContain('storage.objects.list');
});

test('a count and a search stop when they are told to', async () => {
  const emulator = await google();
  const { open } = freshHome(emulator.environment);
  const services = await open();
  valueOf(await services.keys.add(emulator.keyFiles['trainer']!));
  const controller = new AbortController();
  controller.abort();
  const request = {
    address: { bucket: 'input-data-bucket', path: 'data/' },
    key: 'trainer',
    signal: controller.signal,
  };
  expect(problemOf(await services.buckets.measure(request, () => undefined)).code).toBe(
    'job.cancelled',
  );
});

test('bookmarks are kept once for an address and key, across openings', () => {
  const path = join(temporaryFolder(), 'trainyard.db');
  const log = openLog(join(temporaryFolder(), 'x.log'));
  const store = openStore(path, log);
  const rows = bookmarkRows(store);
  const bookmark = { id: '1', address: 'gs://b-bucket/data/', key: 'k', addedAt: '2026-01-01' };
  for (const one of [
    bookmark,
    { ...bookmark, id: '2' },
    { ...bookmark, id: '3', key: null },
    { ...bookmark, id: '4', key: null },
    { ...bookmark, id: '5', address: 'gs://a-bucket/' },
  ])
    valueOf(rows.insert(one));
  store.close();
  const again = openStore(path, log);
  expect(valueOf(bookmarkRows(again).list()).map(({ id, key }) => [id, key])).toEqual([
    ['5', 'k'],
    ['1', 'k'],
    ['3', null],
  ]);
  valueOf(bookmarkRows(again).remove('1'));
  expect(valueOf(bookmarkRows(again).list()).map(({ id }) => id)).toEqual(['5', '3']);
  again.close();
});

test('dropped paths are grouped by their folder, and what is no file is refused by name', async () => {
  const folder = temporaryFolder();
  mkdirSync(join(folder, 'run', 'deep'), { recursive: true });
  for (const name of ['a.txt', 'run/b.txt', 'run/deep/c.txt'])
    writeFileSync(join(folder, name), 'x');
  expect(
    valueOf(
      await groupDropped([
        join(folder, 'a.txt'),
        join(folder, 'run/'),
        join(folder, 'run', 'b.txt'),
        join(folder, 'a.txt'),
      ]),
    ),
  ).toEqual([
    { folder, names: ['a.txt', 'run'] },
    { folder: join(folder, 'run'), names: ['b.txt'] },
  ]);
  symlinkSync(join(folder, 'nowhere'), join(folder, 'link'));
  for (const bad of ['', 'a.txt', '/', join(folder, 'none'), join(folder, 'link'), '/dev/null'])
    expect(problemOf(await groupDropped([bad])).code, bad).toBe('input.source');
});
