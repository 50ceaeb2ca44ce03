import { execFileSync } from 'node:child_process';
import {
  appendFile,
  mkdir,
  readFile,
  rm,
  symlink,
  truncate,
  utimes,
  writeFile,
} from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { uploadArchive } from '../../src/transfer/upload-archive.ts';
import { checkedLine } from '../../src/transfer/journal.ts';
import { readCompletedUploads } from '../../src/transfer/upload-journal.ts';
import {
  upload,
  uploadBytes,
  uploadFile,
  type UploadAccess,
  type UploadOptions,
} from '../../src/transfer/upload.ts';
import { startProxy, type Fault } from './proxy.ts';
import { OUT, plant, refusal, startWorld, tree, value, type World } from './world.ts';
import { randomBytes } from '../support/random.ts';

const big = randomBytes(34 * 1024 * 1024 + 5);
const files = {
  'metrics.json': '{"accuracy":0.97}',
  empty: '',
  'deep/er/ünï code #?%.bin': randomBytes(1000),
  'model.bin': big,
  'half.bin': randomBytes(300 * 1024),
};
let world: World;
let count = 0;

beforeAll(async () => {
  world = await startWorld();
});
afterAll(() => world.stop());

async function access(): Promise<UploadAccess> {
  count += 1;
  return {
    endpoints: world.endpoints,
    tokens: await world.tokens('writer', 'write'),
    bucket: OUT,
    journal: join(world.folder, `journal-${count}.jsonl`),
    onlyOurs: true,
    patienceMs: 10_000,
  };
}
async function options(changes: Partial<UploadOptions> = {}): Promise<UploadOptions> {
  const common = await access();
  const source = join(world.folder, `from-${count}`);
  await plant(source, files);
  return { ...common, prefix: `results/run-${count}/`, source, ...changes };
}

/** Every object below a prefix is what the disk has, as curl gets it. */
async function expectInBucket(
  prefix: string,
  wanted: Readonly<Record<string, Uint8Array | string>>,
) {
  const names = await world.names(OUT, prefix);
  expect(names.sort()).toEqual(
    Object.keys(wanted)
      .map((path) => prefix + path)
      .sort(),
  );
  for (const [path, bytes] of Object.entries(wanted))
    expect((await world.get(OUT, prefix + path)).equals(Buffer.from(bytes)), path).toBe(true);
}

async function through<T>(
  rule: (seen: { method: string; path: string; number: number; range: string }) => Fault,
  work: (endpoints: World['endpoints']) => Promise<T>,
): Promise<T> {
  let number = 0;
  const proxy = await startProxy(world.emulator.url, ({ method, path, headers }) => {
    number += 1;
    return rule({ method, path, number, range: headers['content-range'] ?? '' });
  });
  try {
    return await work({ ...world.endpoints, storage: proxy.url });
  } finally {
    await proxy.stop();
  }
}

