import { createHash } from 'node:crypto';
import { lstat, mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { foldsNames } from '../../src/transfer/disk.ts';
import { downloadObject } from '../../src/transfer/download-object.ts';
import { download, type DownloadOptions } from '../../src/transfer/download.ts';
import { objectPathOf } from '../../src/transfer/name-mapping.ts';
import { IN, startWorld, tree, value, type World } from './world.ts';

const sum = (text: string) => createHash('sha256').update(text).digest('hex');

let world: World;
let token: string;
beforeAll(async () => {
  world = await startWorld();
  token = value(await (await world.tokens('boss', 'write')).token()).token;
});
afterAll(() => world.stop());

/** Makes an object by one plain request: nothing of ours has a say in its name. */
async function put(name: string, body: string): Promise<void> {
  const query = new URLSearchParams({ uploadType: 'media', name });
  const answer = await fetch(`${world.emulator.url}/upload/storage/v1/b/${IN}/o?${query}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}` },
    body,
  });
  if (!answer.ok) throw new Error(`${answer.status} ${await answer.text()}`);
  await answer.arrayBuffer();
}

async function access(number: number): Promise<Omit<DownloadOptions, 'target'>> {
  return {
    endpoints: world.endpoints,
    tokens: await world.tokens('reader', 'read'),
    bucket: IN,
    destination: join(world.folder, `outer-${number}`, 'to'),
    journal: join(world.folder, `journal-${number}`),
  };
}

/** Two hundred names below `data/hostile/` that file systems, terminals and careless programs cannot take. */
function hostileNames(): string[] {
  const controls = Array.from({ length: 32 }, (_, code) => String.fromCharCode(code)).filter(
    (character) => character !== '\n' && character !== '\r',
  );
  const devices = ['CON', 'prn', 'AUX.txt', 'nul', 'COM1', 'lpt9.log', 'COM¹', 'CONIN$'];
  const long = 'l'.repeat(300);
  const names = [
    ...controls.map((character) => `control-${character}-`),
    ...controls.map((character) => `${character}/below`),
    ...devices,
    ...devices.map((device) => `${device}/below`),
    ...devices.map((device) => `below/${device} .ext`),
    ...['..', '.', '../..', '../../evil', 'a/../../../evil', './x', 'x/.', 'x/..', '...', '.../..'],
    ...['/etc/passwd', '//', '///x', 'a//b', 'a///b', '/', 'end//', '//evil/share', '/../x'],
    ...['C:\\evil', '\\\\server\\share', 'a\\..\\..\\evil', 'a:stream', 'a<b', 'a>b', 'a|b', 'a?b'],
    ...[
      'a*b',
      'a"b',
      "a'b",
      '`id`',
      '$(id)',
      ';rm -rf x',
      '-rf',
      '--help',
      '~',
      '~root/x',
      '#',
      '&',
    ],
    ...['dot.', 'dots...', 'space ', ' space', 'a /b', 'a./b', '   ', '\u00a0', '\u3000', '\u200b'],
    ...['both', 'both/file', 'both/file/deep', 'both%file', 'both/', '%', '%%', '%empty', '%file'],
    ...['%2E', '%2E%2E', '%2e%2e', '%00', '%25', '%252E', '100%', 'a%20b', '%cut-', '%same-'],
    ...[`%cut-${'0'.repeat(32)}`, `x%same-${'0'.repeat(16)}`, '%2F', '..%2F..%2Fevil'],
    ...[
      'Case',
      'case',
      'CASE',
      'caSe/x',
      'Case/x',
      '\u00e9',
      'e\u0301',
      'ﬁ',
      'fi',
      'ß',
      'ss',
      'SS',
    ],
    ...['x.trainyard-partial', 'x', '.trainyard-partial', 'X.TRAINYARD-PARTIAL'],
    ...['y.trainyard-partial/z', '.git/config', '.ssh/authorized_keys', 'desktop.ini'],
    ...[
      long,
      `${long}.bin`,
      `${long}/${long}`,
      'ü'.repeat(128),
      `${'ü'.repeat(127)}x`,
      'm'.repeat(255),
    ],
    ...[`${'m'.repeat(250)}.jpeg`, 'n'.repeat(236), 'n'.repeat(237), `${long}%file`],
    ...[
      '\u202etxt.exe',
      '\u001b[31mred',
      '\u001b]0;title\u0007',
      '\ud83d\ude00',
      '\u0085',
      '\ufeffbom',
    ],
    ...['__proto__', 'constructor', 'toString/x', 'hasOwnProperty', 'null', 'undefined', 'NaN'],
    ...['o'.repeat(1024 - 'data/hostile/'.length), 'p/'.repeat(500) + 'p'],
  ];
  return [...new Set(names)];
}

