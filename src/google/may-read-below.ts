import { randomBytes } from 'node:crypto';
import { getObject, type ObjectRequest } from './listing.ts';
import type { StorageAccess } from './client.ts';

export interface ReadBelowRequest extends StorageAccess, Pick<ObjectRequest, 'bucket'> {
  /** Ends with a slash, or empty for the whole bucket. */
  readonly prefix: string;
}

/**
 * Whether the account may read below a prefix of which it can list nothing: asks for an object that is not there, and Google says so only to
 * those who could read it. Null: it could not be told. Reads and leaves nothing.
 */
export async function mayReadBelow({
  prefix,
  ...access
}: ReadBelowRequest): Promise<boolean | null> {
  const name = `${prefix}trainyard-access-check-${randomBytes(6).toString('hex')}`;
  const found = await getObject({ ...access, name });
  if (found.ok) return true;
  switch (found.problem.code) {
    case 'storage.object-not-found':
      return true;
    case 'access.get-refused':
      return false;
    default:
      return null;
  }
}
