import { isPacked } from '../../../shared/codings.ts';
import type { ObjectInfo } from '../../../shared/object-info.ts';
import { MAX_PREVIEW_BYTES, PREVIEW_BYTES } from '../../../shared/ipc/buckets.ts';

/** What a look at an object's first bytes shows. */
export type Preview =
  | { readonly kind: 'empty' }
  | { readonly kind: 'image'; readonly type: string; readonly bytes: Uint8Array }
  | {
      readonly kind: 'table';
      readonly header: readonly string[];
      readonly rows: readonly (readonly string[])[];
      /** Lines or columns that are there and not shown. */
      readonly cut: boolean;
    }
  | { readonly kind: 'text'; readonly text: string; readonly format: 'JSON' | 'text' }
  | { readonly kind: 'binary'; readonly dump: string };

/** Images that the window can show, by the ending of their names. */
const IMAGES: Readonly<Record<string, string>> = {
  png: 'image/png',
  jpg: 'image/jpeg',
  jpeg: 'image/jpeg',
  gif: 'image/gif',
  webp: 'image/webp',
  bmp: 'image/bmp',
  svg: 'image/svg+xml',
};
const IMAGE_TYPES = new Set(Object.values(IMAGES));

const MAX_ROWS = 200;
const MAX_COLUMNS = 40;
const MAX_CELL = 400;

const endingOf = (name: string): string => /\.([A-Za-z0-9]+)$/.exec(name)?.[1]?.toLowerCase() ?? '';

/** The type under which the window shows an object as an image; null where it is none. Pure. */
export function imageTypeOf(object: Pick<ObjectInfo, 'name' | 'contentType'>): string | null {
  const named = object.contentType?.split(';', 1)[0]?.trim().toLowerCase() ?? '';
  return IMAGE_TYPES.has(named) ? named : (IMAGES[endingOf(object.name)] ?? null);
}

/** How many bytes are asked for: an image whole, if it is small, of everything else the beginning. Nobody tells how large one becomes that is stored packed. Pure. */
export function bytesToAsk(
  object: Pick<ObjectInfo, 'name' | 'contentType' | 'contentEncoding' | 'size'>,
): number {
  if (imageTypeOf(object) === null || object.size > MAX_PREVIEW_BYTES) return PREVIEW_BYTES;
  return isPacked(object) ? MAX_PREVIEW_BYTES : Math.max(1, object.size);
}

/** Decides what to show of an object's first bytes. Pure. */
export function previewOf(
  object: Pick<ObjectInfo, 'name' | 'contentType'>,
  bytes: Uint8Array,
  complete: boolean,
): Preview {
  if (bytes.length === 0) return { kind: 'empty' };
  const type = imageTypeOf(object);
  if (type !== null && complete) return { kind: 'image', type, bytes };
  const text = textOf(bytes, complete);
  if (text === null) return { kind: 'binary', dump: hexDump(bytes.subarray(0, 512)) };
  const ending = endingOf(object.name);
  const said = object.contentType ?? '';
  if (ending === 'csv' || said.startsWith('text/csv')) return tableOf(text, ',', complete);
  if (ending === 'tsv' || said.startsWith('text/tab-separated-values'))
    return tableOf(text, '\t', complete);
  if (ending === 'json' || said.startsWith('application/json')) {
    const pretty = complete ? prettyJson(text) : null;
    return { kind: 'text', text: pretty ?? text, format: pretty === null ? 'text' : 'JSON' };
  }
  return { kind: 'text', text, format: 'text' };
}

/** UTF-8 or UTF-16 with its mark; null where it is neither. A character cut by the end is left out. */
function textOf(bytes: Uint8Array, complete: boolean): string | null {
  const utf16 =
    bytes[0] === 0xff && bytes[1] === 0xfe
      ? 'utf-16le'
      : bytes[0] === 0xfe && bytes[1] === 0xff
        ? 'utf-16be'
        : null;
  try {
    const decoder = new TextDecoder(utf16 ?? 'utf-8', { fatal: true });
    const text = decoder.decode(bytes, { stream: !complete });
    // Control characters beyond those of terminals are of no text.
    return /[\u0000-\u0006\u000e-\u001a]/.test(text) ? null : text;
  } catch {
    return null;
  }
}

function prettyJson(text: string): string | null {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return null;
  }
}

/** Reads separated values (RFC 4180). The last line of an incomplete text may be torn: it is left out. Pure. */
export function tableOf(text: string, separator: string, complete: boolean): Preview {
  const lines: string[][] = [];
  let line: string[] = [];
  let cell = '';
  let quoted = false;
  let index = text.startsWith('\ufeff') ? 1 : 0;
  const endCell = (): void => {
    line.push(cell.length > MAX_CELL ? `${cell.slice(0, MAX_CELL)}…` : cell);
    cell = '';
  };
  for (; index < text.length && lines.length <= MAX_ROWS + 1; index += 1) {
    const character = text[index] ?? '';
    if (quoted) {
      if (character !== '"') cell += character;
      else if (text[index + 1] === '"') {
        cell += '"';
        index += 1;
      } else quoted = false;
    } else if (character === '"' && cell === '') quoted = true;
    else if (character === separator) endCell();
    else if (character === '\n' || character === '\r') {
      if (character === '\r' && text[index + 1] === '\n') index += 1;
      endCell();
      lines.push(line);
      line = [];
    } else cell += character;
  }
  const over = index < text.length;
  if (complete && !over && (cell !== '' || line.length > 0)) {
    endCell();
    lines.push(line);
  }
  const all = lines.filter((one) => one.length > 1 || one[0] !== '');
  const wide = all.some((one) => one.length > MAX_COLUMNS);
  const [header = [], ...rows] = all.map((one) => one.slice(0, MAX_COLUMNS));
  return {
    kind: 'table',
    header,
    rows: rows.slice(0, MAX_ROWS),
    cut: wide || over || !complete || rows.length > MAX_ROWS,
  };
}

/** `00000000  68 65 6c 6c 6f ...  hello`, eight bytes a line. Pure. */
export function hexDump(bytes: Uint8Array): string {
  const lines: string[] = [];
  for (let at = 0; at < bytes.length; at += 8) {
    const piece = [...bytes.subarray(at, at + 8)];
    const hex = piece.map((byte) => byte.toString(16).padStart(2, '0')).join(' ');
    const shown = piece.map((byte) =>
      byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : '.',
    );
    lines.push(`${at.toString(16).padStart(4, '0')}  ${hex.padEnd(23)}  ${shown.join('')}`);
  }
  return lines.join('\n');
}
