import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { checkRoom } from '../../src/transfer/disk.ts';
import { planDownload } from '../../src/transfer/download-plan.ts';
import { listTarget } from '../../src/transfer/list-target.ts';
import { objectPathOf } from '../../src/transfer/name-mapping.ts';
import { progressMeter } from '../../src/transfer/progress.ts';
import { gapsOf, orderly } from '../../src/transfer/segments.ts';
import { objectNameReason, planUpload } from '../../src/transfer/upload-plan.ts';
import { openWire } from '../../src/transfer/wire.ts';
import { GOOGLE_ENDPOINTS } from '../../src/shared/endpoints.ts';
import type { Progress } from '../../src/shared/events.ts';
import type { ObjectInfo } from '../../src/shared/object-info.ts';
import { fc } from '../support/properties.ts';

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
    expect(made.folders).toEqual([
      { object: 'data/', path: '', mapped: false },
      { object: 'data/empty/', path: 'empty', mapped: false },
    ]);
    expect(made).toMatchObject({ bytes: 7, objects: 2, refused: [] });
  });

  it.each([
    ['data/../x', '%2E%2E/x'],
    ['data/a/../../x', 'a/%2E%2E/%2E%2E/x'],
    ['data/./x', '%2E/x'],
    ['data//x', '%empty/x'],
    ['data//', '%empty/%empty'],
    ['data/a\u0000b', 'a%00b'],
    ['data/a\nb\u007f', 'a%0Ab%7F'],
    ['data/x.trainyard-partial', 'x%2Etrainyard-partial'],
    ['data/x.Trainyard-Partial', 'x%2ETrainyard-Partial'],
    ['data/100%25', '100%2525'],
    ['data/%empty', '%25empty'],
  ])('maps %j', (name, path) => {
    const made = plan([name, 'data/fine']);
    expect(made.files.map((file) => [file.path, file.mapped])).toEqual([
      [path, true],
      ['fine', false],
    ]);
    expect(objectPathOf(path, 'posix')).toBe(name.slice('data/'.length));
  });

  it.each([
    'data/100%',
    'data/a%20b',
    'data/%2e',
    'data/a b.',
    'data/CON',
    'data/a\\b',
    'data/-rf',
  ])('leaves %j as it is', (name) => {
    expect(plan([name]).files).toMatchObject([{ path: name.slice(5), mapped: false }]);
  });

  it.each([
    ['data/x\ud800', 'Unicode'],
    ['other/x', 'prefix'],
  ])('refuses %j and lets the others through', (name, reason) => {
    const made = plan([name, 'data/fine']);
    expect(made.files.map(({ path }) => path)).toEqual(['fine']);
    expect(made.refused).toEqual([
      { object: name, reason: expect.stringContaining(reason) as string },
    ]);
  });

  it('refuses what Cloud Storage tells no checksum of', () => {
    const made = planDownload([{ ...info('data/a'), crc32c: '' }, info('data/b')], folder);
    expect(made.files.map(({ path }) => path)).toEqual(['b']);
    expect(made.refused).toMatchObject([{ object: 'data/a' }]);
    expect(made.refused[0]?.reason).toContain('encrypted');
  });

  it('cuts parts that are too long, keeps their ending, and keeps them apart', () => {
    const long = 'ü'.repeat(200);
    const made = plan([`data/${long}a.jpeg`, `data/${long}b.jpeg`, `data/${'x'.repeat(255)}`]);
    const paths = made.files.map(({ path }) => path);
    expect(new Set(paths).size).toBe(3);
    for (const path of paths) expect(Buffer.byteLength(path)).toBeLessThanOrEqual(255);
    expect(paths[0]).toMatch(/^ü+%cut-[0-9a-f]{32}\.jpeg$/);
    expect(paths[2]).toBe('x'.repeat(255));
    expect(objectPathOf(paths[0]!, 'posix')).toBeNull();
    // The cut form itself, as a name, is another file.
    expect(plan([`data/${paths[0]!}`, `data/${long}a.jpeg`]).files[0]?.path).not.toBe(paths[0]);
  });

  it('has room for a name that is both file and folder, whichever comes first', () => {
    for (const names of [
      ['data/a', 'data/a/b'],
      ['data/a/b', 'data/a'],
    ]) {
      const made = plan(names);
      expect(made.files.map(({ path }) => path).sort()).toEqual(['a%file', 'a/b']);
      expect(made.refused).toEqual([]);
    }
    const marker = planDownload([info('data/a/', 0), info('data/a', 3)], folder);
    expect(marker.folders).toMatchObject([{ path: 'a' }]);
    expect(marker.files).toMatchObject([{ path: 'a%file' }]);
    const bytes = planDownload([info('data/a/', 4), info('data/', 3)], folder);
    expect(bytes.files.map(({ path }) => path)).toEqual(['a/%empty', '%empty']);
  });

  it('tells names apart as the disk does', () => {
    const names = [
      'data/A',
      'data/a',
      'data/a/x',
      'data/\u00e9',
      'data/e\u0301',
      'data/straße',
      'data/STRASSE',
    ];
    expect(plan(names).files.filter(({ mapped }) => mapped)).toMatchObject([{ path: 'a%file' }]);
    const folded = plan(names, { foldsNames: true }).files;
    const keys = folded.map(({ path }) => path.normalize('NFC').toLowerCase());
    expect(new Set(keys).size).toBe(names.length);
    for (const { object, path } of folded)
      expect(objectPathOf(path, 'posix')).toBe(object.name.slice('data/'.length));
  });

  it('maps the names that Windows cannot have', () => {
    const names = [
      'data/con',
      'data/NUL.txt',
      'data/a:b',
      'data/a\\..\\b',
      'data/dot.',
      'data/space ',
      'data/LONGNA~1.TXT',
      'data/COM¹',
      'data/ok',
    ];
    const made = plan(names, { platform: 'windows', foldsNames: true });
    expect(made.files.map(({ path }) => path)).toEqual([
      '%63on',
      '%4EUL.txt',
      'a%3Ab',
      'a%5C..%5Cb',
      'dot%2E',
      'space%20',
      'LONGNA%7E1.TXT',
      '%43OM¹',
      'ok',
    ]);
    for (const { object, path } of made.files)
      expect(objectPathOf(path, 'windows')).toBe(object.name.slice('data/'.length));
  });

  const part = fc.oneof(
    fc.constantFrom(
      '',
      '.',
      '..',
      'a',
      'A',
      'b',
      '\\',
      '/',
      '\u0000',
      'con',
      '~1',
      '-rf',
      'é',
      'e\u0301',
    ),
    fc.constantFrom(
      '%',
      '%2E',
      '%2e',
      '%25',
      '%empty',
      '%file',
      '%EMPTY',
      'x.trainyard-partial',
      'a ',
      'a.',
    ),
    fc.constantFrom(
      `%same-${'0'.repeat(16)}`,
      `%cut-${'0'.repeat(32)}`,
      'x'.repeat(256),
      'ü'.repeat(128),
    ),
    fc.string({ maxLength: 4, unit: 'binary' }),
    fc
      .array(fc.constantFrom('%', '2', 'E', '5', '.', 'f', 'file'), { maxLength: 5 })
      .map((all) => all.join('')),
  );
  const name = fc
    .array(part, { minLength: 1, maxLength: 5 })
    .map((parts) => `data/${parts.join('/')}`)
    .filter((text) => !/\p{Surrogate}/u.test(text));

  const controls = /[\u0000-\u001f\u007f]/;
  const ofWindows = /[\u0000-\u001f\u007f<>:"|?*\\]|[. ](\/|$)|(^|\/)con(\/|$)/i;
  it.each([
    { platform: 'posix', foldsNames: false, forbidden: controls },
    { platform: 'posix', foldsNames: true, forbidden: controls },
    { platform: 'windows', foldsNames: true, forbidden: ofWindows },
  ] as const)(
    'never leaves the folder, never has one path twice, loses no object, and can be reversed: $platform, folded $foldsNames',
    ({ forbidden, ...rules }) => {
      let cut = 0;
      fc.assert(
        fc.property(fc.uniqueArray(name, { maxLength: 30 }), (names) => {
          const made = plan(names, rules);
          expect(made.refused).toEqual([]);
          const root = '/destination';
          const key = (path: string) =>
            rules.foldsNames ? path.normalize('NFC').toLowerCase() : path;
          const folders = new Set<string>();
          for (const { path, object, mapped } of made.files) {
            expect(join(root, path)).toBe(`${root}/${path}`);
            for (const segment of path.split('/'))
              expect(Buffer.byteLength(segment)).toBeLessThanOrEqual(255);
            expect(path).not.toMatch(forbidden);
            const own = object.name.slice('data/'.length);
            expect(mapped).toBe(path !== own);
            // A part of a name that no disk can hold is cut, and nothing else is: that alone cannot be reversed.
            const tooLong = own.split('/').some((each) => Buffer.byteLength(each) > 255);
            expect(objectPathOf(path, rules.platform)).toBe(tooLong ? null : own);
            expect(/(^|\/)[^/%]*%cut-[0-9a-f]{32}/.test(path)).toBe(tooLong);
            if (tooLong) cut += 1;
            const parts = path.split('/');
            for (let end = 1; end < parts.length; end += 1)
              folders.add(key(parts.slice(0, end).join('/')));
          }
          const paths = made.files.map(({ path }) => key(path));
          expect(new Set(paths).size).toBe(names.length);
          for (const path of paths) expect(folders.has(path)).toBe(false);
          expect(made.files.map(({ object }) => object.name)).toEqual(names);
        }),
        { numRuns: 500 },
      );
      expect(cut).toBeGreaterThan(100);
    },
  );

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
  it('refuses what is larger than an object can be, and tells it apart', () => {
    const limit = 5 * 1024 ** 4;
    const made = planUpload(
      [
        { ...file('most'), size: limit },
        { ...file('more'), size: limit + 1 },
      ],
      { prefix: '' },
    );
    expect(made.objects.map(({ name }) => name)).toEqual(['most']);
    expect(made.refused).toEqual(made.tooLarge);
    expect(made.tooLarge.map(({ path }) => path)).toEqual(['more']);
    expect(made.tooLarge[0]?.reason).toContain('5 TiB at most');
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

describe('the listing of a download', () => {
  it('has each name once, also where pages tell one twice', async () => {
    const item = (name: string, generation: string) => ({ name, size: '1', generation });
    const server = createServer((request, response) => {
      const second = request.url?.includes('pageToken=2') === true;
      const items = second
        ? [item('data/a', '2'), item('data/b', '1'), item('data/b', '1')]
        : [item('data/a', '1')];
      response.end(JSON.stringify({ items, ...(second ? {} : { nextPageToken: '2' }) }));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const endpoints = { ...GOOGLE_ENDPOINTS, storage: `http://127.0.0.1:${port}`, emulated: true };
    const wire = await openWire({ endpoints, tokens: null, bucket: 'b-1' });
    try {
      const listed = await listTarget(wire, folder);
      expect(
        listed.ok && listed.value.objects.map(({ name, generation }) => [name, generation]),
      ).toEqual([
        ['data/a', '2'],
        ['data/b', '1'],
      ]);
    } finally {
      await wire.close();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    }
  });
});