describe('hostile names', { timeout: 90_000 }, () => {
  it('all arrive, each as one file of its own below the folder, as it is or by the rule', async () => {
    const names = hostileNames().map((name) => `data/hostile/${name}`);
    expect(names.length).toBeGreaterThanOrEqual(200);
    const lanes = Array.from({ length: 8 }, (_, lane) => lane);
    await Promise.all(
      lanes.map(async (lane) => {
        for (let at = lane; at < names.length; at += lanes.length)
          await put(names[at]!, `content of ${names[at]!}`);
      }),
    );
    // Empty markers of folders: one that is needed, one of a name that cannot be.
    await put('data/hostile/marker/', '');
    await put('data/hostile/marker/../', '');
    const wanted = {
      ...(await access(1)),
      target: { kind: 'folder', prefix: 'data/hostile/' } as const,
    };
    const report = value(await download(wanted));
    expect(report.failed).toEqual([]);
    expect(report.refused).toEqual([]);
    const placed = [...report.written, ...report.mapped];
    expect(placed.map(({ object }) => object).sort()).toEqual(
      [...names, 'data/hostile/marker/', 'data/hostile/marker/../'].sort(),
    );
    expect(report.mapped.length).toBeGreaterThan(80);
    expect(report.objects).toBe(names.length);

    // By checksum: the file of each object holds its bytes, and there are no others, here or outside.
    const files = placed.filter(({ path }) => !path.endsWith('/'));
    expect(await tree(join(wanted.destination, '..'))).toEqual(
      Object.fromEntries(
        files
          .map(({ object, path }) => [`to/${path}`, sum(`content of ${object}`)] as const)
          .sort(([a], [b]) => (a < b ? -1 : 1)),
      ),
    );
    expect((await lstat(join(wanted.destination, 'marker/%2E%2E'))).isDirectory()).toBe(true);
    // A part that no disk can hold is cut, which cannot be reversed; every other name can.
    const isCut = (own: string) => own.split('/').some((part) => Buffer.byteLength(part) > 255);
    const owns = files.map(({ object }) => object.slice('data/hostile/'.length));
    expect(files.map(({ path }) => objectPathOf(path, 'posix'))).toEqual(
      owns.map((own) => (isCut(own) ? null : own)),
    );
    const cut = files.filter((_, index) => isCut(owns[index] ?? '')).map(({ path }) => path);
    expect(cut).toEqual(Array<string>(6).fill(expect.stringContaining('%cut-') as string));
    for (const { object, path } of report.written.filter((one) => !one.path.endsWith('/')))
      expect(path).toBe(object.slice('data/hostile/'.length));

    // Again: nothing is fetched a second time.
    const before = (await world.emulator.requestLog()).length;
    expect(value(await download(wanted))).toMatchObject({ skipped: names.length, failed: [] });
    const asked = (await world.emulator.requestLog()).slice(before);
    expect(asked.filter(({ object }) => object !== null)).toEqual([]);
  });

  it('are mapped for a single object, too', async () => {
    await put('data/single/..', 'dots');
    const { destination, ...common } = await access(2);
    const target = { kind: 'object', object: 'data/single/..' } as const;
    const report = value(await download({ ...common, destination, target }));
    expect(report.mapped).toEqual([{ object: 'data/single/..', path: '%2E%2E' }]);
    expect(await tree(destination)).toEqual({ '%2E%2E': sum('dots') });
    // To a file that the user names the object's name does not matter.
    const file = join(destination, 'named');
    value(await downloadObject({ ...common, object: 'data/single/..', file }));
    expect((await tree(destination))['named']).toBe(sum('dots'));
  });

  it('that the path of the folder makes too long are told, and the others arrive', async () => {
    await put(`data/deep/${'q/'.repeat(400)}q`, 'deep');
    await put('data/deep/fine', 'fine');
    const common = await access(3);
    const destination = join(world.folder, ...Array.from({ length: 16 }, () => 'd'.repeat(225)));
    const target = { kind: 'folder', prefix: 'data/deep/' } as const;
    const report = value(await download({ ...common, destination, target }));
    expect(report.written).toEqual([{ object: 'data/deep/fine', path: 'fine' }]);
    expect(report.failed).toMatchObject([{ problem: { code: 'transfer.name-too-long' } }]);
  });
});

describe('the disk', () => {
  it('is asked whether it tells names apart, and nothing is left of the question', async () => {
    const folder = join(world.folder, 'asked');
    await mkdir(folder);
    expect(await foldsNames({ at: (name) => join(folder, name) })).toBe(
      process.platform !== 'linux',
    );
    expect(await readdir(folder)).toEqual([]);
    // Where it cannot be asked, what is usual here.
    expect(await foldsNames({ at: (name) => join(folder, 'none', name) })).toBe(
      process.platform !== 'linux',
    );
  });
});
