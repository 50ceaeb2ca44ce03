import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { closeSync, openSync, utimesSync, writeSync } from 'node:fs';
import { stat, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import type { FaultRuleInput } from '../../src/emulator/faults/rules.ts';
import { uploadArchive } from '../../src/transfer/upload-archive.ts';
import { upload } from '../../src/transfer/upload.ts';
import { OUT, plant, refusal, startWorld, value, type World } from './world.ts';
import { randomBytes } from '../support/random.ts';

const MIB = 1024 * 1024;
const files = { small: randomBytes(200_000), 'deep/large': randomBytes(20 * MIB + 7), empty: '' };
let world: World;
let count = 0;

beforeAll(async () => {
  world = await startWorld();
  await plant(join(world.folder, 'from'), files);
}, 60_000);
afterEach(() => world.emulator.setFaults([]));
afterAll(() => world.stop());

/** An upload below a prefix; the same `name` goes on with the same journal. */
const uploadOptions = async (prefix: string, name: string, account = 'writer') => ({
  endpoints: world.endpoints,
  tokens: await world.tokens(account, 'write'),
  bucket: OUT,
  prefix,
  source: join(world.folder, 'from'),
  onlyOurs: true,
  journal: join(world.folder, `journal-${name}.jsonl`),
});

/** What the embedded Google does to an upload; every object has to be there in the end, whole and written once. */
const FAULTS: readonly (readonly [string, FaultRuleInput])[] = [
  ['a session that has expired', { operation: 'upload-chunk', fault: { kind: 'expired-session' } }],
  [
    'a request that breaks, in a session',
    { operation: 'upload-chunk', fault: { kind: 'reset', of: 'request', after: 3 * MIB } },
  ],
  [
    'a request that breaks, of a small file',
    { object: { glob: '**/small' }, fault: { kind: 'reset', of: 'request', after: 100_000 } },
  ],
  ['a request that breaks at once', { fault: { kind: 'reset', of: 'request' } }],
  [
    'a byte that arrives wrong, of a small file',
    { object: { glob: '**/small' }, fault: { kind: 'wrong-byte', of: 'request', at: -1 } },
  ],
  [
    'a byte of the frame that arrives wrong, of a small file',
    { object: { glob: '**/small' }, fault: { kind: 'wrong-byte', of: 'request', at: 5 } },
  ],
  ['a token that has expired', { operation: 'upload-start', fault: { kind: 'expired-token' } }],
];

it.each(FAULTS)('%s: every file arrives whole, and once', { timeout: 60_000 }, async (_, rule) => {
  count += 1;
  const prefix = `results/faults-${count}/`;
  await world.emulator.setFaults([{ first: 1, ...rule }]);
  const report = value(await upload(await uploadOptions(prefix, `${count}`)));
  expect((await world.emulator.firedFaults()).map(({ fired }) => fired)).toEqual([1]);
  expect(report).toMatchObject({ refused: [], failed: [] });
  expect((await world.names(OUT, prefix)).sort()).toEqual(
    Object.keys(files)
      .map((name) => prefix + name)
      .sort(),
  );
  for (const [name, bytes] of Object.entries(files))
    expect((await world.get(OUT, prefix + name)).equals(Buffer.from(bytes)), name).toBe(true);
});

it.each([true, false])(
  'a byte that arrives wrong, of a large file, is told for good and never assumed: under a prefix of the run’s own %s',
  { timeout: 60_000 },
  async (onlyOurs) => {
    count += 1;
    const prefix = `results/damaged-${count}/`;
    const once = async (account: string) =>
      value(
        await upload({
          ...(await uploadOptions(prefix, `damaged-${onlyOurs}`, account)),
          onlyOurs,
        }),
      );
    await world.emulator.setFaults([
      {
        operation: 'upload-chunk',
        first: 1,
        fault: { kind: 'wrong-byte', of: 'request', at: 5_000_000 },
      },
    ]);
    const codes = async (account: string) =>
      (await once(account)).failed.map(({ path, problem }) => `${path} ${problem.code}`);
    expect(await codes('writer')).toEqual(['deep/large transfer.checksum']);
    await world.emulator.setFaults([
      { operation: 'upload-query', first: 1, fault: { kind: 'expired-session' } },
    ]);
    for (const account of ['writer', 'writer', 'boss'])
      expect(await codes(account)).toEqual(['deep/large storage.exists']);
    // Once somebody removed it, there is room for the right one.
    await world.remove(OUT, `${prefix}deep/large`);
    const last = await once('writer');
    expect(last.failed).toEqual([]);
    expect(last.objects.filter(({ assumed }) => assumed)).toEqual([]);
    for (const [name, bytes] of Object.entries(files))
      expect((await world.get(OUT, prefix + name)).equals(Buffer.from(bytes)), name).toBe(true);
  },
);

it(
  'a file that is written while it is packed, in its length and with its time kept, ends the archive: nothing is made',
  { timeout: 60_000 },
  async () => {
    const source = join(world.folder, 'written');
    await plant(source, { large: randomBytes(30 * MIB), other: 'x' });
    const object = 'results/written/worker-0.tar.gz';
    const file = join(source, 'large');
    const { mtimeMs, size } = await stat(file);
    let written = false;
    const write = () => {
      if (written) return;
      written = true;
      const handle = openSync(file, 'r+');
      writeSync(handle, 'another', 5);
      closeSync(handle);
      utimesSync(file, mtimeMs / 1_000, mtimeMs / 1_000);
    };
    const options = {
      endpoints: world.endpoints,
      tokens: await world.tokens('writer', 'write'),
      bucket: OUT,
      object,
      source,
      onlyOurs: true,
      journal: join(world.folder, 'journal-written.jsonl'),
    };
    await utimes(file, mtimeMs / 1_000, mtimeMs / 1_000);
    const ended = await uploadArchive({ ...options, onProgress: write });
    expect(written).toBe(true);
    expect((await stat(file)).size).toBe(size);
    expect(refusal(ended)).toMatchObject({ code: 'transfer.changed', subject: file });
    expect(await world.names(OUT, 'results/written/')).toEqual([]);
    expect(value(await uploadArchive(options)).object).toMatchObject({ assumed: false });
  },
);

it('a name that arrives wrong: the file is there under its own all the same, and no other object is told as it', async () => {
  const prefix = 'results/misnamed/';
  // The last letter of the name of `small`: the frame before it is as long as this.
  const at = 104 + `${prefix}small`.length - 1;
  await world.emulator.setFaults([
    { operation: 'upload-simple', first: 1, fault: { kind: 'wrong-byte', of: 'request', at } },
  ]);
  const report = value(
    await upload({
      ...(await uploadOptions(prefix, 'misnamed')),
      exclude: (path) => path === 'empty' || path === 'deep',
    }),
  );
  expect((await world.emulator.firedFaults()).map(({ fired }) => fired)).toEqual([1]);
  expect(report.failed).toEqual([]);
  expect(report.objects.map(({ name, assumed }) => [name, assumed])).toEqual([
    [`${prefix}small`, false],
  ]);
  expect((await world.get(OUT, `${prefix}small`)).equals(files.small)).toBe(true);
  expect(await world.names(OUT, prefix)).toContain(`${prefix}smalm`);
});

const POLICY = {
  kind: 'status',
  status: 412,
  reason: 'orgPolicyConstraintFailed',
  message: "Constraint 'constraints/storage.retentionPolicySeconds' violated.",
} as const;

it.each([
  ['a small file', '**/small', 'upload-simple'],
  ['a session', '**/large', 'upload-start'],
  ['the last piece of a session', '**/large', 'upload-chunk'],
  ['an empty file', '**/empty', 'upload-simple'],
] as const)(
  'a 412 of a policy is no name that is taken, though an answer was lost before it: %s',
  { timeout: 60_000 },
  async (_what, glob, operation) => {
    for (const first of [true, false]) {
      count += 1;
      const prefix = `results/policy-${count}/`;
      await world.emulator.setFaults([
        ...(first
          ? [
              {
                operation,
                object: { glob },
                first: 1,
                fault: { kind: 'status', status: 503 },
              } as const,
            ]
          : []),
        { operation, object: { glob }, after: first ? 1 : 0, fault: POLICY },
      ]);
      const report = value(await upload(await uploadOptions(prefix, `policy-${count}`)));
      const name = prefix + (glob === '**/large' ? 'deep/large' : glob.slice(3));
      expect(report.failed).toMatchObject([
        {
          problem: {
            code: 'access.organization-policy',
            message: expect.stringContaining('storage.retentionPolicySeconds') as string,
          },
        },
      ]);
      expect(report.objects.map((object) => object.name)).not.toContain(name);
      expect(await world.names(OUT, prefix)).not.toContain(name);
    }
  },
);

it('an archive that a policy refuses is not told as there', async () => {
  const prefix = 'results/policy-archive/';
  const { endpoints, tokens, bucket, source, onlyOurs, journal } = await uploadOptions(
    prefix,
    'policy-archive',
  );
  const options = { endpoints, tokens, bucket, source, onlyOurs, journal };
  await world.emulator.setFaults([
    {
      operation: ['upload-simple', 'upload-start'],
      first: 1,
      fault: { kind: 'status', status: 503 },
    },
    { operation: ['upload-simple', 'upload-start'], after: 1, fault: POLICY },
  ]);
  const refused = await uploadArchive({ ...options, object: `${prefix}all.tar.gz` });
  expect(refused).toMatchObject({ problem: { code: 'access.organization-policy' } });
  expect(await world.names(OUT, prefix)).toEqual([]);
});

it('an object whose answer was lost is looked at where the key may read, and is then no assumption', async () => {
  const lost = [
    {
      operation: 'upload-simple',
      object: { glob: '**/small' },
      first: 1,
      fault: { kind: 'status', status: 503, done: true },
    },
  ] as const;
  for (const [account, assumed] of [
    ['boss', false],
    ['writer', true],
  ] as const) {
    await world.emulator.setFaults(lost);
    const prefix = `results/looked-at-${account}/`;
    const report = value(await upload(await uploadOptions(prefix, `looked-${account}`, account)));
    const small = report.objects.find(({ name }) => name === `${prefix}small`);
    expect(small, account).toMatchObject({ assumed });
    expect(small?.generation === null).toBe(assumed);
  }
});

it(
  'a session that keeps taking back what it said it had is given up',
  { timeout: 60_000 },
  async () => {
    let address = '';
    const server = createServer((request, response) => {
      request.resume().on('end', () => {
        const asked = request.headers['content-range']?.startsWith('bytes */') === true;
        if (request.method === 'POST')
          response.writeHead(200, { location: `${address}/up?upload_id=1` });
        else response.writeHead(308, asked ? {} : { range: 'bytes=0-262143' });
        response.end();
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    try {
      const report = await upload({
        endpoints: { ...world.endpoints, storage: address },
        tokens: null,
        bucket: OUT,
        journal: join(world.folder, 'retreats.jsonl'),
        onlyOurs: true,
        prefix: 'results/retreats/',
        source: join(world.folder, 'from/deep'),
      });
      expect(value(report).failed).toMatchObject([
        { path: 'large', problem: { code: 'storage.answer' } },
      ]);
    } finally {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    }
  },
);
