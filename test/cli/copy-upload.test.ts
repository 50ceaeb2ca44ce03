import { mkdir, rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, it, vi } from 'vitest';
import { copyToBucket } from '../../src/cli/copy/upload.ts';
import type { CopyReport, Named } from '../../src/cli/copy/report.ts';
import { OUT, plant, startWorld, value, type World } from '../transfer/world.ts';
import { randomBytes } from '../support/random.ts';

vi.setConfig({ testTimeout: 60_000 });

let world: World;
let count = 0;

beforeAll(async () => {
  world = await startWorld();
}, 60_000);
afterEach(() => world.emulator.setFaults([]));
afterAll(() => world.stop());

/** A folder, and a copy of it to a prefix of its own by an account. The journals are kept unless a copy is whole, as `cp` does. */
async function copying(files: Readonly<Record<string, Uint8Array | string>>) {
  count += 1;
  const source = join(world.folder, `copy-${count}`);
  const prefix = `results/copy-${count}/`;
  const journal = join(world.folder, `journals-${count}`);
  await plant(source, files);
  const copy = async (account: string, from = source, to = prefix): Promise<CopyReport> => {
    await mkdir(journal, { recursive: true });
    const report = value(
      await copyToBucket({
        endpoints: world.endpoints,
        tokens: await world.tokens(account, 'write'),
        copy: { direction: 'upload', source: from, target: { bucket: OUT, path: to } },
        journal,
        signal: new AbortController().signal,
        onProgress: () => undefined,
      }),
    );
    if (report.failed.length === 0) await rm(journal, { recursive: true });
    return report;
  };
  return { source, prefix, copy };
}

const named = (list: readonly Named[]): string[] =>
  list.map((one) => ('path' in one ? one.path : one.object)).sort();
const writtenOf = (report: CopyReport): string[] => report.written.map(({ path }) => path).sort();

it('an attempt that was cut off and repeated: each file is in one list, and what went up before is told as such', async () => {
  const files = Object.fromEntries(Array.from({ length: 12 }, (_, n) => [`f${n}`, `file ${n}`]));
  const { source, prefix, copy } = await copying(files);
  await world.emulator.setFaults([
    { object: { glob: '**/f1?' }, fault: { kind: 'status', status: 403 } },
  ]);
  const first = await copy('writer');
  expect(named(first.failed)).toEqual(['f10', 'f11']);
  expect([first.objects, first.skipped]).toEqual([10, 0]);
  await world.emulator.setFaults([]);
  await writeFile(join(source, 'f1'), 'changed');
  await rm(join(source, 'f2'));
  const second = await copy('writer');
  expect(named(second.failed)).toEqual(['f1']);
  expect(writtenOf(second)).toEqual(
    Object.keys(files)
      .filter((name) => name !== 'f1' && name !== 'f2')
      .sort(),
  );
  expect([second.objects, second.skipped]).toEqual([10, 8]);
  expect(second.bytes).toBe(
    writtenOf(second).reduce((sum, name) => sum + (files[name] ?? '').length, 0),
  );
  for (const [name, text] of Object.entries(files))
    expect((await world.get(OUT, prefix + name)).toString()).toBe(text);
});

it('a whole copy that is repeated is there already, where the key may read; where it may not, the names are taken', async () => {
  const files = { 'deep/small': 'small', empty: '', large: randomBytes(9 * 1024 * 1024) };
  const { source, copy } = await copying(files);
  const first = await copy('boss');
  expect([first.objects, first.skipped, first.failed]).toEqual([3, 0, []]);
  const before = (await world.emulator.requestLog()).length;
  const again = await copy('boss');
  expect([again.objects, again.skipped, again.failed]).toEqual([3, 3, []]);
  expect(again.bytes).toBe(first.bytes);
  expect(writtenOf(again)).toEqual(Object.keys(files).sort());
  const made = (await world.emulator.requestLog())
    .slice(before)
    .filter(({ path, status }) => path.startsWith('/upload/') && status < 300);
  expect(made).toEqual([]);

  const blind = await copy('writer');
  expect([blind.objects, blind.written]).toEqual([0, []]);
  expect(blind.failed.map(({ problem }) => problem.code)).toEqual(
    Array<string>(3).fill('storage.exists'),
  );
  await rm(join(world.folder, `journals-${count}`), { recursive: true });
  await writeFile(join(source, 'empty'), 'not any more');
  const other = await copy('boss');
  expect([named(other.failed), other.skipped]).toEqual([['empty'], 2]);
});

it('one file that is repeated is there already, too', async () => {
  const { source, prefix, copy } = await copying({ one: 'one' });
  const file = join(source, 'one');
  for (const skipped of [0, 1, 1])
    expect(await copy('boss', file, `${prefix}name`)).toMatchObject({
      objects: 1,
      skipped,
      written: [{ object: `${prefix}name`, path: file }],
    });
});

it('one object of other content in the way is bad input, named, as one file is', async () => {
  const { source, prefix } = await copying({ one: 'one', other: 'other' });
  const send = async (file: string, account: string) =>
    copyToBucket({
      endpoints: world.endpoints,
      tokens: await world.tokens(account, 'write'),
      copy: {
        direction: 'upload',
        source: join(source, file),
        target: { bucket: OUT, path: `${prefix}name` },
      },
      journal: join(world.folder, `journals-${count}-${file}-${account}`),
      signal: new AbortController().signal,
      onProgress: () => undefined,
    });
  expect((await send('one', 'writer')).ok).toBe(true);
  for (const account of ['writer', 'boss'])
    expect(await send('other', account)).toMatchObject({
      problem: {
        code: 'input.target-exists',
        message: expect.stringContaining(`gs://${OUT}/${prefix}name`) as string,
      },
    });
});

it('a file over 5 TiB is told before anything is sent, and the others go up', async () => {
  const { source, prefix } = await copying({ 'deep/small': 'small' });
  const large = join(source, 'large');
  // Of a file without blocks the size alone is that large.
  await writeFile(large, '');
  await truncate(large, 5 * 1024 ** 4 + 1);
  const before = (await world.emulator.requestLog()).length;
  const told: string[] = [];
  const copy = async (from: string, to: string) =>
    copyToBucket({
      endpoints: world.endpoints,
      tokens: await world.tokens('writer', 'write'),
      copy: { direction: 'upload', source: from, target: { bucket: OUT, path: to } },
      journal: join(world.folder, `journals-${count}-large`),
      signal: new AbortController().signal,
      onProgress: () => told.push('sent'),
      onTooLarge: (files) => told.push(...files.map(({ path }) => path)),
    });
  expect(await copy(large, prefix)).toMatchObject({
    problem: {
      code: 'input.object-too-large',
      message: expect.stringContaining('5 TiB') as string,
    },
  });
  expect((await world.emulator.requestLog()).length).toBe(before);
  const report = value(await copy(source, prefix));
  expect(told[0]).toBe('large');
  expect([writtenOf(report), named(report.refused)]).toEqual([['deep/small'], ['large']]);
});

it('folders without anything in them are counted, the source itself, too', async () => {
  const { source, copy } = await copying({ 'deep/one': 'one' });
  await mkdir(join(source, 'deep/none/below'), { recursive: true });
  await mkdir(join(source, 'none'));
  expect(await copy('writer')).toMatchObject({ objects: 1, emptyFolders: 2 });
  await rm(join(source, 'deep'), { recursive: true });
  await rm(join(source, 'none'), { recursive: true });
  expect(await copy('writer')).toMatchObject({ objects: 0, emptyFolders: 1, failed: [] });
});
