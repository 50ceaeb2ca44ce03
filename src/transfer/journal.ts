import { open, readFile, type FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';
import { crc32c } from './native-crc32c.ts';
import { makeFolders } from './make-folders.ts';

const checkOf = (text: string): string =>
  crc32c(Buffer.from(text), 0).toString(16).padStart(8, '0');

/** A line with the checksum (CRC32C) of its own text in front: what the disk made of it since is not believed. */
export function checkedLine(value: unknown): string {
  const text = JSON.stringify(value);
  return `${checkOf(text)} ${text}`;
}

function readLine(line: string): unknown[] {
  const text = line.slice(9);
  if (line.charAt(8) !== ' ' || line.slice(0, 8) !== checkOf(text)) return [];
  try {
    return [JSON.parse(text)];
  } catch {
    return [];
  }
}

/** Appends checked JSON lines to one file; what was appended at the same time reaches the disk in one write. */
export interface Journal {
  /** Resolves once the line is written, and, for a durable journal, on the disk. */
  append(line: unknown): Promise<void>;
  /** Waits for what was appended. Idempotent. */
  close(): Promise<void>;
}

interface Waiting {
  readonly text: string;
  readonly done: () => void;
  readonly failed: (error: unknown) => void;
}

/** Whether the file's last byte ends a line; so does an empty file. */
async function endsWithNewline(handle: FileHandle): Promise<boolean> {
  const { size } = await handle.stat();
  if (size === 0) return true;
  const last = Buffer.alloc(1);
  await handle.read(last, 0, 1, size - 1);
  return last[0] === 0x0a;
}

/**
 * Opens a journal (0600) to append to it. A last line that its writer died in is closed off, so that it spoils no other.
 * @param first its first line of this attempt
 * @param durable each line is on the disk, not only with the operating system, before `append` resolves
 */
export async function openJournal(
  path: string,
  durable: boolean,
  first?: object,
): Promise<Journal> {
  await makeFolders(dirname(path));
  const handle = await open(path, 'a+', 0o600);
  try {
    if (!(await endsWithNewline(handle))) await handle.appendFile('\n');
    if (first !== undefined) await handle.appendFile(`${checkedLine(first)}\n`);
    if (first !== undefined && durable) await handle.datasync();
  } catch (error) {
    await handle.close();
    throw error;
  }
  let waiting: Waiting[] = [];
  let running: Promise<void> | null = null;
  let closed = false;

  const write = async (): Promise<void> => {
    while (waiting.length > 0) {
      const batch = waiting;
      waiting = [];
      try {
        await handle.appendFile(batch.map(({ text }) => text).join(''));
        if (durable) await handle.datasync();
        for (const { done } of batch) done();
      } catch (error) {
        for (const { failed } of batch) failed(error);
      }
    }
    running = null;
  };
  return {
    append: (line) =>
      new Promise<void>((done, failed) => {
        waiting.push({ text: `${checkedLine(line)}\n`, done, failed });
        running ??= write();
      }),
    async close() {
      if (closed) return;
      closed = true;
      await running;
      await handle.close();
    },
  };
}

/**
 * The lines of a journal whose checksum is right, oldest first; none where there is no file. What is damaged, cut off or of another program
 * is passed over. Each is `unknown` until parsed.
 */
export async function readJournal(path: string): Promise<readonly unknown[]> {
  try {
    return (await readFile(path, 'utf8')).split('\n').flatMap(readLine);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return [];
    throw error;
  }
}
