import { MAKE_A_KEY, type WrongFile } from './key-refusal.ts';

/** 1.2.840.113549.1.7.1, the content type with which every PKCS#12 file begins its contents. */
const PKCS7_DATA = [0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x01];

const SAVE_AS_UTF8 = `Use the file as Google gave it, or save it again as "UTF-8" (without BOM). ${MAKE_A_KEY}`;

function startsWith(bytes: Uint8Array, prefix: readonly number[], offset = 0): boolean {
  return prefix.every((byte, index) => bytes[offset + index] === byte);
}

const ascii = (text: string): readonly number[] => [...Buffer.from(text, 'latin1')];

/** Files told by their first bytes. */
const MAGIC: readonly (readonly [readonly number[], string])[] = [
  [[0x50, 0x4b, 0x03, 0x04], 'a zip archive'],
  [[0x1f, 0x8b], 'a gzip archive'],
  [ascii('%PDF'), 'a PDF document'],
  [[0x89, 0x50, 0x4e, 0x47], 'a picture'],
  [[0xff, 0xd8, 0xff], 'a picture'],
  [[0x7f, 0x45, 0x4c, 0x46], 'a program'],
];

/** Whether every second of the first bytes is zero: UTF-16 of Latin text, without a mark. */
function looksLikeUtf16(bytes: Uint8Array): boolean {
  if (bytes.length < 8) return false;
  const head = bytes.subarray(0, 8);
  const zeros = (odd: 0 | 1): boolean =>
    head.every((byte, index) => (index % 2 === odd ? byte === 0 : byte !== 0));
  return zeros(0) || zeros(1);
}

/** A key in DER: a SEQUENCE of up to 64 KiB that has the length of the file. */
function isDer(bytes: Uint8Array): boolean {
  const [tag, form, high = 0, low = 0] = bytes;
  return tag === 0x30 && form === 0x82 && high * 256 + low + 4 === bytes.length;
}

/** What a file is that is told by its bytes and not by its text; null for the rest. */
export function wrongBinary(bytes: Uint8Array): WrongFile | null {
  if (startsWith(bytes, [0xef, 0xbb, 0xbf]))
    return {
      code: 'input.key-byte-order-mark',
      message: 'The file begins with a byte order mark (BOM): an editor saved it again.',
      hint: SAVE_AS_UTF8,
    };
  if (startsWith(bytes, [0xff, 0xfe]) || startsWith(bytes, [0xfe, 0xff]) || looksLikeUtf16(bytes))
    return {
      code: 'input.key-utf16',
      message: 'The file is text in UTF-16, not UTF-8: an editor or PowerShell saved it again.',
      hint: SAVE_AS_UTF8,
    };
  if (isDer(bytes) || startsWith(bytes, [0x30, 0x80])) {
    const head = Buffer.from(bytes.subarray(0, 64));
    return head.includes(Buffer.from(PKCS7_DATA))
      ? {
          code: 'input.key-p12',
          message: 'The file is a key in the old P12 form (PKCS#12).',
          hint: `Trainyard takes the JSON form. ${MAKE_A_KEY}`,
        }
      : {
          code: 'input.key-der',
          message:
            'The file is a key or certificate in binary form (DER), without the account it belongs to.',
          hint: `Trainyard takes Google’s JSON key file. ${MAKE_A_KEY}`,
        };
  }
  if (startsWith(bytes, [0xfe, 0xed, 0xfe, 0xed]))
    return {
      code: 'input.key-java-keystore',
      message: 'The file is a Java key store.',
      hint: `Trainyard takes Google’s JSON key file. ${MAKE_A_KEY}`,
    };
  if (startsWith(bytes, ascii('SQLite format 3\0')))
    return {
      code: 'input.key-gcloud-database',
      message: 'The file is a database, such as gcloud keeps its credentials in.',
      hint: `It holds the sign-in of people and accounts and stays where it is. ${MAKE_A_KEY}`,
    };
  const known = MAGIC.find(([prefix]) => startsWith(bytes, prefix));
  return known === undefined
    ? null
    : {
        code: 'input.key-other-file',
        message: `The file is ${known[1]}, not a key file.`,
        hint: `Where the key is inside, unpack it first and give the JSON file. ${MAKE_A_KEY}`,
      };
}
