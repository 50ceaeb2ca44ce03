import { join, resolve } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { checkRoom } from '../../src/transfer/disk.ts';
import { planDownload } from '../../src/transfer/download-plan.ts';
import { progressMeter } from '../../src/transfer/progress.ts';
import { gapsOf, orderly } from '../../src/transfer/segments.ts';
import { objectNameReason, planUpload } from '../../src/transfer/upload-plan.ts';
import type { Progress } from '../../src/shared/events.ts';
import type { ObjectInfo } from '../../src/shared/object-info.ts';

const info = (name: string, size = 1): ObjectInfo => ({
  name,
  size,
  crc32c: 'AAAAAA==',
  generation: '1',
  updated: '2026-01-01T00:00:00.000Z',
  contentType: null,
  contentEncoding: null,
  md5: null,
  componentCount: null,
});
const folder = { kind: 'folder', prefix: 'data/' } as const;
const plan = (names: readonly string[], options = {}) =>
  planDownload(
    names.map((name) => info(name)),
    folder,
    options,
  );

describe('the plan of a download', () => {
  it('puts objects below the prefix in place', () => {
    const made = planDownload(
      [info('data/', 0), info('data/a', 3), info('data/b/c', 4), info('data/empty/', 0)],
      folder,
    );
    expect(made.files.map(({ path }) => path)).toEqual(['a', 'b/c']);
    expect(made.folders).toEqual(['empty']);
    expect(made).toMatchObject({ bytes: 7, objects: 2, refused: [] });
  });

  it.each([
    ['data/../x', '".."'],
    ['data/a/../../x', '".."'],
    ['data/./x', '"."'],
    ['data//x', 'empty part'],
    ['data//', 'slash'],
    ['data/a\u0000b', 'control'],
    ['data/a\nb', 'control'],
    [`data/${'x'.repeat(256)}`, '255'],
    ['data/x.trainyard-partial', 'incomplete'],
    ['data/x\ud800', 'Unicode'],
    ['other/x', 'prefix'],
  ])('refuses %j and lets the others through', (name, reason) => {
    const made = plan([name, 'data/fine']);
    expect(made.files.map(({ path }) => path)).toEqual(['fine']);
    expect(made.refused).toEqual([
      { object: name, reason: expect.stringContaining(reason) as string },
    ]);
  });

  it('refuses a name that is both file and folder, whichever comes first', () => {
    for (const names of [
      ['data/a', 'data/a/b'],
      ['data/a/b', 'data/a'],
    ])
      expect(plan(names)).toMatchObject({
        files: [{ path: 'a/b' }],
        refused: [{ object: 'data/a' }],
      });
  });

  it('tells names apart as the disk does', () => {
    const names = ['data/A', 'data/a', 'data/\u00e9', 'data/e\u0301'];
    expect(plan(names).objects).toBe(4);
    const folded = plan(names, { foldsNames: true });
    expect(folded.files.map(({ path }) => path)).toEqual(['A', '\u00e9']);
    expect(folded.refused.map(({ object }) => object)).toEqual(['data/a', 'data/e\u0301']);
  });

  it('knows the names that Windows cannot have', () => {
    const names = ['data/con', 'data/NUL.txt', 'data/a:b', 'data/a\\..\\b', 'data/dot.', 'data/ok'];
    expect(plan(names).refused).toEqual([]);
    expect(plan(names, { windows: true }).files.map(({ path }) => path)).toEqual(['ok']);
  });

  it('never leaves the folder, never has one path twice, loses no object silently', () => {
    const part = fc.oneof(
      fc.constantFrom('', '.', '..', 'a', 'A', 'b', '\\', '/', '\u0000', 'con', '~', '-rf', 'é'),
      fc.string({ maxLength: 4 }),
    );
    const name = fc.array(part, { maxLength: 5 }).map((parts) => `data/${parts.join('/')}`);
    fc.assert(
      fc.property(fc.uniqueArray(name, { maxLength: 30 }), (names) => {
        const made = plan(names);
        const root = '/destination';
        for (const { path } of made.files)
          expect(resolve(join(root, path)).startsWith(`${root}/`)).toBe(true);
        expect(new Set(made.files.map(({ path }) => path)).size).toBe(made.files.length);
        const told = new Set([
          ...made.files.map(({ object }) => object.name),
          ...made.refused.map(({ object }) => object),
        ]);
        expect([...told].sort()).toEqual([...names].sort());
      }),
    );
  });

  it('names one object after the last part of its name', () => {
    const target = { kind: 'object', object: 'a/b/c.bin' } as const;
    expect(planDownload([info('a/b/c.bin')], target).files[0]?.path).toBe('c.bin');
  });
});

