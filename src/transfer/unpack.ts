import { createReadStream } from 'node:fs';
import { chmod, lstat, mkdir, open, readdir, rename, rm, rmdir, stat } from 'node:fs/promises';
import { randomBytes } from 'node:crypto';
import { basename, dirname, resolve } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { Transform, type Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { crc32, createGunzip } from 'node:zlib';
import tar from 'tar-stream';
import yauzl from 'yauzl';
import { cancelledProblem } from '../google/http.ts';
import type { Progress } from '../shared/events.ts';
import type { ArchiveFormat } from '../shared/job-spec.ts';
import { fail, ok, problem, type Result } from '../shared/problem.ts';
import { bunzip2 } from './bunzip2.ts';
import { openDestination } from './destination.ts';
import { diskProblem, DiskFault, errorCodeOf, roomToUse } from './disk.ts';
import type { FolderTree, OpenFolder } from './folder-tree.ts';
import { progressMeter } from './progress.ts';
import { beginsAsGzip } from './unpack-object.ts';
import {
  RATIO_FROM,
  unpackTarget,
  UnpackStop,
  type RefusedEntry,
  type UnpackLimits,
  type UnpackTarget,
} from './unpack-target.ts';

export interface UnpackOptions {
  /** Default: a million entries, what is free on the disk, 1,000 times the archive's size. */
  readonly limits?: Partial<UnpackLimits>;
  readonly signal?: AbortSignal;
  /** Bytes of the archive that were read. */
  readonly onProgress?: (progress: Progress) => void;
}

export interface UnpackReport {
  readonly files: number;
  readonly bytes: number;
  readonly refused: readonly RefusedEntry[];
}

const S_IFMT = 0o170000;
const S_IFLNK = 0o120000;

/** The bytes of a zip's entry, ending in an error where they are not those that its directory tells the checksum of: the reader looks at sizes alone. */
async function entryBytes(zip: yauzl.ZipFile, entry: yauzl.Entry): Promise<Readable> {
  let sum = 0;
  const check = new Transform({
    transform(part: Buffer, _encoding, done) {
      sum = crc32(part, sum);
      done(null, part);
    },
    flush: (done) => done(sum === entry.crc32 ? null : new Error('another checksum')),
  });
  // Whoever reads has the errors of both.
  pipeline(await zip.openReadStreamPromise(entry), check).catch(() => undefined);
  return check;
}

async function unpackZip(path: string, size: number, target: UnpackTarget): Promise<void> {
  let packed = 0;
  // Names are decoded here: yauzl would end at the first one that it finds unsafe, and the others could not be had.
  const zip = await yauzl.openPromise(path, { lazyEntries: true, decodeStrings: false });
  for await (const entry of zip.eachEntry()) {
    const { generalPurposeBitFlag, fileNameRaw, extraFields } = entry;
    const name = yauzl.getFileNameLowLevel(generalPurposeBitFlag, fileNameRaw, extraFields, false);
    const mode = entry.externalFileAttributes >>> 16;
    // Sound entries lie one after the other: those that share their bytes may unpack to any size.
    packed += entry.compressedSize;
    if (packed > size) throw target.tooLarge('Its entries overlap.');
    if (name.endsWith('/')) await target.folder(name);
    else if (entry.isEncrypted()) target.other(name, 'it is encrypted');
    else if (!entry.canDecodeFileData())
      target.other(name, 'it is compressed in a way that cannot be read here');
    else if ((mode & S_IFMT) === S_IFLNK) {
      if (entry.uncompressedSize > 4096)
        target.other(name, 'it is a link of more than 4,096 bytes');
      else target.link(name, await text(await entryBytes(zip, entry)));
    } else await target.file(name, mode === 0 ? 0o644 : mode, await entryBytes(zip, entry));
  }
}

/** Bytes between two entries that are no content: padding, long names, headers of other programs. */
const BETWEEN_ENTRIES = 64 * 1024;
/** And so much once, in the whole archive. */
const BETWEEN_ALL = 8 * 1024 * 1024;

/**
 * Stops an archive whose headers are endless: the reader would gather them in memory. And one that is more than `most` bytes without its
 * compression, also where none of it is a file.
 */
function headerGuard(
  most: number,
  target: UnpackTarget,
): {
  readonly stream: Transform;
  entry(size: number): void;
  /** Throws the reason, where it stopped: streams beside it end with errors of their own. */
  check(): void;
} {
  let stopped: Error | null = null;
  let passed = 0;
  let allowed = BETWEEN_ALL;
  const stop = (message: string): Error => (stopped = target.tooLarge(message));
  const stream = new Transform({
    transform(part: Buffer, _encoding, done) {
      passed += part.length;
      if (passed > allowed) done(stop('It holds headers without end.'));
      else if (passed > most) done(stop('Without its compression it is too many times its size.'));
      else done(null, part);
    },
  });
  return {
    stream,
    entry(size) {
      allowed += size + BETWEEN_ENTRIES;
    },
    check() {
      if (stopped !== null) throw stopped;
    },
  };
}

/** As the reader gives it, which its types leave out in part. */
interface Entry extends Readable {
  readonly header: Omit<tar.Header, 'type' | 'pax'> & {
    /** Null for kinds that it does not know. */
    readonly type: string | null;
    readonly pax?: Readonly<Record<string, string>> | null;
  };
}

const SPARSE = 'it is a sparse file, or of another kind that cannot be read here';

async function unpackTarEntries(
  entries: AsyncIterable<Entry>,
  target: UnpackTarget,
  begun: (size: number) => void,
): Promise<void> {
  for await (const entry of entries) {
    const { name, type, linkname, mode, size, pax } = entry.header;
    begun(size);
    if (pax?.['size'] !== undefined && !/^\d{1,16}$/.test(pax['size']))
      throw new Error('a size that is no number');
    const sparse = Object.keys(pax ?? {}).some((key) => key.startsWith('GNU.sparse.'));
    if (sparse) target.other(pax?.['GNU.sparse.name'] ?? name, SPARSE);
    else if (type === 'file' || type === 'contiguous-file') {
      await target.file(name, mode, entry);
      continue;
    } else if (type === 'directory') await target.folder(name);
    else if (type === 'symlink') target.link(name, linkname);
    else if (type === 'link') await target.hardLink(name, linkname);
    else target.other(name, type === null ? SPARSE : 'it is a device or pipe');
    entry.resume();
  }
}

async function isGzip(path: string): Promise<boolean> {
  const handle = await open(path, 'r');
  try {
    return await beginsAsGzip(handle);
  } finally {
    await handle.close();
  }
}

async function unpackTar(
  path: string,
  format: Exclude<ArchiveFormat, 'zip'>,
  target: UnpackTarget,
  read: (count: number) => void,
  most: number,
  signal: AbortSignal | undefined,
): Promise<void> {
  // An object that is stored packed comes unpacked: `data.tar.gz` may be the tar itself.
  const plain = format === 'tar' || (format !== 'tar.bz2' && !(await isGzip(path)));
  const extract = tar.extract();
  const file = createReadStream(path, { highWaterMark: 256 * 1024 });
  file.on('data', (part) => read(part.length));
  const options = signal === undefined ? {} : { signal };
  const guard = headerGuard(most, target);
  const { stream } = guard;
  const flow = plain
    ? pipeline(file, stream, extract, options)
    : pipeline(file, format === 'tar.bz2' ? bunzip2 : createGunzip(), stream, extract, options);
  const entries = unpackTarEntries(extract as unknown as AsyncIterable<Entry>, target, (size) =>
    guard.entry(size),
  ).catch((error: unknown) => {
    extract.destroy(error instanceof Error ? error : new Error('unpack'));
    throw error;
  });
  const [unpacked, flowed] = await Promise.allSettled([entries, flow]);
  guard.check();
  for (const end of [unpacked, flowed])
    if (end.status === 'rejected' && isOurs(end.reason)) throw end.reason;
  if (flowed.status === 'rejected') throw flowed.reason;
  if (unpacked.status === 'rejected') throw unpacked.reason;
}

const isOurs = (error: unknown): boolean =>
  error instanceof UnpackStop || error instanceof DiskFault;

function explain(error: unknown, path: string): Result<never> {
  if (error instanceof UnpackStop || error instanceof DiskFault) return fail(error.problem);
  const code = errorCodeOf(error);
  if (code !== null && error instanceof Error && 'syscall' in error)
    return fail(diskProblem(error, { op: 'unpack', subject: path }));
  return fail(
    problem({
      code: 'transfer.archive-broken',
      op: 'unpack',
      subject: path,
      message: `The archive cannot be read${code === null ? '' : ` (${code})`}: it is damaged, incomplete or of another format than its name says.`,
      hint: 'Make the archive again, or use its files without one.',
    }),
  );
}

/** What the folder is called in which an archive is unpacked: beside the one that it is for. */
const stagingName = (destination: string): string => `${basename(destination)}.trainyard-unpacking`;

/**
 * Makes an empty folder that nobody else may write to, and removes what an interrupted unpacking left under its name. What others may have put
 * there is left alone, and another name is taken.
 */
async function freshStaging(above: OpenFolder, name: string): Promise<string> {
  for (const one of [name, `${name}-${randomBytes(6).toString('hex')}`]) {
    const there = await lstat(above.at(one)).catch(() => null);
    const isOurs =
      !above.shared ||
      (there?.isDirectory() === true &&
        there.uid === process.geteuid?.() &&
        (there.mode & 0o022) === 0);
    if (there !== null && !isOurs) continue;
    await rm(above.at(one), { recursive: true, force: true });
    try {
      await mkdir(above.at(one), { mode: 0o700 });
      return one;
    } catch (error) {
      if (errorCodeOf(error) !== 'EEXIST') throw error;
    }
  }
  throw Object.assign(new Error('EEXIST: no folder can be made'), {
    code: 'EEXIST',
    syscall: 'mkdir',
  });
}

/** The mode that new folders get here: seen by one, because Node.js has no harmless way to ask for the umask. */
async function usualMode(folder: OpenFolder): Promise<number> {
  const name = folder.at(`.${randomBytes(8).toString('hex')}`);
  await mkdir(name);
  try {
    return (await lstat(name)).mode & 0o7777;
  } finally {
    await rmdir(name);
  }
}

/** Moves everything in the staging folder to the destination beside it, over nothing that is there. */
async function moveInto(
  above: FolderTree,
  staging: string,
  destination: string,
): Promise<readonly RefusedEntry[]> {
  const name = basename(destination);
  const isFree = await above.in('', async (folder) => {
    await rmdir(folder.at(name)).catch((error: unknown) => {
      if (!['ENOENT', 'ENOTEMPTY', 'EEXIST', 'ENOTDIR'].includes(errorCodeOf(error) ?? ''))
        throw error;
    });
    if ((await lstat(folder.at(name)).catch(() => null)) !== null) return false;
    await chmod(folder.at(staging), await usualMode(folder));
    await rename(folder.at(staging), folder.at(name));
    return true;
  });
  if (isFree) return [];
  const to = await openDestination(destination);
  try {
    return await above.in(staging, (from) => to.in('', (target) => moveEntries(from, target)));
  } finally {
    await to.close();
    await above.in('', (folder) => rm(folder.at(staging), { recursive: true, force: true }));
  }
}

async function moveEntries(from: OpenFolder, to: OpenFolder): Promise<readonly RefusedEntry[]> {
  const taken = new Set(await readdir(to.at('.')));
  const refused: RefusedEntry[] = [];
  for (const name of await readdir(from.at('.'))) {
    if (taken.has(name))
      refused.push({ entry: name, reason: 'something of the same name is there' });
    else await rename(from.at(name), to.at(name));
  }
  return refused;
}

/**
 * Unpacks an archive into a folder, which is made where it is missing. All of it is unpacked beside the folder first, so that an
 * interrupted unpacking leaves nothing in it. Entries that would leave the folder (absolute, `..`, links), devices, and second entries of
 * the same name are refused by name; the others arrive. Archives are hostile input.
 * Errors: `transfer.archive-broken`, `transfer.archive-too-large`, `transfer.no-room`, other disk problems, `job.cancelled`.
 */
export async function unpack(
  archivePath: string,
  format: ArchiveFormat,
  destination: string,
  options: UnpackOptions = {},
): Promise<Result<UnpackReport>> {
  const { signal } = options;
  const whole = resolve(destination);
  let above: FolderTree | null = null;
  try {
    const opened = await openDestination(dirname(whole));
    above = opened;
    const staging = await opened.in('', (folder) => freshStaging(folder, stagingName(whole)));
    try {
      const unpacked = await opened.in(staging, (folder) =>
        unpackInto(archivePath, format, folder, options),
      );
      const left = await moveInto(opened, staging, whole);
      return ok({ ...unpacked, refused: [...unpacked.refused, ...left] });
    } catch (error) {
      await opened.in('', (folder) => rm(folder.at(staging), { recursive: true, force: true }));
      throw error;
    }
  } catch (error) {
    if (signal?.aborted === true)
      return fail(cancelledProblem({ op: 'unpack', subject: archivePath }));
    return explain(error, archivePath);
  } finally {
    await above?.close();
  }
}

async function unpackInto(
  archivePath: string,
  format: ArchiveFormat,
  folder: OpenFolder,
  options: UnpackOptions,
): Promise<UnpackReport> {
  const { signal } = options;
  const { size } = await stat(archivePath);
  const limits = {
    bytes: await roomToUse(folder.system),
    entries: 1_000_000,
    ratio: 1_000,
    ...options.limits,
  };
  const meter = progressMeter({ bytes: size, objects: 1 }, options.onProgress);
  const archive = { path: archivePath, size };
  const read = (count: number) => meter.bytes(count);
  const target = unpackTarget(
    folder.system,
    folder.path,
    archive,
    limits,
    () => signal?.throwIfAborted(),
    signal,
  );
  if (format === 'zip') {
    await unpackZip(archivePath, size, target);
    read(size);
  } else {
    const most = Math.max(RATIO_FROM, size * limits.ratio);
    await unpackTar(archivePath, format, target, read, most, signal);
  }
  await target.finish();
  meter.object();
  meter.end();
  return { files: target.files, bytes: target.bytes, refused: target.refused };
}
