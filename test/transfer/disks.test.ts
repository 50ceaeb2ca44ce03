import { execFile, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import {
  appendFile,
  chmod,
  chown,
  mkdir,
  mkdtemp,
  readFile,
  readdir,
  rm,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Result } from '../../src/shared/problem.ts';
import { download, type DownloadReport } from '../../src/transfer/download.ts';
import { unpack } from '../../src/transfer/unpack.ts';
import { upload, type UploadReport } from '../../src/transfer/upload.ts';
import { cannotBreakDisks, mountBreakableDisk } from '../support/breakable-disk.ts';
import { AS_NOBODY, cannotDropPrivileges, NOBODY } from '../support/without-privileges.ts';
import { startProxy, type Fault } from './proxy.ts';
import { IN, OUT, plant, refusal, startWorld, tree, value, type World } from './world.ts';
import { randomBytes } from '../support/random.ts';

const run = promisify(execFile);
const CHILD = fileURLToPath(new URL('child.ts', import.meta.url));
const MIB = 1024 * 1024;

/** Why something cannot be tried here; null where it can. */
const isRoot = process.getuid?.() === 0;
const mounts =
  isRoot && spawnSync('unshare', ['--mount', 'mount', '-t', 'tmpfs', 'none', '/mnt']).status === 0;
const withoutMounts = mounts ? '' : ' (not tried: needs root and the right to mount)';
const trials = await mkdtemp(join(tmpdir(), 'trainyard-disks-'));
await mkdir(join(trials, 'trial'));
const noBreaking = cannotBreakDisks(join(trials, 'trial.img'), join(trials, 'trial'));
const noDrop = cannotDropPrivileges();
const withoutDrop = noDrop === null ? '' : ` (not tried: ${noDrop})`;

let world: World;
let count = 0;
const contents = {
  'a.txt': 'alpha',
  'middle.bin': randomBytes(3 * MIB),
  'large.bin': randomBytes(20 * MIB + 3),
  'sub/b.txt': 'beta',
};
beforeAll(async () => {
  world = await startWorld();
  for (const [name, bytes] of Object.entries(contents)) await world.put(IN, `data/${name}`, bytes);
  await plant(join(world.folder, 'source'), contents);
}, 60_000);
afterAll(async () => {
  await world.stop();
  await rm(trials, { recursive: true, force: true });
});

async function downloadOptions(destination: string) {
  count += 1;
  return {
    endpoints: world.endpoints,
    tokens: await world.tokens('reader', 'read'),
    bucket: IN,
    target: { kind: 'folder', prefix: 'data/' } as const,
    destination,
    journal: join(world.folder, `journal-${count}`),
  };
}

async function uploadOptions(source: string) {
  count += 1;
  return {
    endpoints: world.endpoints,
    tokens: await world.tokens('writer', 'write'),
    bucket: OUT,
    prefix: `results/disk-${count}/`,
    source,
    onlyOurs: true,
    journal: join(world.folder, `upload-${count}.jsonl`),
  };
}

/** A small disk of its own for the time of a test. */
async function withDisk(options: string, work: (folder: string) => Promise<void>): Promise<void> {
  const folder = join(world.folder, `disk-${(count += 1)}`);
  await mkdir(folder);
  await run('mount', ['-t', 'tmpfs', '-o', options, 'trainyard-test', folder]);
  try {
    await work(folder);
  } finally {
    await run('umount', [folder]);
  }
}

const withoutTokens = <T extends object>(options: T): Omit<T, 'tokens'> => ({
  ...options,
  tokens: undefined,
});

/** A transfer by a user who is not root: for root no permission is missing. */
async function asNobody<T>(what: 'download' | 'upload', options: object): Promise<Result<T>> {
  const reading = what === 'download';
  const order = join(world.folder, `order-${(count += 1)}.json`);
  const keyFile = join(world.folder, `key-${count}.json`);
  await writeFile(keyFile, await readFile(world.emulator.keyFiles[reading ? 'reader' : 'writer']!));
  const purpose = reading ? 'read' : 'write';
  await writeFile(order, JSON.stringify({ what, keyFile, purpose, options }));
  await chmod(world.folder, 0o755);
  await chmod(keyFile, 0o644);
  const child = spawn('setpriv', [...AS_NOBODY, process.execPath, CHILD, order], {
    stdio: ['ignore', 'pipe', 'inherit'],
    cwd: '/',
  });
  let text = '';
  child.stdout.setEncoding('utf8').on('data', (part: string) => (text += part));
  await once(child, 'close');
  for (const line of text.split('\n')) {
    const said = line === '' ? {} : (JSON.parse(line) as { done?: Result<T> });
    if (said.done !== undefined) return said.done;
  }
  throw new Error(`The child said nothing: ${text}`);
}

const codes = (report: DownloadReport | UploadReport): (readonly [string, string])[] =>
  report.failed
    .map((one) => ['object' in one ? one.object : one.path, one.problem.code] as const)
    .sort();

describe(`a disk${withoutMounts}`, { timeout: 60_000 }, () => {
  it.skipIf(!mounts)('without room is told before anything is fetched', async () => {
    await withDisk('size=8m', async (disk) => {
      const wanted = await downloadOptions(join(disk, 'to'));
      const before = (await world.emulator.requestLog()).length;
      expect(refusal(await download(wanted))).toMatchObject({ code: 'transfer.no-room' });
      const asked = (await world.emulator.requestLog()).slice(before);
      expect(asked.filter(({ object }) => object !== null)).toEqual([]);
    });
  });

  it.skipIf(!mounts)('without room for so many files is told before, too', async () => {
    await withDisk('size=256m,nr_inodes=4', async (disk) => {
      const refused = refusal(await download(await downloadOptions(disk)));
      expect(refused).toMatchObject({ code: 'transfer.no-room' });
      expect(refused.message).toContain('inodes');
      expect(refused.message).toContain(disk);
    });
  });

  it.skipIf(!mounts)(
    'that fills midway is told by file; the rest arrives; later it is finished',
    async () => {
      await withDisk('size=300m', async (disk) => {
        const wanted = await downloadOptions(join(disk, 'to'));
        // Somebody else takes the room when the transfer has begun.
        let filled = false;
        const fill = join(disk, 'fill');
        const proxy = await startProxy(world.emulator.url, async ({ path }): Promise<Fault> => {
          if (path.includes('large.bin') && path.includes('alt=media') && !filled) {
            filled = true;
            const { stdout } = await run('df', ['--output=avail', '-B1', disk]);
            const free = Number(stdout.split('\n')[1]);
            await run('fallocate', ['-l', String(free - 8 * MIB), fill]);
          }
          return 'pass';
        });
        const endpoints = { ...world.endpoints, storage: proxy.url };
        const report = value(await download({ ...wanted, endpoints }));
        await proxy.stop();
        expect(codes(report)).toEqual([['data/large.bin', 'transfer.no-room']]);
        expect(report.objects).toBe(3);
        await rm(fill);
        expect(value(await download(wanted))).toMatchObject({ objects: 4, skipped: 3, failed: [] });
        expect(await tree(wanted.destination)).toEqual(await tree(join(world.folder, 'source')));
      });
    },
  );

  it.skipIf(!mounts)(
    'whose journal has no room left ends with a sentence, and goes on later',
    async () => {
      await withDisk('size=64k', async (disk) => {
        const journal = join(disk, 'journal');
        const wanted = { ...(await downloadOptions(join(world.folder, `to-${count}`))), journal };
        await mkdir(journal);
        const fill = join(disk, 'fill');
        await expect(writeFile(fill, Buffer.alloc(200_000))).rejects.toThrow('ENOSPC');
        expect(refusal(await download(wanted)).code).toBe('transfer.no-room');
        await rm(fill);
        expect(value(await download(wanted)).failed).toEqual([]);
        expect(await tree(wanted.destination)).toEqual(await tree(join(world.folder, 'source')));
      });
    },
  );

  it.skipIf(!mounts)('is never filled to its end by an archive', async () => {
    const archive = join(world.folder, 'three.tar');
    const source = join(world.folder, 'source');
    await run('tar', ['-cf', archive, '-C', source, 'large.bin', 'middle.bin']);
    const wanted = await tree(source);
    // 64 MiB are kept free, as they are by downloads.
    await withDisk('size=80m', async (disk) => {
      const refused = refusal(await unpack(archive, 'tar', join(disk, 'to')));
      expect(refused.message).toContain('Unpacked it takes more than 16.0 MiB');
      expect(await tree(disk)).toEqual({});
    });
    await withDisk('size=100m', async (disk) => {
      value(await unpack(archive, 'tar', join(disk, 'to')));
      expect(await tree(disk)).toEqual({
        'to/large.bin': wanted['large.bin'],
        'to/middle.bin': wanted['middle.bin'],
      });
    });
  });

  it.skipIf(!mounts)('that is read-only is told', async () => {
    await withDisk('size=300m', async (disk) => {
      await mkdir(join(disk, 'to'));
      await run('mount', ['-o', 'remount,ro', disk]);
      const done = await download(await downloadOptions(join(disk, 'to')));
      const report = value(done);
      expect(report.objects).toBe(0);
      expect(new Set(codes(report).map(([, code]) => code))).toEqual(
        new Set(['transfer.disk-refused']),
      );
      for (const { problem } of report.failed)
        expect(problem.message).toContain(`disk of ${join(disk, 'to')}`);
      expect(report.failed[0]?.problem.message).toContain('read-only');
      const missing = refusal(await download(await downloadOptions(join(disk, 'new/folder'))));
      expect(missing).toMatchObject({ code: 'transfer.disk-refused' });
      expect(missing.message).toContain('read-only');
    });
  });

  it.skipIf(noBreaking !== null)(
    `that becomes read-only midway: told by file, what came is kept, later it is finished${noBreaking === null ? '' : ` (not tried: ${noBreaking})`}`,
    async () => {
      const folder = join(trials, 'disk');
      await mkdir(folder);
      const disk = mountBreakableDisk(`${folder}.img`, folder, 256);
      try {
        const wanted = await downloadOptions(join(folder, 'to'));
        await world.emulator.setFaults([
          {
            operation: 'media',
            object: 'data/large.bin',
            fault: { kind: 'bandwidth', bytesPerSecond: 2 * MIB },
          },
        ]);
        const all = new AbortController();
        const going = download(wanted).finally(() => all.abort());
        const small = Object.keys(contents).filter((name) => name !== 'large.bin');
        while (
          !all.signal.aborted &&
          small.some((name) => !existsSync(join(wanted.destination, name)))
        )
          await new Promise((resolve) => setTimeout(resolve, 20));
        disk.break();
        const report = value(await going);
        expect(codes(report)).toEqual([['data/large.bin', 'transfer.disk-refused']]);
        expect(report.failed[0]?.problem.message).toContain('read-only');
        expect(report.objects).toBe(3);
        await world.emulator.setFaults([]);
        disk.mend();
        expect(value(await download(wanted))).toMatchObject({ objects: 4, skipped: 3, failed: [] });
        expect(await tree(wanted.destination)).toEqual(await tree(join(world.folder, 'source')));
      } finally {
        await world.emulator.setFaults([]);
        disk.unmount();
      }
    },
  );
});

describe(`permissions${withoutDrop}`, { timeout: 60_000 }, () => {
  it.skipIf(withoutDrop !== '')(
    'a folder that may not be written is told by file, and the others arrive',
    async () => {
      const wanted = withoutTokens(await downloadOptions(join(world.folder, `to-${count}`)));
      for (const folder of [wanted.destination, wanted.journal]) {
        await mkdir(folder);
        await chown(folder, NOBODY, NOBODY);
      }
      await mkdir(join(wanted.destination, 'sub'), { mode: 0o755 });
      const report = value(await asNobody<DownloadReport>('download', wanted));
      expect(codes(report)).toEqual([['data/sub/b.txt', 'transfer.disk-refused']]);
      expect(report.objects).toBe(3);
      await chown(join(wanted.destination, 'sub'), NOBODY, NOBODY);
      expect(value(await asNobody<DownloadReport>('download', wanted))).toMatchObject({
        objects: 4,
        skipped: 3,
        failed: [],
      });
      expect(await tree(wanted.destination)).toEqual(await tree(join(world.folder, 'source')));
    },
  );

  it.skipIf(withoutDrop !== '')(
    'what may not be read is told by file; the rest is uploaded; later it is finished',
    async () => {
      const source = join(world.folder, `from-${count}`);
      await plant(source, { ...contents, 'closed/x': 'x', secret: 's' });
      await chmod(join(source, 'closed'), 0o700);
      await chmod(join(source, 'secret'), 0o600);
      const wanted = withoutTokens(await uploadOptions(source));
      const journal = join(world.folder, `journals-${count}`, 'upload.jsonl');
      await mkdir(join(journal, '..'));
      await chown(join(journal, '..'), NOBODY, NOBODY);
      const options = { ...wanted, journal };
      const report = value(await asNobody<UploadReport>('upload', options));
      expect(report.objects).toHaveLength(4);
      expect(codes(report)).toEqual([
        ['closed', 'transfer.disk-refused'],
        ['secret', 'transfer.disk-refused'],
      ]);
      expect(report.refused).toEqual([]);
      await chmod(join(source, 'closed'), 0o755);
      await chmod(join(source, 'secret'), 0o644);
      const later = value(await asNobody<UploadReport>('upload', options));
      expect(later).toMatchObject({ refused: [], failed: [] });
      expect(later.objects).toHaveLength(6);
      for (const { name, relativePath } of later.objects)
        expect(
          (await world.get(OUT, name)).equals(await readFile(join(source, relativePath))),
        ).toBe(true);
    },
  );
});

describe('files that do not keep still', { timeout: 60_000 }, () => {
  /** Uploads while `at` is done before the first request that concerns `name`. */
  async function whileUploading(name: string, at: (source: string) => Promise<void>) {
    const source = join(world.folder, `from-${(count += 1)}`);
    await plant(source, contents);
    const wanted = await uploadOptions(source);
    let done = false;
    const proxy = await startProxy(
      world.emulator.url,
      async ({ path, method, headers }): Promise<Fault> => {
        const concerns =
          name === 'large.bin'
            ? method === 'PUT' && (headers['content-range'] ?? '').startsWith('bytes 0-')
            : path.includes('uploadType=multipart');
        if (concerns && !done) {
          done = true;
          await at(source);
        }
        return 'pass';
      },
    );
    const endpoints = { ...world.endpoints, storage: proxy.url };
    const report = value(await upload({ ...wanted, endpoints, concurrency: 1 }));
    await proxy.stop();
    expect(done).toBe(true);
    return { report, wanted };
  }
  async function expectUploaded(prefix: string, source: string, paths: readonly string[]) {
    const names = (await world.names(OUT, prefix)).map((one) => one.slice(prefix.length));
    expect(names.sort()).toEqual([...paths].sort());
    for (const path of paths)
      expect(
        (await world.get(OUT, prefix + path)).equals(await readFile(join(source, path))),
        path,
      ).toBe(true);
  }
  const others = ['a.txt', 'middle.bin', 'sub/b.txt'];

  it('a large file that grows is told, the others go up, and it is finished later', async () => {
    const { report, wanted } = await whileUploading('large.bin', (source) =>
      appendFile(join(source, 'large.bin'), 'more'),
    );
    expect(codes(report)).toEqual([['large.bin', 'transfer.changed']]);
    await expectUploaded(wanted.prefix, wanted.source, others);
    expect(value(await upload(wanted)).failed).toEqual([]);
    await expectUploaded(wanted.prefix, wanted.source, [...others, 'large.bin']);
  });

  it('a large file that is removed is told, and the others go up', async () => {
    const { report, wanted } = await whileUploading('large.bin', (source) =>
      rm(join(source, 'large.bin')),
    );
    expect(codes(report)).toEqual([['large.bin', 'transfer.file-gone']]);
    await expectUploaded(wanted.prefix, wanted.source, others);
  });

  it('a small file that is removed or changed before its turn is told, or goes up as it is now', async () => {
    const { report, wanted } = await whileUploading('first', async (source) => {
      await rm(join(source, 'sub/b.txt'));
      await writeFile(join(source, 'middle.bin'), randomBytes(1000));
    });
    expect(codes(report)).toEqual([['sub/b.txt', 'transfer.file-gone']]);
    await expectUploaded(wanted.prefix, wanted.source, ['a.txt', 'large.bin', 'middle.bin']);
  });

  it('a destination that is removed midway is told, and nothing is left half', async () => {
    const wanted = await downloadOptions(join(world.folder, `to-${count}`));
    let removed = false;
    const proxy = await startProxy(world.emulator.url, async ({ path }): Promise<Fault> => {
      if (path.includes('alt=media') && path.includes('large.bin') && !removed) {
        removed = true;
        await rm(wanted.destination, { recursive: true, force: true, maxRetries: 5 });
      }
      return 'pass';
    });
    const endpoints = { ...world.endpoints, storage: proxy.url };
    const disturbed = await download({ ...wanted, endpoints });
    await proxy.stop();
    // What was put into the removed folder is gone with it, so nothing is told as arrived.
    expect(disturbed).toMatchObject({ ok: false, problem: { code: 'transfer.disturbed' } });
    expect(value(await download(wanted)).failed).toEqual([]);
    expect(await tree(wanted.destination)).toEqual(await tree(join(world.folder, 'source')));
  });
});

it('leaves no mount behind', async () => {
  const text = await readFile('/proc/self/mounts', 'utf8').catch(() => '');
  expect(text).not.toContain(world.folder);
  expect(await readdir(world.folder)).not.toEqual([]);
});