describe('the plan of an upload', () => {
  const file = (relativePath: string) => ({ relativePath, size: 2, mtimeMs: 1 });
  it('names objects by prefix and path', () => {
    const made = planUpload([file('a/b'), file('c')], { prefix: 'results/' });
    expect(made.objects.map(({ name }) => name)).toEqual(['results/a/b', 'results/c']);
    expect(made.bytes).toBe(4);
  });
  it.each([
    '',
    '.',
    '..',
    'a\nb',
    'a\rb',
    '.well-known/acme-challenge/x',
    'ü'.repeat(513),
    'a\ufffd',
  ])('refuses %j', (name) => {
    expect(objectNameReason(name)).not.toBeNull();
    expect(planUpload([file(name)], { prefix: '' }).refused).toHaveLength(1);
  });
  it('allows 1,024 bytes', () => {
    expect(objectNameReason('ü'.repeat(512))).toBeNull();
  });
});

describe('room', () => {
  const free = { bytes: 10_000_000_000, files: 10, filesTotal: 100 };
  it('says what is needed and what is free', () => {
    expect(checkRoom('/d', { bytes: 5, files: 3 }, free).ok).toBe(true);
    const bytes = checkRoom('/d', { bytes: 20_000_000_000, files: 1 }, free);
    expect(bytes).toMatchObject({ ok: false, problem: { code: 'transfer.no-room' } });
    expect(bytes.ok ? '' : bytes.problem.message).toMatch(/18\.6 GiB.*9\.3 GiB/);
    const files = checkRoom('/d', { bytes: 1, files: 11 }, free);
    expect(files.ok ? '' : files.problem.message).toMatch(/11.*10/);
    expect(checkRoom('/d', { bytes: 1, files: 11 }, { ...free, filesTotal: 0 }).ok).toBe(true);
  });
});

describe('stretches of a large file', () => {
  const segment = fc.record({
    position: fc.nat(100),
    length: fc.integer({ min: -3, max: 40 }),
    checksum: fc.nat(9),
  });
  it('segments and gaps cover every byte once, whatever a journal says', () => {
    fc.assert(
      fc.property(fc.array(segment), fc.integer({ min: 1, max: 120 }), (segments, size) => {
        const kept = orderly(segments, size);
        const covered = new Array<number>(size).fill(0);
        const cover = (from: number, to: number) => {
          for (let at = from; at < to; at += 1) covered[at] = (covered[at] ?? 0) + 1;
        };
        for (const { position, length } of kept) cover(position, position + length);
        for (const { from, to } of gapsOf(kept, size, 7)) {
          expect(to - from).toBeLessThanOrEqual(7);
          cover(from, to);
        }
        expect(covered.every((times) => times === 1)).toBe(true);
        expect(covered).toHaveLength(size);
      }),
    );
  });
});

describe('progress', () => {
  it('is told four times a second at most, and at the end; with rate and time left', () => {
    let now = 0;
    const told: Progress[] = [];
    const meter = progressMeter(
      { bytes: 1000, objects: 10 },
      (one) => told.push(one),
      () => now,
    );
    for (let step = 0; step < 100; step += 1) {
      now += 10;
      meter.bytes(5);
    }
    expect(told.length).toBeLessThanOrEqual(5);
    meter.object();
    meter.end();
    const last = told.at(-1);
    expect(last).toMatchObject({ bytes: 500, bytesTotal: 1000, objects: 1, objectsTotal: 10 });
    expect(last?.bytesPerSecond).toBeCloseTo(500, -1);
    expect(last?.secondsLeft).toBeCloseTo(1, 1);
  });
  it('forgets what is long ago', () => {
    let now = 0;
    const told: Progress[] = [];
    const meter = progressMeter(
      { bytes: 1e9, objects: 1 },
      (one) => told.push(one),
      () => now,
    );
    meter.bytes(1e8);
    now = 60_000;
    meter.bytes(0);
    now = 61_000;
    meter.bytes(1000);
    expect(told.at(-1)?.bytesPerSecond).toBeLessThan(2000);
  });
});
