import { asPrefix, formatGcsAddress, parseGcsAddress } from '../../../shared/address.ts';
import { addressOfText, withoutEdges } from '../../../shared/read-address.ts';
import type { Problem } from '../../../shared/problem.ts';

/** Where the screen is: a prefix at or below the one that the user asked for, which is as far up as it ever looks. */
export interface Place {
  readonly bucket: string;
  /** What was asked for: empty or with `/` at its end. Nothing above it is listed. */
  readonly root: string;
  /** What is shown: begins with the root. */
  readonly prefix: string;
  /** What was asked for when it had no `/` at its end: it may be an object. */
  readonly maybeObject: string | null;
  /** The object, directly below the prefix, that a link leads to; null: none. */
  readonly object: string | null;
  /** The id or name of a key; null for none. */
  readonly key: string | null;
}

export type Opened =
  { readonly ok: true; readonly place: Place } | { readonly ok: false; readonly problem: Problem };

/** Reads what the user typed or pasted. `gs://` may be left out. Pure. */
export function openAddress(text: string, key: string | null): Opened {
  const read = addressOfText(text);
  const bare = withoutEdges(text).replace(/^\/+/, '');
  const parsed = read.ok || /^[a-z]+:/i.test(bare) ? read : addressOfText(`gs://${bare}`);
  return parsed.ok ? openKept(formatGcsAddress(parsed.value), key) : parsed;
}

/** Opens an address that Trainyard wrote itself: byte for byte. Pure. */
export function openKept(address: string, key: string | null): Opened {
  const parsed = parseGcsAddress(address);
  if (!parsed.ok) return parsed;
  const { bucket, path } = parsed.value;
  const prefix = asPrefix(path);
  const maybeObject = path === prefix ? null : path;
  return { ok: true, place: { bucket, root: prefix, prefix, maybeObject, object: null, key } };
}

/** Leads to one object, in its folder, from where it goes up as far as the prefix `below`. Pure. */
export function openObject(address: string, below: string, key: string | null): Opened {
  const [object, root] = [parseGcsAddress(address), parseGcsAddress(below)];
  if (!object.ok) return object;
  if (!root.ok) return root;
  const { bucket, path } = object.value;
  const prefix = path.slice(0, path.lastIndexOf('/') + 1);
  const above = asPrefix(root.value.path);
  const holds = root.value.bucket === bucket && prefix.startsWith(above);
  return {
    ok: true,
    place: {
      bucket,
      root: holds ? above : prefix,
      prefix,
      maybeObject: null,
      object: path,
      key,
    },
  };
}

/** The last part of a name. Pure. */
export const lastSegment = (name: string): string | undefined =>
  name
    .split('/')
    .filter((segment) => segment !== '')
    .at(-1);

export const addressOf = ({ bucket }: Pick<Place, 'bucket'>, path: string): string =>
  formatGcsAddress({ bucket, path });

/** The way down to what is shown; `prefix` is null for what lies above the root and cannot be gone to. Pure. */
export function crumbsOf(
  place: Place,
): readonly { readonly label: string; readonly prefix: string | null }[] {
  const segments = place.prefix === '' ? [] : place.prefix.slice(0, -1).split('/');
  let path = '';
  const crumbs: { label: string; prefix: string | null }[] = [
    { label: place.bucket, prefix: place.root === '' ? '' : null },
  ];
  for (const segment of segments) {
    path += `${segment}/`;
    crumbs.push({ label: segment, prefix: path.length >= place.root.length ? path : null });
  }
  return crumbs;
}

/** One level up, or null at the root. Pure. */
export function parentOf(place: Place): string | null {
  if (place.prefix === place.root) return null;
  const end = place.prefix.slice(0, -1).lastIndexOf('/');
  return place.prefix.slice(0, end + 1);
}
