import { getObject, listAll } from '../../google/listing.ts';
import { resolveInput } from '../../google/input.ts';
import { addressOfText } from '../../shared/read-address.ts';
import type { GoogleEndpoints } from '../../shared/endpoints.ts';
import { isPacked } from '../../shared/codings.ts';
import type { Measure } from '../../shared/ipc/new-job.ts';
import { totalOf, type ObjectInfo } from '../../shared/object-info.ts';
import { fail, ok, type Result } from '../../shared/problem.ts';
import type { KeyService } from '../keys/service.ts';

/** How long each question to the bucket may take, and after how long counting stops. Milliseconds. */
const QUESTION_TIME = 15_000;
const COUNTING_TIME = 8_000;
/** Pages of a listing, of 1,000 objects each. */
const PAGES = 50;

/**
 * What an address of input or code names, how many objects and how many bytes that is, counted for some seconds.
 * `key`: its name, or null for no credential. Errors: `input.key-...`, those of the vault, of minting and of `resolveInput`.
 */
export async function measureObjects(
  parts: { readonly keys: KeyService; readonly endpoints: GoogleEndpoints },
  from: { readonly gcs: string; readonly key: string | null },
  signal: AbortSignal,
  limits: { readonly pages?: number } = {},
): Promise<Result<Measure>> {
  const address = addressOfText(from.gcs);
  if (!address.ok) return address;
  const card = from.key === null ? ok(null) : await parts.keys.find(from.key);
  if (!card.ok) return card;
  const tokens =
    card.value === null ? ok(null) : await parts.keys.tokenSource(card.value, 'read', 'form');
  if (!tokens.ok) return tokens;
  const access = {
    endpoints: parts.endpoints,
    tokens: tokens.value,
    signal,
    deadlineMs: QUESTION_TIME,
  };
  const { bucket } = address.value;
  const target = await resolveInput({ ...access, address: address.value });
  if (!target.ok) return target;
  if (target.value.kind !== 'folder') {
    const object = await getObject({ ...access, bucket, name: target.value.object });
    if (!object.ok) return object;
    return ok({ kind: target.value.kind, objects: 1, ...sizesOf([object.value]), more: false });
  }

  const { prefix } = target.value;
  const until = performance.now() + COUNTING_TIME;
  let objects = 0;
  let sizes = { bytes: 0, untold: 0, packed: 0 };
  let pages = 0;
  for await (const page of listAll({ ...access, bucket, prefix, delimiter: false })) {
    if (!page.ok) return fail(page.problem);
    const found = page.value.objects.filter(({ name }) => name !== prefix);
    const { bytes, untold, packed } = sizesOf(found);
    objects += found.length;
    sizes = {
      bytes: sizes.bytes + bytes,
      untold: sizes.untold + untold,
      packed: sizes.packed + packed,
    };
    pages += 1;
    if (page.value.nextPageToken === null) break;
    if (pages >= (limits.pages ?? PAGES) || performance.now() > until)
      return ok({ kind: 'folder', objects, ...sizes, more: true });
  }
  return ok({ kind: 'folder', objects, ...sizes, more: false });
}

/** The bytes of objects as they are stored, how many do not tell theirs, and how much of it is packed. */
function sizesOf(objects: readonly ObjectInfo[]): {
  readonly bytes: number;
  readonly untold: number;
  readonly packed: number;
} {
  return { ...totalOf(objects), packed: totalOf(objects.filter(isPacked)).bytes };
}
