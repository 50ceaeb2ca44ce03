import { execFileSync } from 'node:child_process';
import { closeSync, constants, fstatSync, fsyncSync, openSync, writeSync } from 'node:fs';
import { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { randomBytes } from 'node:crypto';
import { removeFile, sleep } from './files.ts';
import { logPipeName } from './processes/belongs.ts';
import { hide } from './hide.ts';

/**
 * A pipe into a log file that stops growing at a limit. It is a named pipe and not a socket, so that `/dev/stdout` and `/dev/stderr`
 * can be opened by the programs that write to it.
 */
export interface LogPipe {
  /** What the child gets as stdout and stderr; closed here once the child has it. */
  readonly writer: number;
  closeWriter(): void;
  /** Appends a line of our own. */
  say(text: string): void;
  /** Waits until all writers are gone, at most this long; then makes the log durable and closes it. */
  end(milliseconds: number): Promise<void>;
}

/** A named pipe in the folder, or where its disk knows none, among the temporary files; it is unlinked as soon as it is open. */
function makeFifo(folder: string, log: string): string {
  const name = `${logPipeName(log)}${randomBytes(12).toString('hex')}`;
  for (const place of [folder, tmpdir()]) {
    const fifo = path.join(place, name);
    try {
      execFileSync('mkfifo', ['-m', '600', fifo], { stdio: 'ignore' });
      return fifo;
    } catch {
      // The next place may know named pipes.
    }
  }
  throw new Error(`no named pipe can be made in ${folder}`);
}

/**
 * Bytes are appended as they come. At `limit` bytes the log says so and `onFull` is called; what follows is read and dropped. What a full disk
 * does not take is dropped too, and the log says how much once there is room again: the writer never waits for the disk.
 */
export function openLogPipe(
  file: string,
  limit: number,
  onFull: () => void,
  /** Never shown. */
  secret: string | null = null,
): LogPipe {
  const hider = secret === null ? null : hide(secret);
  const log = openSync(file, 'a', 0o600);
  let size = fstatSync(log).size;
  let full = size >= limit;
  let toldFull = full;
  let lost = 0;
  let fifo: string;
  try {
    fifo = makeFifo(path.dirname(file), path.basename(file, '.log'));
  } catch (error) {
    closeSync(log);
    throw error;
  }
  const reader = openSync(fifo, constants.O_RDONLY | constants.O_NONBLOCK);
  const writer = openSync(fifo, 'w');
  removeFile(fifo);
  let writerOpen = true;

  /** How many bytes the disk took. */
  const append = (bytes: Uint8Array): number => {
    let done = 0;
    try {
      while (done < bytes.length) done += writeSync(log, bytes, done);
    } catch {
      // No room: see above.
    }
    size += done;
    return done;
  };
  /** A line of our own, whole or, where the disk refuses, maybe torn; whether it is whole. */
  const say = (text: string): boolean => {
    const line = Buffer.from(`[Trainyard: ${text}]\n`);
    return append(line) === line.length;
  };
  const tellLost = (): boolean => {
    if (lost === 0) return true;
    const text = `${lost} bytes of the log are lost here: the disk was full`;
    const line = Buffer.from(`\n[Trainyard: ${text}]\n`);
    if (append(line) < line.length) return false;
    lost = 0;
    return true;
  };
  const tellFull = (): void => {
    if (toldFull) return;
    const line = Buffer.from(
      `\n[Trainyard: the log has reached its limit of ${limit} bytes; what follows is not kept]\n`,
    );
    if (append(line) < line.length) return;
    try {
      onFull();
      toldFull = true;
    } catch {
      // Once there is room.
    }
  };
  const source = new Socket({ fd: reader, readable: true, writable: false });
  const write = (chunk: Buffer): void => {
    if (full) {
      tellFull();
      return;
    }
    if (!tellLost()) {
      lost += chunk.length;
      return;
    }
    const kept = chunk.subarray(0, Math.max(0, limit - size));
    lost = kept.length - append(kept);
    if (size < limit) return;
    full = true;
    tellFull();
  };
  source.on('data', (chunk: Buffer) => write(hider === null ? chunk : hider.take(chunk)));
  source.on('error', () => undefined);
  const ended = new Promise<void>((resolve) => source.once('close', () => resolve()));
  return {
    writer,
    closeWriter() {
      if (writerOpen) closeSync(writer);
      writerOpen = false;
    },
    say(text) {
      if (!full) say(text);
    },
    async end(milliseconds) {
      this.closeWriter();
      const timer = new AbortController();
      await Promise.race([ended, sleep(milliseconds, timer.signal)]);
      timer.abort();
      source.destroy();
      const rest = hider?.rest();
      if (rest !== undefined && rest.length > 0) write(rest);
      if (full) tellFull();
      else tellLost();
      try {
        fsyncSync(log);
      } catch {
        // What the disk has is there.
      }
      closeSync(log);
    },
  };
}
