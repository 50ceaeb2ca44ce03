/**
 * Bytes that may be no UTF-8 (an environment holds any bytes but NUL) as text and back: a byte that belongs to no character becomes a lone
 * surrogate, U+DC80 to U+DCFF, which no valid UTF-8 makes. JSON keeps it. Any bytes come back as they were.
 */
const RAW = 0xdc00;

/** Pure. */
export function textOfBytes(bytes: Uint8Array): string {
  let text = '';
  for (let at = 0; at < bytes.length;) {
    const length = characterAt(bytes, at);
    if (length === 0) {
      text += String.fromCharCode(RAW + (bytes[at] ?? 0));
      at += 1;
      continue;
    }
    text += String.fromCodePoint(pointAt(bytes, at, length));
    at += length;
  }
  return text;
}

/** How many bytes the character takes that begins here; 0 where none does. */
function characterAt(bytes: Uint8Array, at: number): number {
  const first = bytes[at] ?? 0;
  if (first < 0x80) return 1;
  const length = first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf5 ? 4 : 0;
  for (let more = 1; more < length; more += 1)
    if (((bytes[at + more] ?? 0) & 0xc0) !== 0x80) return 0;
  if (length < 3) return length;
  const point = pointAt(bytes, at, length);
  const isSurrogate = point >= 0xd800 && point < 0xe000;
  return isSurrogate || point > 0x10ffff || point < (length === 3 ? 0x800 : 0x10000) ? 0 : length;
}

function pointAt(bytes: Uint8Array, at: number, length: number): number {
  const first = bytes[at] ?? 0;
  let point = length === 1 ? first : first & (0x7f >> length);
  for (let more = 1; more < length; more += 1)
    point = (point << 6) | ((bytes[at + more] ?? 0) & 0x3f);
  return point;
}

/** Whether a text stands for bytes that are no UTF-8. Pure. */
export const isRaw = (text: string): boolean => /\p{Cs}/u.test(text);

/** The bytes that {@link textOfBytes} made a text of. Pure. */
export function bytesOfText(text: string): Uint8Array {
  const bytes: number[] = [];
  for (const character of text) {
    const point = character.codePointAt(0) ?? 0;
    if (point >= RAW + 0x80 && point <= RAW + 0xff) bytes.push(point - RAW);
    else if (point < 0x80) bytes.push(point);
    else if (point < 0x800) bytes.push(0xc0 | (point >> 6), tail(point, 0));
    else if (point < 0x10000) bytes.push(0xe0 | (point >> 12), tail(point, 6), tail(point, 0));
    else bytes.push(0xf0 | (point >> 18), tail(point, 12), tail(point, 6), tail(point, 0));
  }
  return Uint8Array.from(bytes);
}

const tail = (point: number, shift: number): number => 0x80 | ((point >> shift) & 0x3f);

/** The variables of an environment as the system has them: entries `NAME=VALUE`, each ended by a NUL. Pure. */
export function variablesIn(entries: string): Record<string, string> {
  const variables: Record<string, string> = {};
  for (const entry of entries.split('\0')) {
    const equals = entry.indexOf('=', 1);
    if (equals > 0) variables[entry.slice(0, equals)] = entry.slice(equals + 1);
  }
  return variables;
}
