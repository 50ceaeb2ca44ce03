import path from 'node:path';

/**
 * A path as the disk has it, one character for each byte: on Linux a name is any bytes without `/` and NUL, and what is not UTF-8 would not
 * survive as ordinary text. Only this file turns one into the other.
 */
export type ByteName = string & { readonly [brand]: true };
declare const brand: unique symbol;

const asByteName = (characters: string): ByteName => characters as ByteName;

/** Of ordinary text. */
export const byteName = (text: string): ByteName =>
  asByteName(Buffer.from(text).toString('latin1'));

export const byteNameOf = (bytes: Buffer): ByteName => asByteName(bytes.toString('latin1'));

/** For the file system. */
export const bytesOf = (name: ByteName): Buffer => Buffer.from(name, 'latin1');

/** As people read it: what is not UTF-8 shows as U+FFFD. */
export const shown = (name: ByteName): string => bytesOf(name).toString('utf8');

// The separators are ASCII: these mean the same of bytes as of text.
export const joined = (...parts: readonly ByteName[]): ByteName => asByteName(path.join(...parts));
export const resolved = (from: ByteName, to: ByteName): ByteName =>
  asByteName(path.resolve(from, to));
export const relativeTo = (from: ByteName, to: ByteName): ByteName =>
  asByteName(path.relative(from, to));
export const folderOf = (name: ByteName): ByteName => asByteName(path.dirname(name));
export const segmentsOf = (name: ByteName): readonly ByteName[] =>
  name.split(path.sep).map(asByteName);
