import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { emailOf, startEmulator, type RunningEmulator } from '../emulator/start.ts';
import { makeHome, type TestHome } from './harness.ts';
import { mintFor } from './mint.ts';

const BUCKET = 'input-data-bucket';
const narrow = emailOf('narrow');
const LIST_DATA = `api.getAttribute('storage.googleapis.com/objectListPrefix', '').startsWith('data/')`;

/** One of them begins like the folder's name, one is object and folder at once. */
const NAMES = ['data/a.txt', 'data/deep/b.txt', 'data-2/c.txt', 'both', 'both/d.txt', 'dat'];

let google: RunningEmulator;
let home: TestHome;

beforeAll(async () => {
  google = await startEmulator({
    accounts: [
      { name: 'narrow' },
      { name: 'setup' },
      { name: 'lister' },
      { name: 'below' },
      { name: 'blind' },
      { name: 'reader' },
    ],
    admins: [emailOf('setup')],
    grants: [
      `${narrow}=storage.objects.list@${BUCKET}@${LIST_DATA}`,
      `${narrow}=roles/storage.objectCreator@${BUCKET}`,
      `${narrow}=storage.objects.get@${BUCKET}@resource.name.startsWith("projects/_/buckets/${BUCKET}/objects/data/")`,
      `${emailOf('lister')}=storage.objects.list@${BUCKET}`,
      `${emailOf('reader')}=storage.objects.get@${BUCKET}`,
      `${emailOf('below')}=storage.objects.list@${BUCKET}@${LIST_DATA.replace("'data/'", "'dat/'")}`,
    ],
    flags: ['--evaluate-list-prefix'],
  });
  home = await makeHome(google.environment);
  const admin = async (address: string, body: string) => {
    const authorization = `Bearer ${await mintFor(google, 'setup')}`;
    const answer = await fetch(`${google.url}${address}`, {
      method: 'POST',
      headers: { authorization, 'content-type': 'application/json' },
      body,
    });
    expect(answer.status).toBe(200);
  };
  await admin('/storage/v1/b?project=demo-project', JSON.stringify({ name: BUCKET }));
  for (const name of NAMES)
    await admin(
      `/upload/storage/v1/b/${BUCKET}/o?uploadType=media&name=${encodeURIComponent(name)}`,
      name,
    );
}, 60_000);
afterAll(async () => {
  await home.remove();
  await google.stop();
}, 60_000);

const names = async (...args: string[]): Promise<string[]> =>
  (await home.json<{ name: string }[]>(['ls', ...args])).map(({ name }) => name);

describe('which key is meant', () => {
  it('without keys no credential is sent', async () => {
    const refused = await home.run(['ls', `gs://${BUCKET}/data`]);
    expect(refused.status).toBe(3);
    expect(refused.stderr).toContain('--key NAME');
    expect(refused.stderr.match(/name a key|give a key/gi)).toHaveLength(1);
    expect(refused.stderr).not.toContain('With the key');
  });

  it('the only key is taken, and that is said; several are asked about', async () => {
    const add = (name: string, ...more: string[]) =>
      home.json(['keys', 'add', google.keyFiles[name] ?? '', '--name', name, ...more]);
    await add('narrow');
    const shown = await home.run(['ls', `gs://${BUCKET}/data`]);
    expect(shown).toMatchObject({ status: 0 });
    expect(shown.stderr).toContain('With the key narrow.');
    expect((await home.run(['ls', `gs://${BUCKET}/data`, '--no-key'])).status).toBe(3);
    await add('setup', '--accept-admin', emailOf('setup'));
    for (const command of [
      ['ls', `gs://${BUCKET}/data`],
      ['cp', `gs://${BUCKET}/data`, './x'],
    ]) {
      const unclear = await home.run(command);
      expect(unclear.status).toBe(2);
      expect(unclear.stderr).toMatch(/narrow, setup.*--no-key/);
    }
    const both = await home.run(['ls', `gs://${BUCKET}/data`, '--key', 'narrow', '--no-key']);
    expect(both.status).toBe(2);
    expect(both.stderr).toMatch(/--key.*--no-key/);
  });
});

