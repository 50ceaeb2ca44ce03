import { chmodSync, lchownSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { chown, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { download, type DownloadOptions } from '../../src/transfer/download.ts';
import { downloadObject } from '../../src/transfer/download-object.ts';
import { partialId, partialPath } from '../../src/transfer/partial-file.ts';
import { randomBytes } from '../support/random.ts';
import { sharedFolder, startSwapper } from '../support/swapper.ts';
import { NOBODY } from '../support/without-privileges.ts';
import { IN, refusal, startWorld, value, type World } from './world.ts';

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
