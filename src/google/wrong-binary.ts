import { MAKE_A_KEY, type WrongFile } from './key-refusal.ts';

/** 1.2.840.113549.1.7.1, the content type with which every PKCS#12 file begins its contents. */
const PKCS7_DATA = [0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x01];

const SAVE_AS_UTF8 = `Use the file as Google gave it, or save it again as "UTF-8" (without BOM). ${MAKE_A_KEY}`;

function startsWith(bytes: Uint8Array, prefix: readonly number[], offset = 0): boolean {
  return prefix.every((byte, index) => bytes[offset + index] === byte);
}

const ascii = (text: string): readonly number[] => [...Buffer.from(text, 'latin1')];

/** Files told by their bytes at an offset, each a kind of its own. */
const KINDS: readonly (readonly [readonly number[], number, WrongFile])[] = [
  [
    [0xce, 0xce, 0xce, 0xce],
    0,
    {
      code: 'input.key-java-keystore-jceks',
      message: 'The file is a Java key store of the kind JCEKS.',
      hint: `Its keys name no account of Google’s. Trainyard takes Google’s JSON key file. ${MAKE_A_KEY}`,
    },
  ],
  [
    [0x03, 0xd9, 0xa2, 0x9a],
    0,
    {
      code: 'input.key-keepass',
      message: 'The file is a database of KeePass, which keeps passwords.',
      hint: `Where the key file is attached to one of its entries, save that attachment and give it. ${MAKE_A_KEY}`,
    },
  ],
  [
    ascii('BZh'),
    0,
    {
      code: 'input.key-bzip2',
      message: 'The file is compressed by bzip2.',
      hint: `Where the key is inside, unpack it first (\`bunzip2 FILE\`) and give the JSON file. ${MAKE_A_KEY}`,
    },
  ],
  [
    [0x37, 0x7a, 0xbc, 0xaf, 0x27, 0x1c],
    0,
    {
      code: 'input.key-7z',
      message: 'The file is a 7z archive.',
      hint: `Where the key is inside, unpack it first (\`7z x FILE\`) and give the JSON file. ${MAKE_A_KEY}`,
    },
  ],
  [
    ascii('ustar'),
    257,
    {
      code: 'input.key-tar',
      message: 'The file is a tar archive.',
      hint: `Where the key is inside, unpack it first (\`tar xf FILE\`) and give the JSON file. ${MAKE_A_KEY}`,
    },
  ],
  [
    ascii('age-encryption.org/v1'),
    0,
    {
      code: 'input.key-age',
      message: 'The file is encrypted by age.',
      hint: 'Decrypt it first (`age --decrypt -i IDENTITY FILE > key.json`), give the decrypted file, and remove it afterwards.',
    },
  ],
];

/** Other files told by their first bytes. */
const MAGIC: readonly (readonly [readonly number[], string])[] = [
  [[0x50, 0x4b, 0x03, 0x04], 'a zip archive'],
  [[0x1f, 0x8b], 'a gzip archive'],
  [ascii('%PDF'), 'a PDF document'],
  [[0x89, 0x50, 0x4e, 0x47], 'a picture'],
  [[0xff, 0xd8, 0xff], 'a picture'],
  [[0x7f, 0x45, 0x4c, 0x46], 'a program'],
];

/** Whether three of every four of the first bytes are zero: UTF-32 of Latin text, without a mark. */
function looksLikeUtf32(bytes: Uint8Array): boolean {
  if (bytes.length < 8) return false;
  const head = bytes.subarray(0, 8);
  const isAt = (place: 0 | 3): boolean =>
    head.every((byte, index) => (index % 4 === place ? byte !== 0 : byte === 0));
  return isAt(0) || isAt(3);
}

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
  // Its mark begins with that of UTF-16.
  if (
    startsWith(bytes, [0xff, 0xfe, 0, 0]) ||
    startsWith(bytes, [0, 0, 0xfe, 0xff]) ||
    looksLikeUtf32(bytes)
  )
    return {
      code: 'input.key-utf32',
      message: 'The file is text in UTF-32, not UTF-8: a program saved it again.',
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
      message: 'The file is a Java key store of the kind JKS.',
      hint: `Trainyard takes Google’s JSON key file. ${MAKE_A_KEY}`,
    };
  if (startsWith(bytes, ascii('SQLite format 3\0')))
    return {
      code: 'input.key-gcloud-database',
      message: 'The file is a database, such as gcloud keeps its credentials in.',
      hint: `It holds the sign-in of people and accounts and stays where it is. ${MAKE_A_KEY}`,
    };
  const kind = KINDS.find(([mark, offset]) => startsWith(bytes, mark, offset));
  if (kind !== undefined) return kind[2];
  const known = MAGIC.find(([prefix]) => startsWith(bytes, prefix));
  return known === undefined
    ? null
    : {
        code: 'input.key-other-file',
        message: `The file is ${known[1]}, not a key file.`,
        hint: `Where the key is inside, unpack it first and give the JSON file. ${MAKE_A_KEY}`,
      };
}
