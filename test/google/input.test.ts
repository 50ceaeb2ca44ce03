import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, test } from 'vitest';
import { archiveFormatOf, decideInput, resolveInput } from '../../src/google/input.ts';
import { GOOGLE_ENDPOINTS } from '../../src/shared/endpoints.ts';
import { formatGcsAddress, parseGcsAddress } from '../../src/shared/address.ts';
import { problemOf, valueOf } from '../main/temp.ts';
import { fc } from '../support/properties.ts';

test.each([
  ['data.zip', 'zip'],
  ['a/b/data.tar', 'tar'],
  ['data.tar.gz', 'tar.gz'],
  ['data.tgz', 'tgz'],
  ['data.tar.bz2', 'tar.bz2'],
  ['DATA.ZIP', 'zip'],
  ['my.data.tar.gz', 'tar.gz'],
  ['data.gz', null],
  ['data.bz2', null],
  ['data', null],
  ['zip', null],
  ['.zip', null],
  ['a/.tar.gz', null],
  ['archive.zip/part', null],
  ['data.zip/', null],
  ['data.zipx', null],
])('%s is an archive of format %s', (path, format) => {
  expect(archiveFormatOf(path)).toBe(format);
});

const address = { bucket: 'input-data-bucket', path: 'data' };

test('the answers to the two questions decide', () => {
  const decide = (below: boolean, object: boolean, marker = false) =>
    decideInput(address, { below, object, marker });
  expect(decide(true, false)).toEqual({ ok: true, value: { kind: 'folder', prefix: 'data/' } });
  expect(decide(true, false, true)).toEqual({
    ok: true,
    value: { kind: 'folder', prefix: 'data/' },
  });
  expect(decide(false, true)).toEqual({ ok: true, value: { kind: 'object', object: 'data' } });
  expect(decide(true, true)).toMatchObject({ problem: { code: 'input.address-ambiguous' } });
  expect(decide(false, false)).toMatchObject({ problem: { code: 'input.nothing-there' } });
  const empty = decide(false, false, true);
  expect(empty.ok || empty.problem.message).toContain('empty');
});

test('every address that is read is written back the same', () => {
  const bucket = fc.stringMatching(/^[a-z0-9][a-z0-9_-]{1,40}[a-z0-9]$/);
  const path = fc
    .string({ unit: 'grapheme', maxLength: 60 })
    .filter((text) => !/[\r\n]/.test(text));
  fc.assert(
    fc.property(bucket, path, (name, rest) => {
      const text = `gs://${name}/${rest}`;
      const parsed = valueOf(parseGcsAddress(text));
      expect(parsed).toEqual({ bucket: name, path: rest });
      expect(formatGcsAddress(parsed)).toBe(text);
    }),
  );
});

test('no text at all makes the reader of addresses throw: what is no address is refused', () => {
  const text = fc.string();
  fc.assert(
    fc.property(
      fc.oneof(
        text,
        text.map((rest) => `gs://${rest}`),
      ),
      (address) => {
        // Every bucket begins with one of these.
        fc.pre(!/^gs:\/\/[a-z0-9]/.test(address));
        expect(problemOf(parseGcsAddress(address)).code).toBe('input.address');
      },
    ),
  );
});

test('a bucket that is accepted is safe in an address, whatever stands around it', () => {
  const like = fc.stringMatching(/^[a-z0-9._%@:#?/\\ -]{3,20}$/);
  const right = fc.stringMatching(/^[a-z0-9][a-z0-9._-]{1,18}[a-z0-9]$/);
  let accepted = 0;
  fc.assert(
    fc.property(fc.oneof(like, right), (name) => {
      const parsed = parseGcsAddress(`gs://${name}`);
      const buckets = parsed.ok ? [parsed.value.bucket] : [];
      accepted += buckets.length;
      expect(
        buckets.filter((one) => new URL(`http://x/b/${one}/o`).pathname !== `/b/${one}/o`),
      ).toEqual([]);
      expect(buckets.filter((one) => !/^[a-z0-9][a-z0-9._-]+[a-z0-9]$/.test(one))).toEqual([]);
    }),
    { numRuns: 500 },
  );
  // Half of them are names, but for those with two dots in a row.
  expect(accepted).toBeGreaterThan(100);
});

test('a listing of empty pages that goes round comes to an end, in words', async () => {
  const tokens = ['one', 'two', 'one'];
  let asked = 0;
  const server = createServer((_, response) => {
    const nextPageToken = tokens[asked % tokens.length];
    asked += 1;
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify({ kind: 'storage#objects', nextPageToken }));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  try {
    const storage = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const found = await resolveInput({
      endpoints: { ...GOOGLE_ENDPOINTS, storage, emulated: true },
      tokens: null,
      address: { ...address, path: 'data/' },
      signal: AbortSignal.timeout(15_000),
    });
    expect(found).toMatchObject({ ok: false, problem: { code: 'network.unexpected-answer' } });
    expect(asked).toBeLessThan(5);
  } finally {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
});
