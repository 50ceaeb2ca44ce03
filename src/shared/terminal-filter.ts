/**
 * What a log may do to a terminal. A log is data: whoever writes it decides neither how long the terminal works on it nor what else a terminal can do.
 * The grammar is that of ECMA-48 as terminals read it (https://vt100.net/emu/dec_ansi_parser): a control sequence is ESC `[` (or U+009B), parameters,
 * a final byte; control characters within it act at once and do not end it.
 */

/**
 * - `bounded`: everything passes, but no number in a control sequence is larger than what a screen has. For a terminal that is nothing but the log.
 * - `plain`: colours, the cursor's moves within and between lines, and erasing a line pass; all else is left out: titles, the clipboard, other screens,
 *   questions to the terminal. For the terminal of the user.
 */
export type TerminalFilterMode = 'bounded' | 'plain';

/** Bytes in, bytes out; a sequence that is cut at the end of a piece goes on in the next. */
export interface TerminalFilter {
  readonly pass: (bytes: Uint8Array) => Uint8Array;
  /** Forgets a sequence that was cut. */
  readonly reset: () => void;
}

const ESC = 0x1b;
const CAN = 0x18;
const SUB = 0x1a;
const BEL = 0x07;
const DELETE = 0x7f;
/** The first byte of U+0080 to U+009F in UTF-8, which terminals take for ESC and a letter. */
const C1 = 0xc2;

/** Of ASCII. */
const bytesOf = (text: string): number[] =>
  Array.from({ length: text.length }, (_, index) => text.charCodeAt(index));

/** More than any screen has rows or columns. */
const MOST = 9_999;
/** A terminal does these as often as they say, each time with the work of a line or a cell. */
const MOST_REPEATED = 200;
const REPEATS = new Set(bytesOf('bSTLMIZ@PX^'));
/** Colours; the cursor up, down, right, left, to a column; erase within the line. */
const PLAIN = new Set(bytesOf('mABCDGK'));
/** No sequence that means something is longer. */
const LONGEST = 256;

type State = 'text' | 'c1' | 'escape' | 'sequence' | 'string' | 'string-escape' | 'string-c1';

const isControl = (byte: number): boolean => byte < 0x20 && byte !== ESC;
/** Of those that a plain text has: tab, line feed, carriage return, backspace. */
const isPlainControl = (byte: number): boolean =>
  byte === 9 || byte === 10 || byte === 13 || byte === 8;

/** ESC P, X, ], ^, _ begin a string (device control, title, clipboard, ...). */
const beginsString = (byte: number): boolean => [0x50, 0x58, 0x5d, 0x5e, 0x5f].includes(byte);

export function createTerminalFilter(mode: TerminalFilterMode): TerminalFilter {
  let state: State = 'text';
  let sequence: number[] = [];

  const plain = mode === 'plain';

  const pass = (bytes: Uint8Array): Uint8Array => {
    const out: number[] = [];
    for (const byte of bytes) step(byte, out);
    return Uint8Array.from(out);
  };

  const step = (byte: number, out: number[]): void => {
    switch (state) {
      case 'text': {
        text(byte, out);
        return;
      }
      case 'c1': {
        afterC2(byte, out);
        return;
      }
      case 'escape': {
        escape(byte, out);
        return;
      }
      case 'sequence': {
        inSequence(byte, out);
        return;
      }
      case 'string':
      case 'string-escape':
      case 'string-c1': {
        inString(byte, out);
        return;
      }
    }
  };

  const text = (byte: number, out: number[]): void => {
    state = byte === ESC ? 'escape' : byte === C1 ? 'c1' : 'text';
    if (state !== 'text') return;
    if (plain && (byte === DELETE || (isControl(byte) && !isPlainControl(byte)))) return;
    out.push(byte);
  };

  const afterC2 = (byte: number, out: number[]): void => {
    state = 'text';
    if (byte === 0x9b) {
      state = 'sequence';
      sequence = [];
    } else if (byte >= 0x80 && byte < 0xa0) {
      // The same letters, 0x40 further down.
      if (!plain) out.push(C1, byte);
      else if (beginsString(byte - 0x40)) state = 'string';
    } else {
      out.push(C1);
      text(byte, out);
    }
  };

  const escape = (byte: number, out: number[]): void => {
    if (byte === ESC) return;
    state = 'text';
    if (byte === 0x5b) {
      state = 'sequence';
      sequence = [];
    } else if (isControl(byte)) {
      state = byte === CAN || byte === SUB ? 'text' : 'escape';
      if (!plain || isPlainControl(byte)) out.push(byte);
    } else if (!plain) {
      out.push(ESC, byte);
    } else if (beginsString(byte)) {
      state = 'string';
    } else if (byte >= 0x20 && byte < 0x30) {
      // An intermediate: the byte that follows ends it.
      state = 'escape';
    } else if (byte >= 0x80) {
      text(byte, out);
    }
  };

  const inSequence = (byte: number, out: number[]): void => {
    if (byte === ESC) {
      state = 'escape';
    } else if (byte === CAN || byte === SUB) {
      state = 'text';
    } else if (isControl(byte)) {
      if (!plain || isPlainControl(byte)) out.push(byte);
    } else if (byte >= 0x40 && byte < DELETE) {
      state = 'text';
      finish(byte, out);
    } else if (byte >= 0x20 && byte < 0x40) {
      if (sequence.length <= LONGEST) sequence.push(byte);
    } else if (byte >= 0x80) {
      // Nothing of the grammar: terminals give the sequence up.
      state = 'text';
      text(byte, out);
    }
  };

  const finish = (final: number, out: number[]): void => {
    if (sequence.length > LONGEST || (plain && !PLAIN.has(final))) return;
    const most = REPEATS.has(final) || plain ? MOST_REPEATED : MOST;
    const parameters = String.fromCharCode(...sequence).replace(/\d+/g, (digits) =>
      // Colours are numbers, too: they repeat nothing.
      final === 0x6d ? digits.slice(0, 9) : String(Math.min(Number(digits), most)),
    );
    if (plain && !/^[\d;:]*$/.test(parameters)) return;
    out.push(ESC, 0x5b, ...bytesOf(parameters), final);
  };

  const inString = (byte: number, out: number[]): void => {
    if (state === 'string-escape') {
      state = 'text';
      // ESC `\` ends it; any other byte after ESC does so, too, and begins something of its own.
      if (byte !== 0x5c) escape(byte, out);
    } else if (state === 'string-c1') {
      state = byte === 0x9c ? 'text' : 'string';
      if (byte === 0x9b) {
        state = 'sequence';
        sequence = [];
      }
    } else if (byte === ESC) state = 'string-escape';
    else if (byte === C1) state = 'string-c1';
    else if (byte === BEL || byte === CAN || byte === SUB) state = 'text';
  };

  return {
    pass,
    reset: () => {
      state = 'text';
      sequence = [];
    },
  };
}
