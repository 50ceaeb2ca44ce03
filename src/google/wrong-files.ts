import { MAKE_A_KEY, type WrongFile } from './key-refusal.ts';
import { stopsEarly } from './json-scan.ts';
import { wrongBinary } from './wrong-binary.ts';
import { wrongText } from './wrong-text.ts';

/** Key files of Google have about 2,400 bytes; RSA 4096 about 4,000. */
export const MAXIMUM_KEY_FILE_BYTES = 16 * 1_024;

export type JsonTextResult =
  | { readonly ok: true; readonly text: string; readonly value: Readonly<Record<string, unknown>> }
  | { readonly ok: false; readonly wrong: WrongFile };

function wrong(code: WrongFile['code'], message: string, hint: string): JsonTextResult {
  return { ok: false, wrong: { code, message, hint } };
}

function decodeUtf8(bytes: Uint8Array): string | null {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return null;
  }
}

/** Why a text that looks like a JSON object is none. */
function brokenJson(text: string): JsonTextResult {
  if (stopsEarly(text))
    return wrong(
      'input.key-json-truncated',
      'The file ends in the middle: it was not copied whole.',
      `Copy the file again from where it came, or: ${MAKE_A_KEY}`,
    );
  if (/[\u201c\u201d\u201e\u2018\u2019]/.test(text))
    return wrong(
      'input.key-typographic-quotes',
      'The file holds typographic quotation marks in place of plain ones: it went through a word processor or a chat.',
      `Use the file as Google gave it. ${MAKE_A_KEY}`,
    );
  if (/^\{\s*'/.test(text))
    return wrong(
      'input.key-single-quotes',
      'The file is written with single quotation marks, as Python prints a dictionary; that is not JSON.',
      `Use the file as Google gave it. ${MAKE_A_KEY}`,
    );
  if (/"private_key"\s*:\s*"[^"]*[\r\n]/.test(text))
    return wrong(
      'input.key-raw-line-breaks',
      'The private key stands in the file with real line breaks in place of "\\n"; that is not JSON.',
      `The file went through a program that resolved them. Use the file as Google gave it. ${MAKE_A_KEY}`,
    );
  if (/\}\s*\{/.test(text))
    return wrong(
      'input.key-json-several',
      'The file holds several JSON documents, one after the other.',
      'Give a file that holds one key.',
    );
  return wrong(
    'input.key-not-json',
    'The file begins like a JSON document, but is not valid JSON: it was changed after Google wrote it.',
    `Use the file as Google gave it. ${MAKE_A_KEY}`,
  );
}

/** From the bytes of a file to the JSON object in them, or what the file is instead. */
export function readJsonText(bytes: Uint8Array): JsonTextResult {
  if (bytes.length === 0)
    return wrong(
      'input.key-empty',
      'The file is empty.',
      `The download may have failed. ${MAKE_A_KEY}`,
    );
  const binary = wrongBinary(bytes);
  if (binary !== null) return { ok: false, wrong: binary };
  if (bytes.length > MAXIMUM_KEY_FILE_BYTES)
    return wrong(
      'input.key-too-large',
      `The file has ${bytes.length} bytes; a service-account key has at most ${MAXIMUM_KEY_FILE_BYTES}.`,
      `It is some other file. ${MAKE_A_KEY}`,
    );
  const text = decodeUtf8(bytes);
  if (text === null || text.includes('\0'))
    return wrong(
      'input.key-not-utf8',
      'The file is not text in UTF-8.',
      `It is some other file, or was saved in another encoding. Use the file as Google gave it. ${MAKE_A_KEY}`,
    );
  const trimmed = text.trim();
  if (trimmed === '')
    return wrong(
      'input.key-empty',
      'The file holds only blank space.',
      `The download may have failed. ${MAKE_A_KEY}`,
    );
  let value: unknown;
  try {
    value = JSON.parse(trimmed) as unknown;
  } catch {
    const known = wrongText(trimmed);
    if (known !== null) return { ok: false, wrong: known };
    return trimmed.startsWith('{')
      ? brokenJson(trimmed)
      : wrong(
          'input.key-not-json',
          'The file is not JSON.',
          `A service-account key is a JSON file that begins with "{". ${MAKE_A_KEY}`,
        );
  }
  if (Array.isArray(value))
    return wrong(
      'input.key-json-list',
      'The file holds a list; a service-account key is one object.',
      'Where the list holds key files, save one of them to a file of its own and give that.',
    );
  if (typeof value === 'string')
    return value.trimStart().startsWith('{')
      ? wrong(
          'input.key-json-in-text',
          'The file holds a key file written as one JSON text (in quotation marks, with "\\"").',
          `It went through a program that escaped it. Use the file as Google gave it. ${MAKE_A_KEY}`,
        )
      : { ok: false, wrong: wrongText(value.trim()) ?? notAnObject('text') };
  if (typeof value !== 'object' || value === null)
    return { ok: false, wrong: notAnObject(value === null ? 'null' : `a ${typeof value}`) };
  return { ok: true, text: trimmed, value: value as Readonly<Record<string, unknown>> };
}

function notAnObject(what: string): WrongFile {
  return {
    code: 'input.key-json-scalar',
    message: `The file holds ${what} and no JSON object.`,
    hint: `A service-account key is a JSON file that begins with "{". ${MAKE_A_KEY}`,
  };
}
