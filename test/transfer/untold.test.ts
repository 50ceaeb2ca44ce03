import { createHash } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { GOOGLE_ENDPOINTS } from '../../src/shared/endpoints.ts';
import { encodeCrc32c } from '../../src/transfer/crc32c.ts';
import { checkRoom } from '../../src/transfer/disk.ts';
import { download, type DownloadReport } from '../../src/transfer/download.ts';
import { crc32c } from '../../src/transfer/native-crc32c.ts';
import { uploadBytes } from '../../src/transfer/upload.ts';
import { randomBytes } from '../support/random.ts';
import { tree, value } from './world.ts';

const MIB = 1024 * 1024;
const servers: Server[] = [];
let folder: string;
let count = 0;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'trainyard-untold-'));
});
afterEach(() => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
});
afterAll(() => rm(folder, { recursive: true, force: true }));

type Media = (name: string, request: IncomingMessage, response: ServerResponse) => void;

/** A server that tells what it is given of its objects, and answers for their bytes as `media` does. */
async function serve(items: readonly unknown[] | undefined, media: Media): Promise<string> {
  const server = createServer((request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? '', 'http://localhost');
    if (searchParams.get('alt') === 'media')
      media(decodeURIComponent(pathname.split('/o/')[1] ?? ''), request, response);
    else response.end(JSON.stringify(items === undefined ? {} : { items, nextPageToken: '' }));
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function fetchAll(storage: string): Promise<{
  readonly report: DownloadReport;
  readonly destination: string;
  again: () => Promise<DownloadReport>;
}> {
  count += 1;
  const destination = join(folder, `to-${count}`);
  const options = {
    endpoints: { ...GOOGLE_ENDPOINTS, storage, emulated: true },
    tokens: null,
    bucket: 'bucket',
    target: { kind: 'folder', prefix: 'd/' } as const,
    destination,
    journal: join(folder, `journal-${count}`),
    patienceMs: 3_000,
  };
  const report = value(await download(options));
  return { report, destination, again: async () => value(await download(options)) };
}

const told = (name: string, bytes: Uint8Array) => ({
  name: `d/${name}`,
  size: String(bytes.length),
  crc32c: encodeCrc32c(crc32c(bytes, 0)),
  generation: '1',
});

describe('what a listing does not tell', () => {
  const abc = Buffer.from('abc');
  const crc = encodeCrc32c(crc32c(abc, 0));
  const md5 = createHash('md5').update(abc).digest('base64');

  it('decides over one object at most: sizes, generations, checksums, names', async () => {
    const nothing = encodeCrc32c(0);
    const storage = await serve(
      [
        { name: 'd/empty', crc32c: nothing, generation: '1' },
        { name: 'd/folder/', crc32c: nothing, generation: '1' },
        { name: 'd/size', crc32c: crc, generation: '1' },
        { name: 'd/odd-size', size: 'many', crc32c: crc, generation: '1' },
        { name: 'd/generation', size: '3', crc32c: crc, contentType: 5, componentCount: '2' },
        { name: 'd/md5', size: '3', generation: '1', md5Hash: md5 },
        { name: 'd/wrong-md5', generation: '1', md5Hash: nothing },
        { name: 'd/no-checksum', size: '3', generation: '1' },
        { name: '', size: '3', crc32c: crc, generation: '1' },
        { size: '3', crc32c: crc, generation: '1' },
        'no object',
        told('all', abc),
      ],
      (name, request, response) => {
        expect(request.url?.includes('generation=')).toBe(name !== 'd/generation');
        response.end(name === 'd/empty' ? '' : abc);
      },
    );
    const { report, destination, again } = await fetchAll(storage);
    expect(Object.keys(await tree(destination))).toEqual([
      'all',
      'empty',
      'generation',
      'md5',
      'size',
    ]);
    expect(report).toMatchObject({ objects: 5, bytes: 12 });
    expect(report.failed).toMatchObject([
      { object: 'd/wrong-md5', problem: { code: 'transfer.checksum' } },
    ]);
    const refused = new Map(report.refused.map(({ object, reason }) => [object, reason]));
    expect(refused.get('d/no-checksum')).toMatch(/^no checksum .* is told/);
    // One that is wrong and three without a name, told by where they stand.
    expect(
      [...refused.keys()].filter((name) => name.startsWith('an item that cannot be read')),
    ).toHaveLength(4);
    expect([...refused.keys()].at(-1)).toContain('after "d/no-checksum": "no object"');
    expect((await again()).skipped).toBe(5);
  });

  it('an answer without items is an empty folder', async () => {
    const { report } = await fetchAll(await serve(undefined, (_name, _request, r) => r.end()));
    expect(report).toMatchObject({ objects: 0, refused: [], failed: [] });
  });

  it('a disk that tells of no block has no limit; one that has none left does', () => {
    const need = { bytes: 1_000, files: 1 };
    const files = { files: 0, filesTotal: 0 };
    expect(checkRoom('/x', need, { bytes: null, ...files }).ok).toBe(true);
    expect(checkRoom('/x', need, { bytes: 0, ...files }).ok).toBe(false);
  });

  it('an answer to an upload that leaves out what it knows contradicts nothing', async () => {
    const server = createServer((request, response) => {
      request.resume().on('end', () => response.end(JSON.stringify({ name: 'e' })));
    });
    servers.push(server);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const storage = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const done = await uploadBytes({
      endpoints: { ...GOOGLE_ENDPOINTS, storage, emulated: true },
      tokens: null,
      bucket: 'bucket',
      object: 'e',
      bytes: new Uint8Array(),
      contentType: 'text/plain',
      journal: join(folder, 'upload.jsonl'),
      onlyOurs: false,
    });
    expect(value(done)).toMatchObject({ size: 0, generation: null, assumed: false });
  });
});

describe('ranges and breaks', () => {
  /** Sends a part of some bytes as asked, or all, and breaks after so many. */
  function send(
    bytes: Buffer,
    request: IncomingMessage,
    response: ServerResponse,
    options: { readonly ranges: boolean; readonly breakAfter?: number },
  ): void {
    const from = options.ranges
      ? Number(/bytes=(\d+)-/.exec(request.headers.range ?? '')?.[1] ?? 0)
      : 0;
    const to = options.ranges
      ? Number(/-(\d+)$/.exec(request.headers.range ?? '')?.[1] ?? bytes.length - 1) + 1
      : bytes.length;
    const isPart = options.ranges && request.headers.range !== undefined;
    response.writeHead(isPart ? 206 : 200, {
      'content-length': to - from,
      ...(isPart ? { 'content-range': `bytes ${from}-${to - 1}/${bytes.length}` } : {}),
    });
    const { breakAfter = bytes.length } = options;
    const part = bytes.subarray(from, Math.min(to, from + breakAfter));
    response.write(part, () => {
      if (part.length < to - from) response.destroy();
      else response.end();
    });
  }

  it('an object of 3 MB arrives over a link that breaks each MiB', async () => {
    const bytes = randomBytes(3 * MIB + 1);
    const ranges: (string | undefined)[] = [];
    const storage = await serve([told('a', bytes)], (_name, request, response) => {
      ranges.push(request.headers.range);
      send(bytes, request, response, { ranges: true, breakAfter: MIB });
    });
    const { report, destination } = await fetchAll(storage);
    expect(report.failed).toEqual([]);
    expect((await readFile(join(destination, 'a'))).equals(bytes)).toBe(true);
    expect(ranges[0]).toBeUndefined();
    expect(ranges.at(-1)).toMatch(/^bytes=\d+-$/);
    expect(ranges.length).toBeLessThan(12);
  });

  it('and one whose size nobody told, where the break comes at its very end', async () => {
    const bytes = randomBytes(MIB);
    let asked = 0;
    const item = { ...told('a', bytes), size: undefined };
    const storage = await serve([item], (_name, _request, response) => {
      asked += 1;
      if (asked > 1) {
        response.writeHead(416, { 'content-range': `bytes */${bytes.length}` }).end();
        return;
      }
      response.writeHead(200, { 'transfer-encoding': 'chunked' });
      response.write(bytes, () => setTimeout(() => response.destroy(), 50));
    });
    const { report, destination } = await fetchAll(storage);
    expect(report).toMatchObject({ failed: [], bytes: bytes.length });
    expect((await readFile(join(destination, 'a'))).equals(bytes)).toBe(true);
    expect(asked).toBe(2);
  });

  it('a server that answers a range with all of it gives large objects and small ones, broken or not', async () => {
    const large = randomBytes(40 * MIB + 5);
    const small = randomBytes(2 * MIB);
    const asked = { large: 0, small: 0 };
    const storage = await serve(
      [told('large', large), told('small', small)],
      (name, request, response) => {
        const isLarge = name === 'd/large';
        const number = isLarge ? (asked.large += 1) : (asked.small += 1);
        const breakAfter = number <= (isLarge ? 3 : 1) ? { breakAfter: MIB } : {};
        send(isLarge ? large : small, request, response, { ranges: false, ...breakAfter });
      },
    );
    const { report, destination } = await fetchAll(storage);
    expect(report.failed).toEqual([]);
    expect((await readFile(join(destination, 'large'))).equals(large)).toBe(true);
    expect((await readFile(join(destination, 'small'))).equals(small)).toBe(true);
    expect(asked.large).toBeLessThan(8);
  });

  it('wrong parts are asked for a few times, not for minutes', async () => {
    const bytes = randomBytes(9 * MIB);
    let asked = 0;
    const storage = await serve([told('a', bytes)], (_name, _request, response) => {
      asked += 1;
      response.writeHead(206, { 'content-range': `bytes 5-9/${bytes.length}` }).end('12345');
    });
    const { report } = await fetchAll(storage);
    expect(report.failed).toMatchObject([{ problem: { code: 'transfer.checksum' } }]);
    expect(asked).toBeLessThan(7);
  });
});
