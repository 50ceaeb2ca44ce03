import { constants } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import { setTimeout as wait } from 'node:timers/promises';
import { MAX_JOB_FILE } from '../main/jobs/job-file.ts';
import { codeOf, reasonOf } from '../main/platform/paths.ts';
import { fail, ok, problem, type Result } from '../shared/problem.ts';

/** What is longer is not read to its end, bytes. */
const READ_AT_MOST = 1 << 20;
/** Milliseconds between two looks at a pipe that nothing was written to yet. */
const PAUSE = 20;

/** How a shell hands over a pipe: `trainyard run <(make-job)`, `make-job | trainyard run /dev/stdin`. */
const DESCRIPTOR = /^\/(dev\/stdin|(dev|proc\/(self|\d+))\/fd\/\d+)$/;

/**
 * The text of a job file: a regular file, or a pipe that a shell handed over. A named pipe and a device are refused: nobody may ever write to
 * the one, and the other has no end.
 *
 * Errors: `input.job-file`. Throws where `signal` is aborted.
 */
export async function readJobFile(
  file: string,
  shown: string,
  signal: AbortSignal,
): Promise<Result<string>> {
  const refuse = (message: string, hint: string) =>
    fail(
      problem({ code: 'input.job-file', op: 'read the job file', subject: shown, message, hint }),
    );
  try {
    // Without O_NONBLOCK a named pipe would wait for a writer for ever; on Windows the flag does not exist.
    const flag = process.platform === 'win32' ? 0 : constants.O_NONBLOCK;
    const handle = await open(file, constants.O_RDONLY | flag);
    try {
      const found = await handle.stat();
      if (found.isDirectory())
        return refuse(`${shown} is a folder, not a job file.`, 'Give the YAML file inside it.');
      if (!found.isFile() && !(found.isFIFO() && DESCRIPTOR.test(file)))
        return refuse(
          `${shown} is not a regular file.`,
          'Give a YAML file; see docs/job-file.md. For what a program writes: `trainyard run <(PROGRAM)`.',
        );
      const text = await readUpTo(handle, READ_AT_MOST + 1, signal);
      if (text.length > READ_AT_MOST)
        return refuse(
          `${shown} is larger than ${MAX_JOB_FILE / 1024} KiB.`,
          'A job file is a short YAML text; see docs/job-file.md.',
        );
      return ok(text.toString('utf8'));
    } finally {
      await handle.close();
    }
  } catch (error) {
    signal.throwIfAborted();
    switch (codeOf(error)) {
      case 'ENOENT':
        return refuse(`There is no file ${shown}.`, 'Check the path.');
      case 'EACCES':
        return refuse(`${shown} may not be read.`, 'Check its permissions.');
      case 'ENXIO':
        return refuse(`${shown} is not a regular file.`, 'Give a YAML file; see docs/job-file.md.');
      default:
        return refuse(`${shown} could not be read (${reasonOf(error)}).`, 'Check the path.');
    }
  }
}

/** What a file holds, at most `limit` bytes of it. */
async function readUpTo(handle: FileHandle, limit: number, signal: AbortSignal): Promise<Buffer> {
  const parts: Buffer[] = [];
  for (let left = limit; left > 0;) {
    const part = Buffer.allocUnsafe(Math.min(left, 1 << 16));
    const length = await readSome(handle, part, signal);
    if (length === 0) break;
    parts.push(part.subarray(0, length));
    left -= length;
  }
  return Buffer.concat(parts);
}

/** The next bytes; 0 at the end. A pipe that is open and empty is waited for. */
async function readSome(handle: FileHandle, part: Buffer, signal: AbortSignal): Promise<number> {
  for (;;) {
    signal.throwIfAborted();
    try {
      return (await handle.read(part, 0, part.length, null)).bytesRead;
    } catch (error) {
      if (codeOf(error) !== 'EAGAIN') throw error;
      await wait(PAUSE, undefined, { signal });
    }
  }
}