describe('upload', { timeout: 60_000 }, () => {
  it('puts a folder into the bucket with the right to create alone', async () => {
    const wanted = await options();
    const before = (await world.emulator.requestLog()).length;
    const report = value(await upload(wanted));
    expect(report).toMatchObject({ refused: [], failed: [] });
    expect(report.objects).toHaveLength(5);
    for (const object of report.objects) {
      expect(object.assumed).toBe(false);
      expect(object.generation).toMatch(/^\d+$/);
    }
    await expectInBucket(wanted.prefix, files);
    const asked = (await world.emulator.requestLog()).slice(before);
    const reads = asked.filter(
      ({ method, account }) => method === 'GET' && account?.startsWith('writer'),
    );
    expect(reads).toEqual([]);
    expect(asked.filter(({ status }) => status >= 400)).toEqual([]);
  });

  it('sends nothing twice, tells what earlier attempts did, and finds new names for what changed', async () => {
    const wanted = await options();
    value(await upload(wanted));
    await appendFile(join(wanted.source, 'metrics.json'), '\n');
    await plant(wanted.source, { 'new.txt': 'new' });
    const second = value(await upload(wanted));
    expect(second.objects).toHaveLength(6);
    expect(second.failed).toMatchObject([
      { path: 'metrics.json', problem: { code: 'storage.exists' } },
    ]);
    const third = value(await upload({ ...wanted, onTaken: (path) => `attempt-2/${path}` }));
    expect(third.failed).toEqual([]);
    expect(third.objects.map(({ name }) => name)).toContain(
      `${wanted.prefix}attempt-2/metrics.json`,
    );
    const before = (await world.emulator.requestLog()).length;
    const fourth = value(await upload({ ...wanted, onTaken: (path) => `attempt-2/${path}` }));
    expect(fourth.objects).toHaveLength(7);
    expect((await world.emulator.requestLog()).slice(before)).toEqual([]);
    expect(await readCompletedUploads(wanted.journal, OUT)).toHaveLength(7);
    await expectInBucket(wanted.prefix, {
      ...files,
      'new.txt': 'new',
      'attempt-2/metrics.json': '{"accuracy":0.97}\n',
    });

    // The same bytes written anew are no change, under whichever name the newest of them is; earlier bytes are one.
    await plant(wanted.source, { 'new.txt': 'new', 'metrics.json': '{"accuracy":0.97}\n' });
    for (const name of ['new.txt', 'metrics.json'])
      await utimes(join(wanted.source, name), 1_000_000_000, 1_000_000_000);
    const asked = (await world.emulator.requestLog()).length;
    const fifth = value(await upload({ ...wanted, onTaken: (path) => `attempt-3/${path}` }));
    expect(fifth).toMatchObject({ failed: [] });
    expect(fifth.objects).toHaveLength(7);
    expect((await world.emulator.requestLog()).slice(asked)).toEqual([]);
    await plant(wanted.source, { 'metrics.json': '{"accuracy":0.97}' });
    await utimes(join(wanted.source, 'metrics.json'), 1_000_000_001, 1_000_000_001);
    await upload({ ...wanted, onTaken: (path) => `attempt-4/${path}` });
    await expectInBucket(wanted.prefix, {
      ...files,
      'new.txt': 'new',
      'attempt-2/metrics.json': '{"accuracy":0.97}\n',
      'attempt-4/metrics.json': '{"accuracy":0.97}',
    });
  });

  it('never overwrites, and takes no clash for its own that it did not attempt', async () => {
    const wanted = await options();
    await world.put(OUT, `${wanted.prefix}empty`, 'theirs');
    await world.put(OUT, `${wanted.prefix}model.bin`, 'theirs');
    const report = value(await upload(wanted));
    expect(report.failed.map(({ path, problem }) => [path, problem.code]).sort()).toEqual([
      ['empty', 'storage.exists'],
      ['model.bin', 'storage.exists'],
    ]);
    for (const { path, problem } of report.failed)
      expect(problem.message).toMatch(`gs://${OUT}/${wanted.prefix}${path} is there already`);
    expect((await world.get(OUT, `${wanted.prefix}empty`)).toString()).toBe('theirs');
    expect((await world.get(OUT, `${wanted.prefix}model.bin`)).toString()).toBe('theirs');
  });

  it('says what is missing when the bucket refuses, and finishes once it is granted', async () => {
    const wanted = await options({ prefix: 'elsewhere/' });
    const report = value(await upload(wanted));
    expect(report.objects).toEqual([]);
    expect(report.failed).toHaveLength(5);
    for (const { problem } of report.failed) {
      expect(problem.code).toBe('access.create-refused');
      expect(problem.hint).toContain('objectCreator');
    }
    const granted = { ...wanted, tokens: await world.tokens('boss', 'write') };
    expect(value(await upload(granted)).failed).toEqual([]);
    await expectInBucket('elsewhere/', files);
  });

  it('follows links that stay inside and passes over the rest by name', async () => {
    const wanted = await options();
    const { source } = wanted;
    await mkdir(join(source, 'links'));
    await symlink('../metrics.json', join(source, 'links/inside'));
    await symlink('/etc/passwd', join(source, 'links/outside'));
    await symlink('..', join(source, 'links/loop'));
    await symlink('nowhere', join(source, 'links/dangling'));
    execFileSync('mkfifo', [join(source, 'links/pipe')]);
    await writeFile(Buffer.concat([Buffer.from(`${source}/bad-`), Buffer.from([0xff])]), 'x');
    const server = createServer();
    await new Promise<void>((done) => server.listen(join(source, 's'), done));
    const report = value(await upload({ ...wanted, exclude: (path) => path === 'model.bin' }));
    server.close();
    expect(report.refused.map(({ path }) => path).sort()).toEqual([
      'bad-\ufffd',
      'links/dangling',
      'links/loop',
      'links/outside',
      'links/pipe',
      's',
    ]);
    expect(report.refused.find(({ path }) => path.startsWith('bad'))?.reason).toContain(
      'not UTF-8',
    );
    const rest = Object.fromEntries(Object.entries(files).filter(([path]) => path !== 'model.bin'));
    await expectInBucket(wanted.prefix, { ...rest, 'links/inside': files['metrics.json'] });
  });

  it('uploads bytes and single files under the same rules', async () => {
    const common = await access();
    const manifest = { object: 'results/m/manifest.json', contentType: 'application/json' };
    const bytes = Buffer.from('{}');
    const made = value(await uploadBytes({ ...common, ...manifest, bytes }));
    expect(value(await uploadBytes({ ...common, ...manifest, bytes }))).toEqual(made);
    expect(
      refusal(await uploadBytes({ ...common, ...manifest, bytes: Buffer.from('[]') })).code,
    ).toBe('storage.exists');
    const other = await access();
    expect(refusal(await uploadBytes({ ...other, ...manifest, bytes })).code).toBe(
      'storage.exists',
    );
    const wanted = await options();
    const file = join(wanted.source, 'model.bin');
    const object = 'results/m/model.bin';
    const one = value(await uploadFile({ ...common, object, file }));
    expect(one).toMatchObject({ name: object, size: big.length });
    expect((await world.get(OUT, object)).equals(big)).toBe(true);
    expect(one.sent).toBe(true);
    expect(value(await uploadFile({ ...common, object, file }))).toEqual({ ...one, sent: false });
  });

  it('packs a folder as one archive that tar can read', async () => {
    const wanted = await options();
    const object = `${wanted.prefix}worker-0.tar.gz`;
    const report = value(await uploadArchive({ ...wanted, object }));
    expect(report).toMatchObject({
      files: 5,
      refused: [],
      object: { name: object, assumed: false },
    });
    const copy = join(world.folder, `archive-${count}`);
    await mkdir(copy);
    await writeFile(join(copy, '../a.tar.gz'), await world.get(OUT, object));
    execFileSync('tar', ['-xzf', join(copy, '../a.tar.gz'), '-C', copy]);
    expect(await tree(copy)).toEqual(await tree(wanted.source));
    expect(value(await uploadArchive({ ...wanted, object })).object).toEqual(report.object);
    await rm(join(wanted.source, 'empty'));
    expect(refusal(await uploadArchive({ ...wanted, object })).code).toBe('storage.exists');
  });

  it('puts no token and no session address into problems', async () => {
    const wanted = await options();
    const token = value(await wanted.tokens!.token()).token;
    const report = await through(
      ({ method }) => (method === 'PUT' ? { status: 400 } : 'pass'),
      (endpoints) => upload({ ...wanted, endpoints }),
    );
    const text = JSON.stringify(value(report).failed);
    expect(text).toContain('model.bin');
    expect(text).not.toContain(token);
    expect(text).not.toMatch(/upload_?id/i);
  });

  it('cancels promptly', async () => {
    const wanted = await options();
    const controller = new AbortController();
    const done = await upload({
      ...wanted,
      signal: controller.signal,
      onProgress: ({ bytes }) => {
        if (bytes > 0) controller.abort();
      },
    });
    expect(refusal(done).code).toBe('job.cancelled');
    expect(value(await upload(wanted)).failed).toEqual([]);
    await expectInBucket(wanted.prefix, files);
  });
});

