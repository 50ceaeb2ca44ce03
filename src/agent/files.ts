import type { Readable } from 'node:stream';
import { errorCode } from '../transfer/state-files.ts';

export { sleep } from '../google/sleep.ts';
export {
  errorCode,
  makeFolder,
  readJson,
  removeFile,
  syncFolder,
  writeJsonAtomic,
} from '../transfer/state-files.ts';

/** Whether an error of the file system says that there is no room: space, inodes or quota. */
export function isNoRoom(error: unknown): boolean {
  return ['ENOSPC', 'EDQUOT'].includes(errorCode(error));
}

export function errorMessage(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** A stream to its end, as text. */
export async function readAll(stream: Readable): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(Buffer.from(chunk as Uint8Array));
  return Buffer.concat(chunks).toString('utf8');
}
