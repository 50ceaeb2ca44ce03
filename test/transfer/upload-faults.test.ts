import { randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import type { FaultRuleInput } from '../../src/emulator/faults/rules.ts';
import { upload } from '../../src/transfer/upload.ts';
import { OUT, plant, startWorld, value, type World } from './world.ts';

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
  ['a token that has expired', { operation: 'upload-start', fault: { kind: 'expired-token' } }],
];

it.each(FAULTS)('%s: every file arrives whole, and once', { timeout: 60_000 }, async (_, rule) => {
  count += 1;
  const prefix = `results/faults-${count}/`;
  await world.emulator.setFaults([{ first: 1, ...rule }]);
  const report = value(
    await upload({
      endpoints: world.endpoints,
      tokens: await world.tokens('writer', 'write'),
      bucket: OUT,
      prefix,
      source: join(world.folder, 'from'),
      onlyOurs: true,
      journal: join(world.folder, `journal-${count}.jsonl`),
    }),
  );
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
