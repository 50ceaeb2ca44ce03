import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { Storage, type Bucket, type File } from '@google-cloud/storage';
import { OAuth2Client } from 'google-auth-library';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { makeBucket, mint, put, SCOPES } from './ask.ts';
import { emailOf, startEmulator, type RunningEmulator } from './start.ts';
import { randomBytes } from '../support/random.ts';

const B = 'library-bucket';
let emulator: RunningEmulator;
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'trainyard-library-test-'));
  emulator = await startEmulator({
    accounts: [{ name: 'admin' }, { name: 'reader' }],
    admins: [emailOf('admin')],
    grants: [
      `${emailOf('reader')}=roles/storage.objectViewer@${B}@resource.name.startsWith("projects/_/buckets/${B}/objects/data/")`,
      `${emailOf('reader')}=storage.objects.list@${B}`,
    ],
  });
  await makeBucket(emulator.url, B, await mint(emulator, 'admin', SCOPES.platform));
});
afterAll(async () => {
  await emulator.stop();
  await rm(folder, { recursive: true, force: true });
});

/** Google's client library as an account; it asks for a token whenever it wants one. */
function clientOf(name: string, scope: string): Storage {
  const authClient = new OAuth2Client();
  authClient.refreshHandler = async () => ({
    access_token: await mint(emulator, name, scope),
    expiry_date: Date.now() + 3_600_000,
  });
  return new Storage({
    projectId: 'demo-project',
    apiEndpoint: emulator.url,
    useAuthWithCustomEndpoint: true,
    authClient: authClient as never,
    retryOptions: { autoRetry: false },
  });
}
const bucketOf = (name: string, scope: string = SCOPES.platform): Bucket =>
  clientOf(name, scope).bucket(B);
const status = (work: Promise<unknown>): Promise<number> =>
  work.then(
    () => 200,
    (error: unknown) => Number((error as { code?: unknown }).code),
  );

describe('@google-cloud/storage', () => {
  test('makes a bucket, lists buckets, deletes it', async () => {
    const client = clientOf('admin', SCOPES.platform);
    const [bucket] = await client.createBucket('library-made', { location: 'EU' });
    expect(bucket.metadata.location).toBe('EU');
    const [buckets] = await client.getBuckets();
    expect(buckets.map((each) => each.name)).toContain('library-made');
    await bucket.delete();
    expect(await bucket.exists()).toEqual([false]);
  });

  test.each([
    ['multipart', { resumable: false }],
    ['resumable', { resumable: true }],
    ['resumable in chunks', { resumable: true, chunkSize: 256 * 1024 }],
  ])('uploads (%s) and downloads with checksums checked', async (kind, options) => {
    const data = randomBytes(700_001);
    const file = bucketOf('admin').file(`up/${kind}`);
    // The library sends no token when it starts a session at an address of ours by itself, but does in a call of its own.
    const metadata = { metadata: { k: 'v' } };
    const session = options.resumable
      ? { uri: (await file.createResumableUpload({ metadata }))[0] }
      : { metadata };
    await file.save(data, { ...options, ...session, validation: 'crc32c' });
    const [described] = await file.getMetadata();
    expect([described.size, described.metadata]).toEqual([String(data.length), { k: 'v' }]);
    const [back] = await file.download({ validation: 'crc32c' });
    expect(back.equals(data)).toBe(true);
    const part = await buffer(file.createReadStream({ start: 5, end: 9, validation: false }));
    expect(part.equals(data.subarray(5, 10))).toBe(true);
    const target = join(folder, kind.replaceAll(' ', '-'));
    await file.download({ destination: target });
    expect((await readFile(target)).equals(data)).toBe(true);
  });

  test('keeps preconditions, copies, combines, patches, deletes', async () => {
    const bucket = bucketOf('admin');
    const one = bucket.file('ops/one');
    await one.save('one', { resumable: false });
    const clash = one.save('x', { resumable: false, preconditionOpts: { ifGenerationMatch: 0 } });
    expect(await status(clash)).toBe(412);
    await one.copy(bucket.file('ops/two'));
    await bucket.combine(['ops/one', 'ops/two'], 'ops/both');
    expect((await bucket.file('ops/both').download())[0].toString()).toBe('oneone');
    await one.setMetadata({ metadata: { patched: 'yes' } });
    expect((await one.getMetadata())[0].metadata).toEqual({ patched: 'yes' });
    await one.delete();
    expect(await one.exists()).toEqual([false]);
  });

  test('lists by prefix, delimiter and pages', async () => {
    const bucket = bucketOf('admin');
    for (const name of ['l/a', 'l/b', 'l/c/d', 'l/e'])
      await bucket.file(name).save(name, { resumable: false });
    const pages: string[][] = [];
    let query: object | null = { prefix: 'l/', maxResults: 3, autoPaginate: false };
    while (query !== null) {
      const response = (await bucket.getFiles(query)) as readonly [
        File[],
        object | null,
        ...unknown[],
      ];
      pages.push(response[0].map((file) => file.name));
      query = response[1];
    }
    expect(pages).toEqual([['l/a', 'l/b', 'l/c/d'], ['l/e']]);
    const [direct, , response] = await bucket.getFiles({
      prefix: 'l/',
      delimiter: '/',
      autoPaginate: false,
    });
    expect(direct.map((file) => file.name)).toEqual(['l/a', 'l/b', 'l/e']);
    expect((response as { prefixes: string[] }).prefixes).toEqual(['l/c/']);
  });

  test('sees permissions and policies as they are', async () => {
    await put(emulator.url, B, 'data/x', 'x', { token: await mint(emulator, 'admin') });
    const reader = bucketOf('reader', SCOPES.read);
    expect((await reader.file('data/x').download())[0].toString()).toBe('x');
    expect(await status(reader.file('other/x').download())).toBe(403);
    expect(await status(reader.file('data/y').save('y', { resumable: false }))).toBe(403);
    expect(await status(reader.getMetadata())).toBe(403);
    expect((await reader.getFiles({ prefix: 'data/' }))[0].map((file) => file.name)).toEqual([
      'data/x',
    ]);
    const [held] = await reader.iam.testPermissions([
      'storage.objects.list',
      'storage.objects.get',
    ]);
    expect(held).toEqual({ 'storage.objects.list': true, 'storage.objects.get': false });
    const admin = bucketOf('admin');
    const [policy] = await admin.iam.getPolicy({ requestedPolicyVersion: 3 });
    expect(policy.bindings).toHaveLength(2);
    const expression = `resource.name.startsWith("projects/_/buckets/${B}/objects/data/")`;
    policy.bindings.push({
      role: 'roles/storage.objectCreator',
      members: [`serviceAccount:${emailOf('reader')}`],
      condition: { title: 'below data/', expression },
    });
    await admin.iam.setPolicy({ ...policy, version: 3 });
    const [after] = await admin.iam.getPolicy({ requestedPolicyVersion: 3 });
    expect(after.bindings.at(-1)?.condition).toMatchObject({ title: 'below data/', expression });
    const writer = bucketOf('reader', SCOPES.write);
    expect(await status(writer.file('data/y').save('y', { resumable: false }))).toBe(200);
    expect(await status(writer.file('other/y').save('y', { resumable: false }))).toBe(403);
    // A refusal says in words what is missing.
    await expect(writer.file('data/y').delete()).rejects.toThrow('storage.objects.delete');
  });
});
