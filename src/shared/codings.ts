import { plural } from './format.ts';
import type { ObjectInfo } from './object-info.ts';

/** More layers than anybody packs by intent: such an object is left as it is. */
const MOST_LAYERS = 4;

/** What an object's `contentEncoding` says of its bytes. */
export interface Codings {
  /** How many times it is packed with gzip, all of which are taken off; 0: nothing is. */
  readonly layers: number;
  /** It is packed in a way that is not taken off here (br, zstd, ...): the text as it was told. Null where it is not. */
  readonly other: string | null;
}

const PLAIN: Codings = { layers: 0, other: null };

/**
 * Reads a `Content-Encoding` (RFC 9110, 8.4: the codings in the order in which they were applied). `identity` and `aws-chunked`, which is of a
 * transport and stays behind in metadata, mean nothing. Where one of them is not gzip, none is taken off: half unpacked it would be neither what
 * is stored nor what was packed. Pure.
 */
export function codingsOf(contentEncoding: string | null): Codings {
  const names = (contentEncoding ?? '')
    .toLowerCase()
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '' && name !== 'identity' && name !== 'aws-chunked');
  if (names.length === 0) return PLAIN;
  const allGzip = names.every((name) => name === 'gzip' || name === 'x-gzip');
  return allGzip && names.length <= MOST_LAYERS
    ? { layers: names.length, other: null }
    : { layers: 0, other: contentEncoding ?? '' };
}

/** Whether an object is stored packed in a way that a download takes off: its size is that of the packed form. Pure. */
export const isPacked = (object: Pick<ObjectInfo, 'contentEncoding'>): boolean =>
  layersOf(object, false) > 0;

/** How many layers of gzip a download takes off an object. `keep`: the user wants the stored bytes. Pure. */
export const layersOf = (object: Pick<ObjectInfo, 'contentEncoding'>, keep: boolean): number =>
  keep ? 0 : codingsOf(object.contentEncoding).layers;

/** What became of an object that is stored packed, or says so. */
export type PackedAs =
  /** Its file holds what was packed. */
  | 'unpacked'
  /** Its file holds the stored bytes: as asked; because they are not gzip, or not to their end; or because the coding is another. */
  | 'kept'
  | 'not-gzip'
  | 'other-coding';

export interface PackedObject {
  readonly object: string;
  readonly contentEncoding: string;
  readonly as: PackedAs;
}

/** What becomes of an object whose stored bytes are taken as they are; null where it says of none that they are packed. Pure. */
export function packedWithout(
  object: Pick<ObjectInfo, 'contentEncoding'>,
  keep: boolean,
): Extract<PackedAs, 'kept' | 'other-coding'> | null {
  const { layers, other } = codingsOf(object.contentEncoding);
  if (other !== null) return keep ? 'kept' : 'other-coding';
  return layers > 0 ? 'kept' : null;
}

/** What a user is told of objects that are stored packed, or say so: one sentence of those that were unpacked, one for each that was not and should be. Pure. */
export function packedLines(packed: readonly PackedObject[], most: number): readonly string[] {
  const unpacked = packed.filter((one) => one.as === 'unpacked').length;
  const odd = packed.filter((one) => one.as === 'not-gzip' || one.as === 'other-coding');
  const more = odd.length - most;
  return [
    ...(unpacked === 0
      ? []
      : [
          `${plural(unpacked, 'object')} ${unpacked === 1 ? 'is' : 'are'} stored packed (Content-Encoding: gzip) and ${unpacked === 1 ? 'was' : 'were'} unpacked.`,
        ]),
    ...odd.slice(0, most).map(({ object, contentEncoding, as }) => {
      const told = `${JSON.stringify(object)} says Content-Encoding: ${contentEncoding}`;
      return as === 'not-gzip'
        ? `${told} and is no gzip, or a damaged one: its file holds it as it is stored.`
        : `${told}, which Trainyard does not unpack: its file holds it as it is stored.`;
    }),
    ...(more > 0
      ? [`${plural(more, 'more object')} like ${odd.length === 1 ? 'it' : 'these'}.`]
      : []),
  ];
}
