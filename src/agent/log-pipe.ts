import { execFileSync } from 'node:child_process';
import { closeSync, constants, fstatSync, fsyncSync, openSync, writeSync } from 'node:fs';
import { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { randomBytes } from 'node:crypto';
import { removeFile, sleep } from './files.ts';

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
function makeFifo(folder: string): string {
  const name = `.trainyard-log-${randomBytes(12).toString('hex')}`;
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

/** Bytes are appended as they come. At `limit` bytes the log says so and `onFull` is called; what follows is read and dropped. */
export function openLogPipe(file: string, limit: number, onFull: () => void): LogPipe {
  const log = openSync(file, 'a', 0o600);
  let size = fstatSync(log).size;
  let full = size >= limit;
  const fifo = makeFifo(path.dirname(file));
  const reader = openSync(fifo, constants.O_RDONLY | constants.O_NONBLOCK);
  const writer = openSync(fifo, 'w');
  removeFile(fifo);
  let writerOpen = true;

  const append = (bytes: Uint8Array): void => {
    let offset = 0;
    while (offset < bytes.length) offset += writeSync(log, bytes, offset);
    size += bytes.length;
  };
  const source = new Socket({ fd: reader, readable: true, writable: false });
  let lost = false;
  source.on('data', (chunk: Buffer) => {
    if (full || lost) return;
    try {
      append(chunk.subarray(0, Math.max(0, limit - size)));
      if (size < limit) return;
      full = true;
      append(
        Buffer.from(
          `\n[Trainyard: the log has reached its limit of ${limit} bytes; what follows is not kept]\n`,
        ),
      );
      onFull();
    } catch {
      // The disk is full: the worker goes on without its log.
      lost = true;
    }
  });
  source.on('error', () => undefined);
  const ended = new Promise<void>((resolve) => source.once('close', () => resolve()));
  return {
    writer,
    closeWriter() {
      if (writerOpen) closeSync(writer);
      writerOpen = false;
    },
    say(text) {
      if (!full) append(Buffer.from(`[Trainyard: ${text}]\n`));
    },
    async end(milliseconds) {
      this.closeWriter();
      const timer = new AbortController();
      await Promise.race([ended, sleep(milliseconds, timer.signal)]);
      timer.abort();
      source.destroy();
      fsyncSync(log);
      closeSync(log);
    },
  };
}
