import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  lchownSync,
  linkSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { chown, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { download, type DownloadOptions } from '../../src/transfer/download.ts';
import { downloadObject } from '../../src/transfer/download-object.ts';
import { encodeCrc32c } from '../../src/transfer/crc32c.ts';
import { DiskFault } from '../../src/transfer/disk.ts';
import { openTree } from '../../src/transfer/folder-tree.ts';
import { crc32c } from '../../src/transfer/native-crc32c.ts';
import { partialId, partialPath } from '../../src/transfer/partial-file.ts';
import { openNamed, openSeen, openSource } from '../../src/transfer/source-file.ts';
import { upload } from '../../src/transfer/upload.ts';
import { walkFolder } from '../../src/transfer/walk.ts';
import { randomBytes } from '../support/random.ts';
import { sharedFolder, startSwapper } from '../support/swapper.ts';
import { NOBODY } from '../support/without-privileges.ts';
import { IN, OUT, refusal, startWorld, value, type World } from './world.ts';

const isRoot = process.getuid?.() === 0;

let world: World;
/** What nobody else may write to: `.ssh`, say. */
let own: string;
beforeAll(async () => {
  world = await startWorld();
  own = join(world.folder, 'own');
  mkdirSync(own, { mode: 0o700 });
}, 60_000);
afterAll(() => world.stop());

let count = 0;
async function options(prefix: string, destination: string): Promise<DownloadOptions> {
  return {
    endpoints: world.endpoints,
    tokens: await world.tokens('reader', 'read'),
    bucket: IN,
    target: { kind: 'folder', prefix },
    destination,
    journal: join(world.folder, `journal-${(count += 1)}`),
  };
}

describe('a folder that other users may write to', () => {
  it('keeps what is downloaded, whatever they put in the place of a folder, and is told of', async () => {
    const shared = sharedFolder(world.folder, 'shared');
    for (let index = 0; index < 24; index += 1)
      await world.put(IN, `data/many/sub/${index}`, `object ${index}`);
    await world.put(IN, 'data/many/sub/large', randomBytes(9 * 1024 * 1024));
    mkdirSync(join(shared, 'sub'));
    const warnings: string[] = [];
    const wanted: DownloadOptions = {
      ...(await options('data/many/', shared)),
      onWarning: (message) => warnings.push(message),
    };
    const swapper = await startSwapper(join(shared, 'sub'), own);
    let reports;
    let swaps;
    try {
      reports = [
        await download(wanted),
        await download({ ...wanted, journal: `${wanted.journal}-2` }),
      ];
    } finally {
      swaps = await swapper.stop();
    }
    expect(swaps).toBeGreaterThan(0);
    expect(readdirSync(own)).toEqual([]);
    for (const report of reports) {
      if (!report.ok) expect(report.problem.code).toMatch(/^transfer\.(disturbed|exists)$/);
      else
        for (const { problem } of report.value.failed)
          expect(problem.code).toMatch(/^transfer\.(exists|disturbed|disk|file-gone)$/);
    }
    expect([...new Set(warnings)]).toEqual([
      `Every user of this machine may write to ${shared}, and can change or replace what is copied there.`,
    ]);
    // Once they leave it alone all of it comes.
    expect(value(await download(wanted))).toMatchObject({ objects: 25, failed: [] });
    expect(await readFile(join(shared, 'sub/23'), 'utf8')).toBe('object 23');
  });

  it(
    'is entered by a link of theirs only where its own path is given',
    { skip: !isRoot },
    async () => {
      const shared = sharedFolder(world.folder, 'linked');
      await world.put(IN, 'data/linked/a', 'a');
      const place = join(shared, 'to');
      symlinkSync(own, place);
      lchownSync(place, NOBODY, NOBODY);
      expect(refusal(await download(await options('data/linked/', place)))).toMatchObject({
        code: 'transfer.link-of-another',
        subject: place,
      });
      const one = { object: 'data/linked/a', file: join(place, 'b') };
      const asked = { ...(await options('data/linked/', place)), ...one };
      expect(refusal(await downloadObject(asked)).code).toBe('transfer.link-of-another');
      expect(readdirSync(own)).toEqual([]);
      lchownSync(place, 0, 0);
      expect(value(await download(await options('data/linked/', place))).objects).toBe(1);
      expect(readdirSync(own)).toEqual(['a']);
    },
  );

  it(
    'gives no incomplete file that another user could go on writing to',
    { skip: !isRoot },
    async () => {
      const shared = sharedFolder(world.folder, 'begun');
      const bytes = randomBytes(9 * 1024 * 1024);
      await world.put(IN, 'data/begun/large', bytes);
      const wanted = await options('data/begun/', shared);
      const planted = partialPath(join(shared, 'large'), partialId(wanted.journal));
      writeFileSync(planted, 'theirs');
      await chown(planted, NOBODY, NOBODY);
      expect(value(await download(wanted))).toMatchObject({ objects: 1, failed: [] });
      expect((await stat(join(shared, 'large'))).uid).toBe(0);
      expect((await readFile(join(shared, 'large'))).equals(bytes)).toBe(true);
    },
  );

  it('is not told of where only this user may write, nor of a sticky one', async () => {
    await world.put(IN, 'data/quiet/a', 'a');
    const warnings: string[] = [];
    const onWarning = (message: string) => warnings.push(message);
    const sticky = sharedFolder(world.folder, 'sticky');
    chmodSync(sticky, 0o1777);
    for (const destination of [join(world.folder, 'quiet'), sticky])
      value(await download({ ...(await options('data/quiet/', destination)), onWarning }));
    expect(warnings).toEqual([]);
  });
});

describe('a folder that is uploaded', () => {
  const sums = (contents: readonly string[]) =>
    new Set(contents.map((text) => encodeCrc32c(crc32c(Buffer.from(text), 0))));

  it('gives nothing of where another user leads by links meanwhile', async () => {
    const shared = sharedFolder(world.folder, 'source');
    const secrets = join(world.folder, 'secrets');
    for (const folder of [secrets, join(shared, 'sub')]) mkdirSync(folder, { mode: 0o755 });
    const contents = Array.from({ length: 40 }, (_, index) => `file ${index}`);
    for (const [index, text] of contents.entries()) {
      writeFileSync(join(shared, 'sub', String(index)), text);
      writeFileSync(join(secrets, String(index)), `secret ${index}`);
    }
    const warnings: string[] = [];
    const common = {
      endpoints: world.endpoints,
      tokens: await world.tokens('writer', 'write'),
      bucket: OUT,
      onlyOurs: true,
      source: shared,
    };
    const swapper = await startSwapper(join(shared, 'sub'), secrets);
    let swaps;
    const objects = [];
    try {
      for (const attempt of [1, 2]) {
        const report = await upload({
          ...common,
          prefix: `results/links-${attempt}/`,
          journal: join(world.folder, `links-${attempt}.jsonl`),
          onWarning: (message) => warnings.push(message),
        });
        // Where the folder was a link at the look there is nothing but that to tell.
        if (report.ok) objects.push(...report.value.objects);
      }
    } finally {
      swaps = await swapper.stop();
    }
    expect(swaps).toBeGreaterThan(0);
    const allowed = sums(contents);
    expect(objects.filter((object) => !allowed.has(object.crc32c))).toEqual([]);
    expect(warnings[0]).toBe(
      `Every user of this machine may write to ${shared}, and can change or replace what is copied from there.`,
    );
  });

  it('gives a file that was written anew, but no link and no other name of another file', async () => {
    const source = join(world.folder, 'exchanged');
    mkdirSync(join(source, 'deep'), { recursive: true });
    const secret = join(world.folder, 'secret');
    writeFileSync(secret, 'secret');
    for (const name of ['same', 'anew', 'link', 'hard', 'deep/file', 'pipe'])
      writeFileSync(join(source, name), name);
    const opened = await openSource(source, undefined);
    const { tree } = opened;
    try {
      const { files } = await walkFolder(tree);
      writeFileSync(join(source, 'new'), 'other');
      renameSync(join(source, 'new'), join(source, 'anew'));
      for (const name of ['link', 'hard', 'pipe']) rmSync(join(source, name));
      symlinkSync(secret, join(source, 'link'));
      linkSync(secret, join(source, 'hard'));
      execFileSync('mkfifo', [join(source, 'pipe')]);
      renameSync(join(source, 'deep'), join(world.folder, 'moved'));
      symlinkSync(join(world.folder, 'moved'), join(source, 'deep'));
      const told: Record<string, string> = {};
      for (const file of files)
        told[file.relativePath] = await openSeen(tree, file, file.file).then(
          async ({ handle }) => {
            const text = await handle.readFile('utf8');
            await handle.close();
            return text;
          },
          (error: unknown) => (error instanceof DiskFault ? error.problem.code : String(error)),
        );
      expect(told).toEqual({
        anew: 'other',
        // Its folder is open: whatever leads there now, this is the one that was looked at.
        'deep/file': 'deep/file',
        hard: 'transfer.changed',
        link: 'transfer.changed',
        pipe: 'transfer.changed',
        same: 'same',
      });
    } finally {
      await opened.close();
    }
  });

  it('may be a single file, by a link of its user and not of another', async () => {
    const shared = sharedFolder(world.folder, 'single');
    const file = join(world.folder, 'named');
    writeFileSync(file, 'named');
    const link = join(shared, 'link');
    symlinkSync('../named', link);
    const { handle } = await openNamed(link);
    expect(await handle.readFile('utf8')).toBe('named');
    await handle.close();
    if (!isRoot) return;
    lchownSync(link, NOBODY, NOBODY);
    await expect(openNamed(link)).rejects.toMatchObject({
      problem: { code: 'transfer.link-of-another' },
    });
  });
});

describe('without folders that are held open', () => {
  it('each deed is followed by a look whether its folder is still the one that was meant', async () => {
    const root = join(world.folder, 'by-path');
    const tree = await openTree(root, { make: true, hold: false });
    await tree.make('a/b');
    mkdirSync(join(world.folder, 'elsewhere/b'), { recursive: true });
    await tree.in('a/b', async (folder) => {
      await folder.confirm();
      renameSync(join(root, 'a'), join(world.folder, 'away'));
      symlinkSync(join(world.folder, 'elsewhere'), join(root, 'a'));
      await expect(folder.confirm()).rejects.toMatchObject({
        problem: { code: 'transfer.disturbed' },
      });
    });
    await expect(tree.make('a/c')).rejects.toMatchObject({
      problem: { code: 'transfer.disturbed' },
    });
    expect(readdirSync(join(world.folder, 'elsewhere'))).toEqual(['b']);
    await tree.close();
  });
});
