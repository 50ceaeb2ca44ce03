import type { ObjectInfo } from '../../../shared/object-info.ts';
import type { BucketPage } from '../../../shared/ipc/buckets.ts';

/** A line of the table. `label` is its name below the prefix that is shown. */
export type Row =
  | { readonly kind: 'folder'; readonly prefix: string; readonly label: string }
  | { readonly kind: 'object'; readonly object: ObjectInfo; readonly label: string };

/** The whole name in the bucket. */
export const nameOf = (row: Row): string => (row.kind === 'folder' ? row.prefix : row.object.name);

/** The order in which Cloud Storage lists: by UTF-8 bytes, which is by code points. */
function byCodePoint(a: string, b: string): number {
  const [left, right] = [a[Symbol.iterator](), b[Symbol.iterator]()];
  for (;;) {
    const [x, y] = [left.next(), right.next()];
    if (x.done === true || y.done === true)
      return (x.done === true ? 0 : 1) - (y.done === true ? 0 : 1);
    const difference = (x.value.codePointAt(0) ?? 0) - (y.value.codePointAt(0) ?? 0);
    if (difference !== 0) return difference;
  }
}

/** The lines of one page, in the bucket's order. The empty object that stands for the shown folder itself is none. Pure. */
export function rowsOf(page: BucketPage, prefix: string): readonly Row[] {
  const folders = page.prefixes.map((one): Row => ({
    kind: 'folder',
    prefix: one,
    label: one.slice(prefix.length),
  }));
  const objects = page.objects
    .filter(({ name }) => name !== prefix)
    .map((object): Row => ({ kind: 'object', object, label: object.name.slice(prefix.length) }));
  if (folders.length === 0) return objects;
  if (objects.length === 0) return folders;
  return [...folders, ...objects].sort((a, b) => byCodePoint(nameOf(a), nameOf(b)));
}

/** The lines whose label holds the text, in either case. Pure. */
export function filterRows(rows: readonly Row[], text: string): readonly Row[] {
  const wanted = text.toLowerCase();
  return rows.filter(({ label }) => label.toLowerCase().includes(wanted));
}
