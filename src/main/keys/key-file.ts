import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { fail, ok, problem, type Result } from '../../shared/problem.ts';
import { codeOf, reasonOf } from '../platform/paths.ts';

/** No key file is nearly as long; what follows is not read. Bytes. */
const READ_AT_MOST = 64 * 1024;

/** Reads a file that should hold a key. Errors: `input.key-file`. */
export async function readKeyFile(path: string): Promise<Result<Uint8Array>> {
  const refuse = (message: string, hint = ''): Result<never> =>
    fail(
      problem({ code: 'input.key-file', op: 'read the key file', subject: path, message, hint }),
    );
  const hint = 'Give the JSON file of a service-account key.';
  try {
    // Without O_NONBLOCK a named pipe would wait for a writer for ever; on Windows the flag does not exist.
    const wait = process.platform === 'win32' ? 0 : constants.O_NONBLOCK;
    const file = await open(path, constants.O_RDONLY | wait);
    try {
      const found = await file.stat();
      if (found.isDirectory()) return refuse(`${path} is a folder.`, hint);
      if (!found.isFile()) return refuse(`${path} is not a regular file.`, hint);
      const buffer = Buffer.alloc(Math.min(found.size + 1, READ_AT_MOST));
      let length = 0;
      for (;;) {
        const { bytesRead } = await file.read(buffer, length, buffer.length - length, length);
        if (bytesRead === 0) break;
        length += bytesRead;
      }
      return ok(buffer.subarray(0, length));
    } finally {
      await file.close();
    }
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return refuse(`There is no file ${path}.`, hint);
    return refuse(
      `${path} cannot be read: ${reasonOf(error)}.`,
      'Make it readable for you, then try again.',
    );
  }
}