describe('upload over a faulty network', { timeout: 60_000 }, () => {
  const media = (path: string) => path.includes('uploadType=multipart');

  it('takes a lost answer for its own under a prefix of its own, and says so', async () => {
    const wanted = await options();
    const lost = new Set<number>();
    const report = await through(
      ({ path, number }) => {
        if (!media(path) || lost.size >= 2) return 'pass';
        lost.add(number);
        return 'lose-answer';
      },
      (endpoints) => upload({ ...wanted, endpoints }),
    );
    const { objects, failed } = value(report);
    expect(failed).toEqual([]);
    expect(objects.filter(({ assumed }) => assumed)).toHaveLength(2);
    // What is assumed has no generation, and nothing else lacks one.
    expect(objects.filter(({ assumed, generation }) => assumed !== (generation === null))).toEqual(
      [],
    );
    await expectInBucket(wanted.prefix, files);
  });

  it('takes no object for its own where other bytes were attempted under the name before', async () => {
    const wanted = await options();
    const { source, prefix, journal } = wanted;
    const name = `${prefix}metrics.json`;
    // An earlier process sent this, and died before it heard the answer; then the file changed.
    await world.put(OUT, name, 'earlier bytes');
    const begin = { format: 1, kind: 'begin', bucket: OUT };
    const intent = { kind: 'intent', name, path: 'metrics.json', size: 13, mtimeMs: 1 };
    await writeFile(journal, `${checkedLine(begin)}\n${checkedLine(intent)}\n`);
    for (let attempt = 0; attempt < 2; attempt += 1)
      expect(value(await upload(wanted)).failed).toMatchObject([
        { path: 'metrics.json', problem: { code: 'storage.exists' } },
      ]);
    // Beside it there is room; once it is there, nothing is tried again.
    const beside = (path: string, kind: string) => kind === 'file' && path !== 'metrics.json';
    await upload({ ...wanted, prefix: `${prefix}attempt-2/`, exclude: beside });
    const last = value(await upload({ ...wanted, onTaken: (path) => `attempt-3/${path}` }));
    expect(last.failed).toEqual([]);
    await expectInBucket(prefix, {
      ...files,
      'metrics.json': 'earlier bytes',
      'attempt-2/metrics.json': await readFile(join(source, 'metrics.json')),
    });
    expect(last.objects.map((object) => object.name)).not.toContain(name);
  });

  it('takes no lost answer for its own elsewhere', async () => {
    const wanted = await options({ onlyOurs: false });
    let lost = 0;
    const report = await through(
      ({ path }) => (media(path) && (lost += 1) === 1 ? 'lose-answer' : 'pass'),
      (endpoints) => upload({ ...wanted, endpoints }),
    );
    const { failed } = value(report);
    expect(failed).toMatchObject([{ problem: { code: 'storage.exists' } }]);
    expect(failed[0]?.problem.message).toContain('no answer came');
  });

  it('looks at the object where an answer was lost elsewhere and the key may read', async () => {
    const tokens = await world.tokens('boss', 'write');
    const wanted = await options({ onlyOurs: false, tokens });
    let lost = 0;
    const report = await through(
      ({ path }) => (media(path) && (lost += 1) === 1 ? 'lose-answer' : 'pass'),
      (endpoints) => upload({ ...wanted, endpoints }),
    );
    const { objects, failed } = value(report);
    expect(failed).toEqual([]);
    expect(objects).toMatchObject(
      Object.keys(files).map(() => ({
        assumed: false,
        generation: expect.stringMatching(/^\d+$/) as string,
      })),
    );
    await expectInBucket(wanted.prefix, files);
  });

  it('asks a session whose last answer was lost', async () => {
    const wanted = await options();
    let lost = false;
    const report = await through(
      ({ method, range }) => {
        if (method !== 'PUT' || lost || !range.endsWith(`/${big.length}`)) return 'pass';
        lost = true;
        return 'lose-answer';
      },
      (endpoints) => upload({ ...wanted, endpoints }),
    );
    const { objects, failed } = value(report);
    expect(lost).toBe(true);
    expect(failed).toEqual([]);
    expect(objects.find(({ relativePath }) => relativePath === 'model.bin')).toMatchObject({
      assumed: false,
      generation: expect.stringMatching(/^\d+$/) as string,
    });
    await expectInBucket(wanted.prefix, files);
  });

  it('goes on from the session’s offset after breaks', async () => {
    const wanted = await options();
    const ranges: string[] = [];
    let cuts = 0;
    const report = await through(
      ({ method, range }) => {
        if (method !== 'PUT') return 'pass';
        ranges.push(range);
        return !range.includes('*/') && (cuts += 1) <= 3 ? { cutRequestAfter: 3_000_000 } : 'pass';
      },
      (endpoints) => upload({ ...wanted, endpoints }),
    );
    expect(value(report).failed).toEqual([]);
    expect(ranges.filter((range) => range.startsWith('bytes */')).length).toBeGreaterThanOrEqual(3);
    await expectInBucket(wanted.prefix, files);
  });

  it('sends again what a busy server refused or a network changed', async () => {
    const wanted = await options();
    let first = true;
    const report = await through(
      ({ path }) => {
        if (!media(path) || !first) return 'pass';
        first = false;
        return { status: 503 };
      },
      (endpoints) => upload({ ...wanted, endpoints }),
    );
    expect(value(report).failed).toEqual([]);
    await expectInBucket(wanted.prefix, files);
  });

  it('understands a clash that is told as a missing right to delete', async () => {
    const other = await startWorld(['--overwrite-answers-403']);
    try {
      const wanted = await options();
      const theirs = {
        ...wanted,
        endpoints: other.endpoints,
        tokens: await other.tokens('writer', 'write'),
      };
      await other.put(OUT, `${wanted.prefix}empty`, 'theirs');
      const report = value(await upload(theirs));
      expect(report.failed).toMatchObject([{ path: 'empty', problem: { code: 'storage.exists' } }]);
    } finally {
      await other.stop();
    }
  });
});

