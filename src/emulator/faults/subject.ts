import type { IncomingMessage } from 'node:http';
import { peekBody } from '../body.ts';
import type { Operation } from '../operation.ts';

/** How much of a body is looked at for the object's name. */
const LOOK = 64 * 1024;

/** The JSON of an upload's metadata part; it ends before the next boundary. */
const METADATA_PART = /\r?\n\r?\n\s*(\{[\s\S]*?\})\s*\r?\n--/;

function nameIn(json: string | undefined): string | null {
  if (json === undefined) return null;
  try {
    const value: unknown = JSON.parse(json);
    return typeof value === 'object' &&
      value !== null &&
      'name' in value &&
      typeof value.name === 'string'
      ? value.name
      : null;
  } catch {
    return null;
  }
}

/** The name of an upload's object where only its body tells it: the metadata of a multipart upload, or of the start of a resumable one. */
export async function nameFromBody(
  request: IncomingMessage,
  operation: Operation,
): Promise<string | null> {
  if (operation === 'upload-start') {
    const text = await peekBody(request, LOOK, (soFar) => nameIn(soFar) !== null);
    return nameIn(text);
  }
  if (operation !== 'upload-simple') return null;
  const text = await peekBody(request, LOOK, (soFar) => METADATA_PART.test(soFar));
  return nameIn(METADATA_PART.exec(text)?.[1]);
}
