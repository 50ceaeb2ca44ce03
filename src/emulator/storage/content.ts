import { createHash, type Hash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { open, rm, stat, type FileHandle } from 'node:fs/promises';
import { crc32c } from '@node-rs/crc32';
import type { Content } from '../state/store.ts';

/** A CRC32C as the service writes it: big-endian, base64. */
export function formatCrc32c(value: number): string {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value >>> 0);
  return bytes.toString('base64');
}

/** How far content is written, with the state of both checksums there. */
interface Mark {
  readonly size: number;
  readonly crc32c: number;
  readonly md5: Hash;
}

/** Content of resumable uploads is kept in multiples of this, but for the end. Bytes. */
export const GRANULARITY = 256 * 1024;

/** Content is gathered up to this before it goes to the file. */
const GATHERED = 1024 * 1024;

/** Writes content to a file and computes its checksums on the way; holds a mebibyte at most. Small content is written in one go at the end. */
export class ContentWriter {
  readonly path: string;
  #file: FileHandle | null = null;
  #gathered: Buffer[] = [];
  #gatheredSize = 0;
  #size = 0;
  #crc32c = 0;
  #md5 = createHash('md5');

  /** `path`: a file that does not exist yet. */
  constructor(path: string) {
    this.path = path;
  }

  /** Goes on with what an earlier process wrote to the file, as far as it is whole: to a multiple of 256 KiB. A missing file is empty. */
  static async resume(path: string): Promise<ContentWriter> {
    const writer = new ContentWriter(path);
    const found = await stat(path).catch(() => null);
    if (found === null) return writer;
    const size = found.size - (found.size % GRANULARITY);
    writer.#file = await open(path, 'r+');
    await writer.#file.truncate(size);
    const buffer = Buffer.alloc(GRANULARITY);
    while (writer.#size < size) {
      const { bytesRead } = await writer.#file.read(buffer, 0, buffer.length, writer.#size);
      if (bytesRead === 0) throw new Error('The content of a session became shorter.');
      const piece = buffer.subarray(0, bytesRead);
      writer.#size += bytesRead;
      writer.#crc32c = crc32c(piece, writer.#crc32c);
      writer.#md5.update(piece);
    }
    return writer;
  }

  /** Bytes taken. */
  get size(): number {
    return this.#size;
  }

  async write(piece: Buffer): Promise<void> {
    this.#gathered.push(piece);
    this.#gatheredSize += piece.length;
    this.#size += piece.length;
    this.#crc32c = crc32c(piece, this.#crc32c);
    this.#md5.update(piece);
    if (this.#gatheredSize >= GATHERED) await this.#flush();
  }

  #take(): Buffer {
    const bytes = Buffer.concat(this.#gathered);
    this.#gathered = [];
    this.#gatheredSize = 0;
    return bytes;
  }

  /** Everything taken is in the file now. */
  async flush(): Promise<void> {
    if (this.#gatheredSize > 0) await this.#flush();
  }

  async #flush(): Promise<FileHandle> {
    this.#file ??= await open(this.path, 'wx', 0o600);
    const bytes = this.#take();
    const from = this.#size - bytes.length;
    let done = 0;
    while (done < bytes.length)
      done += (await this.#file.write(bytes, done, bytes.length - done, from + done)).bytesWritten;
    return this.#file;
  }

  mark(): Mark {
    return { size: this.#size, crc32c: this.#crc32c, md5: this.#md5.copy() };
  }

  /** Forgets what was written after the mark. */
  async back(mark: Mark): Promise<void> {
    if (mark.size === this.#size) return;
    const file = await this.#flush();
    await file.truncate(mark.size);
    this.#size = mark.size;
    this.#crc32c = mark.crc32c;
    this.#md5 = mark.md5.copy();
  }

  /** Closes the file; the writer is of no use afterwards. */
  async finish(): Promise<Content> {
    if (this.#file === null) {
      // One short call instead of three trips to the thread pool: small objects come by the thousand.
      writeFileSync(this.path, this.#take(), { flag: 'wx', mode: 0o600 });
    } else {
      await (await this.#flush()).close();
    }
    return {
      path: this.path,
      size: this.#size,
      crc32c: formatCrc32c(this.#crc32c),
      md5: this.#md5.digest('base64'),
      componentCount: null,
    };
  }

  async discard(): Promise<void> {
    await this.#file?.close();
    await rm(this.path, { force: true });
  }
}
