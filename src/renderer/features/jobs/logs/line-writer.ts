/** What of a terminal this needs; `@xterm/xterm` has it. */
export interface Rows {
  readonly cols: number;
  readonly rows: number;
  readonly write: (bytes: Uint8Array | string, done: () => void) => void;
  readonly buffer: {
    readonly active: {
      readonly baseY: number;
      readonly cursorY: number;
      readonly getLine: (row: number) => { readonly isWrapped: boolean } | undefined;
    };
  };
}

export interface LineWriter {
  /** Resolves once all of it is laid out. */
  readonly write: (bytes: Uint8Array) => Promise<void>;
  /** The terminal was emptied. */
  readonly reset: () => void;
}

const TAB = 9;
const NEWLINE = 10;
const RETURN = 13;
const ESCAPE = 27;
const TAB_WIDTH = 8;
/** An escape sequence may move the cursor anywhere to the right: so much counts as wider than any panel. */
const ANYWHERE = 1_000_000;

/**
 * Writes a log so that a carriage return goes to the beginning of the line, as the program means it, and not to that of the row: a progress bar
 * that is wider than the terminal would else leave a row behind at each update. What stood in the line goes when something new comes.
 */
export function createLineWriter(terminal: Rows): LineWriter {
  /** Columns that the line may have taken by now: at least as many as it did. */
  let width = 0;
  /** A carriage return came, and nothing after it. */
  let returned = false;

  const put = (bytes: Uint8Array | string): Promise<void> =>
    new Promise((resolve) => terminal.write(bytes, resolve));

  /** Rows above the cursor's that belong to its line, as far as they are in sight. */
  const rowsAbove = (): number => {
    const { active } = terminal.buffer;
    let count = 0;
    while (
      count < active.cursorY &&
      active.getLine(active.baseY + active.cursorY - count)?.isWrapped === true
    )
      count += 1;
    return count;
  };

  const toBeginning = async (): Promise<void> => {
    const above = rowsAbove();
    // Up, and everything below goes: a shorter text than the last one leaves nothing of it.
    await put(above === 0 ? '\r' : `\x1b[${above}A\r\x1b[J`);
  };

  const write = async (bytes: Uint8Array): Promise<void> => {
    let begin = 0;
    for (let at = 0; at < bytes.length; at += 1) {
      const byte = bytes[at];
      if (returned) {
        if (byte === RETURN) {
          begin = at + 1;
          continue;
        }
        returned = false;
        if (byte !== NEWLINE) {
          await toBeginning();
          width = 0;
        }
      }
      if (byte === NEWLINE) width = 0;
      else if (byte === RETURN) {
        if (width <= terminal.cols) {
          width = 0;
          continue;
        }
        if (at > begin) await put(bytes.subarray(begin, at));
        begin = at + 1;
        returned = true;
      } else width += byte === TAB ? TAB_WIDTH : byte === ESCAPE ? ANYWHERE : 1;
    }
    if (begin < bytes.length) await put(bytes.subarray(begin));
  };

  return {
    write,
    reset: () => {
      width = 0;
      returned = false;
    },
  };
}
