import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gzipSync } from 'node:zlib';
import { afterEach, expect, test } from 'vitest';
import { readObjectStart, type ObjectStart } from '../../src/google/read-object.ts';
import { GOOGLE_ENDPOINTS } from '../../src/shared/endpoints.ts';
import type { Result } from '../../src/shared/problem.ts';
import { startEmulator } from '../emulator/start.ts';

const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) server.closeAllConnections();
});

async function serve(listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const read = (
  storage: string,
  name: string,
  options: { readonly maxBytes?: number; readonly signal?: AbortSignal } = {},
): Promise<Result<ObjectStart>> =>
  readObjectStart({
    endpoints: { ...GOOGLE_ENDPOINTS, storage, emulated: true },
    tokens: null,
    bucket: 'a-bucket',
    name,
    maxBytes: options.maxBytes ?? 10,
    signal: options.signal ?? new AbortController().signal,
    deadlineMs: 5_000,
  });

const textOf = (result: Result<ObjectStart>): readonly [string, boolean] | string =>
  result.ok
    ? [Buffer.from(result.value.bytes).toString(), result.value.complete]
    : result.problem.code;

test('the emulator gives the first bytes of an object, whole ones as whole, and says what is not there', async () => {
  const emulator = await startEmulator({ open: true });
  try {
    const post = (path: string, body: string | Uint8Array<ArrayBuffer>, type: string) =>
      fetch(`${emulator.url}${path}`, { method: 'POST', headers: { 'content-type': type }, body });
    await post('/storage/v1/b?project=demo-project', '{"name":"a-bucket"}', 'application/json');
    for (const [name, body] of [
      ['long/ö ?.txt', 'abcdefghijklmnop'],
      ['exact', '0123456789'],
      ['empty', ''],
    ] as const)
      await post(
        `/upload/storage/v1/b/a-bucket/o?uploadType=media&name=${encodeURIComponent(name)}`,
        body,
        'text/plain',
      );
    expect(textOf(await read(emulator.url, 'long/ö ?.txt'))).toEqual(['abcdefghij', false]);
    expect(textOf(await read(emulator.url, 'exact'))).toEqual(['0123456789', true]);
    expect(textOf(await read(emulator.url, 'empty'))).toEqual(['', true]);
    expect(textOf(await read(emulator.url, 'none'))).toBe('storage.object-not-found');
    expect(textOf(await read(emulator.url, '..'))).toBe('input.object-name');
    const asked = (await emulator.requestLog()).filter(({ object }) => object === 'long/ö ?.txt');
    expect(asked.at(-1)).toMatchObject({ status: 206, bytes: 10 });
  } finally {
    await emulator.stop();
  }
});

test('a server that ignores the range is not read further than asked, packed or not', async () => {
  let closed = 0;
  const storage = await serve((request, response) => {
    response.on('close', () => (closed += 1));
    if (request.url?.includes('packed') === true) {
      response.setHeader('content-encoding', 'gzip');
      response.end(gzipSync(Buffer.alloc(5_000_000, 'z')));
      return;
    }
    response.write(Buffer.alloc(1_000, 'y'));
    // It never ends by itself.
  });
  expect(textOf(await read(storage, 'endless'))).toEqual(['yyyyyyyyyy', false]);
  expect(textOf(await read(storage, 'packed'))).toEqual(['zzzzzzzzzz', false]);
  await expect.poll(() => closed).toBe(2);
});

test('a passing failure is tried again, a refusal names the grant, a cancelled read says so', async () => {
  let asked = 0;
  const storage = await serve((request, response) => {
    asked += 1;
    if (request.url?.includes('refused') === true) {
      response.statusCode = 403;
      response.end('{"error":{"message":"no storage.objects.get"}}');
    } else if (request.url?.includes('silent') !== true) {
      response.statusCode = asked === 1 ? 503 : 200;
      response.end('fine');
    }
  });
  expect(textOf(await read(storage, 'x'))).toEqual(['fine', true]);
  expect(asked).toBe(2);
  expect(textOf(await read(storage, 'refused'))).toBe('access.get-refused');
  const controller = new AbortController();
  const silent = read(storage, 'silent', { signal: controller.signal });
  setTimeout(() => controller.abort(), 50);
  expect(textOf(await silent)).toBe('job.cancelled');
});