describe('what an address lists', () => {
  it.each([
    [['data'], ['data/a.txt', 'data/deep/']],
    [
      ['data', '--recursive'],
      ['data/a.txt', 'data/deep/b.txt'],
    ],
    [['data/a.txt'], ['data/a.txt']],
  ])('%j, by an account that may list data/ alone', async ([where, ...more], expected) => {
    expect(await names(`gs://${BUCKET}/${where}`, '--key', 'narrow', ...more)).toEqual(expected);
  });

  it.each([
    ['', ['both', 'both/', 'dat', 'data-2/', 'data/']],
    ['dat', ['dat']],
    ['both', ['both/d.txt']],
  ])('"%s", by an account that may everything', async (where, expected) => {
    expect(await names(`gs://${BUCKET}/${where}`, '--key', 'setup')).toEqual(expected);
  });

  it('one object is told also where the account may only list', async () => {
    await home.json(['keys', 'add', google.keyFiles['lister'] ?? '', '--name', 'lister']);
    expect(await names(`gs://${BUCKET}/dat`, '--key', 'lister')).toEqual(['dat']);
  });

  it('one object is told also where the account may only read', async () => {
    await home.json(['keys', 'add', google.keyFiles['reader'] ?? '', '--name', 'reader']);
    expect(await names(`gs://${BUCKET}/dat`, '--key', 'reader')).toEqual(['dat']);
    const copied = await home.run(['cp', `gs://${BUCKET}/dat`, './dat-copy', '--key', 'reader']);
    expect(copied, copied.stderr).toMatchObject({ status: 0 });
    expect(await readFile(path.join(home.folder, 'dat-copy'), 'utf8')).toBe('dat');
  });

  it.each([
    ['da', 'setup'],
    ['da', 'lister'],
    ['data/a', 'narrow'],
    ['none/', 'setup'],
  ])('what is not there ends with 1, in words: %s, by %s', async (where, key) => {
    const ended = await home.run(['ls', `gs://${BUCKET}/${where}`, '--key', key]);
    expect(ended).toMatchObject({ status: 1, stdout: '' });
    expect(ended.stderr).toContain(`There is nothing`);
    expect(ended.stderr).toContain(`gs://${BUCKET}/${where}`);
  });

  it('a listing that is refused says the grant', async () => {
    const refused = await home.run(['ls', `gs://${BUCKET}/data-2`, '--key', 'narrow']);
    expect(refused.status).toBe(3);
    expect(refused.stderr).toContain('storage.objects.list');
  });
});

describe('one object that may not be read', () => {
  it.each([
    ['lister', 'dat', 3, /may not read gs:\/\/input-data-bucket\/dat .*\n.*objectViewer/],
    ['lister', 'da', 2, /There is nothing at gs:\/\/input-data-bucket\/da: no object/],
    ['narrow', 'data/none', 2, /There is nothing at/],
    ['blind', 'both', 3, /may not list/],
    ['below', 'dat', 3, /nothing at .*\/dat that below@\S+ may read: .*\n.*right: .*objectViewer/],
  ])('%s copies %s: %i', async (key, name, status, told) => {
    if (key === 'blind' || key === 'below')
      await home.run(['keys', 'add', google.keyFiles[key] ?? '', '--name', key]);
    const { stderr, ...ended } = await home.run([
      ...['cp', `gs://${BUCKET}/${name}`, './refused', '--key', key],
    ]);
    expect(ended.status, stderr).toBe(status);
    expect(stderr).toMatch(told);
  });
});

describe('a target that cannot be made', () => {
  it.each([['data'], ['data/a.txt']])('is told at once: %s', async (source) => {
    const target = '/proc/trainyard/x';
    const refused = await home.run(['cp', `gs://${BUCKET}/${source}`, target, '--key', 'narrow']);
    expect(refused.status).toBe(1);
    expect(refused.stderr).toContain('No folder can be made at /proc/trainyard');
    expect(refused.stderr).toContain('Use another folder.');
  });
});

describe('one object copied again', () => {
  it.each(['one.txt', 'folder/'])('to %s', async (target) => {
    const file = path.join(home.folder, target.endsWith('/') ? `${target}a.txt` : target);
    const copy = [
      'cp',
      `gs://${BUCKET}/data/a.txt`,
      path.join(home.folder, target) + (target.endsWith('/') ? '/' : ''),
      '--key',
      'narrow',
    ];
    expect((await home.run(copy)).stdout).toContain('Copied 1 object');
    const again = await home.run(copy);
    expect(again).toMatchObject({ status: 0 });
    expect(again.stdout).toContain('already there');
    expect(await home.json(copy)).toMatchObject({ objects: 1, skipped: 1, failed: [] });
    // As long, and other content.
    await writeFile(file, 'DATA/A.TXT');
    const refused = await home.run(copy);
    expect(refused.status).toBe(2);
    expect(refused.stderr).toContain(path.basename(file));
    expect(await readFile(file, 'utf8')).toBe('DATA/A.TXT');
  });
});