describe('a file that changes', { timeout: 60_000 }, () => {
  it('is not completed when it became shorter', async () => {
    const wanted = await options({ exclude: (path) => path !== 'model.bin' });
    const file = join(wanted.source, 'model.bin');
    const report = value(
      await through(
        ({ method, range }) => {
          if (method === 'PUT' && range.startsWith('bytes 0-')) void truncate(file, 17_000_000);
          return 'pass';
        },
        (endpoints) => upload({ ...wanted, endpoints }),
      ),
    );
    expect(report.failed).toMatchObject([{ problem: { code: 'transfer.changed' } }]);
    expect(await world.names(OUT, wanted.prefix)).toEqual([]);
  });

  it('is not completed while it is written', async () => {
    const wanted = await options({ exclude: (path) => path !== 'model.bin' });
    const file = join(wanted.source, 'model.bin');
    const report = value(
      await through(
        ({ method, range }) => {
          if (method === 'PUT' && range.startsWith('bytes 0-')) void appendFile(file, 'more');
          return 'pass';
        },
        (endpoints) => upload({ ...wanted, endpoints }),
      ),
    );
    expect(report.failed).toMatchObject([{ problem: { code: 'transfer.changed' } }]);
    expect(await world.names(OUT, wanted.prefix)).toEqual([]);
    expect(value(await upload(wanted)).failed).toEqual([]);
    const there = await world.get(OUT, `${wanted.prefix}model.bin`);
    expect(there.equals(await readFile(file))).toBe(true);
  });
});
