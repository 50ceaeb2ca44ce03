import { createHash, type Hash } from 'node:crypto';
import { open, rm, type FileHandle } from 'node:fs/promises';
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

/** Writes content to a file and computes its checksums on the way; never holds more than the piece at hand. */
export class ContentWriter {
  readonly path: string;
  readonly #file: FileHandle;
  #size = 0;
  #crc32c = 0;
  #md5 = createHash('md5');

  private constructor(path: string, file: FileHandle) {
    this.path = path;
    this.#file = file;
  }

  static async open(path: string): Promise<ContentWriter> {
    return new ContentWriter(path, await open(path, 'wx', 0o600));
  }

  /** Bytes written. */
  get size(): number {
    return this.#size;
  }

  async write(piece: Buffer): Promise<void> {
    let done = 0;
    while (done < piece.length) {
      const { bytesWritten } = await this.#file.write(
        piece,
        done,
        piece.length - done,
        this.#size + done,
      );
      done += bytesWritten;
    }
    this.#size += piece.length;
    this.#crc32c = crc32c(piece, this.#crc32c);
    this.#md5.update(piece);
  }

  mark(): Mark {
    return { size: this.#size, crc32c: this.#crc32c, md5: this.#md5.copy() };
  }

  /** Forgets what was written after the mark. */
  async back(mark: Mark): Promise<void> {
    await this.#file.truncate(mark.size);
    this.#size = mark.size;
    this.#crc32c = mark.crc32c;
    this.#md5 = mark.md5.copy();
  }

  /** Closes the file; the writer is of no use afterwards. */
  async finish(): Promise<Content> {
    await this.#file.close();
    return {
      path: this.path,
      size: this.#size,
      crc32c: formatCrc32c(this.#crc32c),
      md5: this.#md5.digest('base64'),
      componentCount: null,
    };
  }

  async discard(): Promise<void> {
    await this.#file.close();
    await rm(this.path, { force: true });
  }
}
