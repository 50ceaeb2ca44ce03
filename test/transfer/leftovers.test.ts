import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { download, type DownloadOptions } from '../../src/transfer/download.ts';
import { partialId, partialPath } from '../../src/transfer/partial-file.ts';
import { IN, plant, refusal, startWorld, tree, value, type World } from './world.ts';
import { randomBytes } from '../support/random.ts';

let world: World;
beforeAll(async () => {
  world = await startWorld();
}, 60_000);
afterEach(() => world.emulator.setFaults([]));
afterAll(() => world.stop());

const sha = (bytes: Uint8Array | string) => createHash('sha256').update(bytes).digest('hex');

it(
  'what an attempt that was cut off left of objects that are gone by now is removed, and nothing else',
  { timeout: 60_000 },
  async () => {
    const stays = { 'deep/stays': randomBytes(12 * 1024 * 1024), small: 'small' };
    for (const [name, bytes] of Object.entries(stays)) await world.put(IN, `data/${name}`, bytes);
    await world.put(IN, 'data/deep/gone', randomBytes(20 * 1024 * 1024));
    const destination = join(world.folder, 'to');
    const options: DownloadOptions = {
      endpoints: world.endpoints,
      tokens: await world.tokens('reader', 'read'),
      bucket: IN,
      target: { kind: 'folder', prefix: 'data/' },
      destination,
      journal: join(world.folder, 'journal'),
    };
    const id = partialId(options.journal);
    await world.emulator.setFaults([
      { object: { glob: '**/gone' }, fault: { kind: 'bandwidth', bytesPerSecond: 1_000_000 } },
    ]);
    const cut = new AbortController();
    const onProgress = ({ bytes }: { bytes: number }) => {
      if (bytes > 13 * 1024 * 1024) cut.abort();
    };
    expect(refusal(await download({ ...options, signal: cut.signal, onProgress })).code).toBe(
      'job.cancelled',
    );
    const left = partialPath('deep/gone', id);
    expect(Object.keys(await tree(destination))).toContain(left);

    // What a death in the midst of a small file leaves, and files that only look alike.
    const others = {
      [`deep/note.trainyard-partial`]: 'of the user',
      [partialPath('deep/x', partialId('/elsewhere'))]: 'of another copy',
    };
    await plant(destination, { [partialPath('tiny', id)]: 'ti', ...others });
    await world.emulator.setFaults([]);
    await world.remove(IN, 'data/deep/gone');
    const report = value(await download(options));
    expect(report).toMatchObject({ objects: 2, failed: [], refused: [] });
    expect(await tree(destination)).toEqual(
      Object.fromEntries(
        Object.entries({ ...stays, ...others })
          .map(([name, bytes]) => [name, sha(bytes)] as const)
          .sort(([a], [b]) => (a < b ? -1 : 1)),
      ),
    );
    expect(await readFile(join(destination, 'small'), 'utf8')).toBe('small');
  },
);
