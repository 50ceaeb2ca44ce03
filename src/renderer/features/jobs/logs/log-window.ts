import type { CallValue } from '../../../../shared/ipc.ts';

export type LogChunk = CallValue<'jobs-read-log'>;

/** A terminal, as far as a log needs one. Rows count from the first that it still has. */
export interface Screen {
  readonly clear: () => void;
  /** Resolves once it is laid out. */
  readonly write: (bytes: Uint8Array) => Promise<void>;
  /** The row that is written next. */
  readonly row: () => number;
  readonly showRow: (row: number) => void;
  /** The row becomes the last one in sight. */
  readonly showRowLast: (row: number) => void;
  readonly showEnd: () => void;
}

/** What of the log is on the screen. Bytes. */
export interface LogState {
  readonly from: number;
  readonly to: number;
  /** Of the file when it was last read; null before the first answer. */
  readonly size: number | null;
  /** What is added is shown, and the end kept in sight. */
  readonly follows: boolean;
}

export const NO_LOG: LogState = { from: 0, to: 0, size: null, follows: true };

/** A log of any size is shown through a window of at most this many bytes and lines; twice that while it grows. */
export const WINDOW_BYTES = 262_144;
export const WINDOW_LINES = 5_000;

export interface LogWindowOptions {
  readonly read: (offset: number, maxBytes: number) => Promise<LogChunk>;
  readonly screen: Screen;
  readonly onChange: (state: LogState) => void;
  readonly onError: (error: unknown) => void;
}

/** A window on a log. One thing at a time: what is asked for meanwhile follows. */
export interface LogWindow {
  /** Looks at the end of the file; shows what was added where that is wanted. */
  readonly look: () => Promise<void>;
  readonly toEnd: () => Promise<void>;
  readonly toStart: () => Promise<void>;
  /** Shows what stands before, keeping the first line where it is; nothing at the beginning of the file. */
  readonly earlier: () => Promise<void>;
  readonly later: () => Promise<void>;
  /** Shows the line that begins at a byte; resolves with its row, or null when that failed. */
  readonly toLine: (offset: number) => Promise<number | null>;
  /** The user looked away from the end, or came back to it. */
  readonly follow: (follows: boolean) => void;
  readonly isBusy: () => boolean;
  readonly close: () => void;
}

const NEWLINE = 10;

export function openLogWindow({ read, screen, onChange, onError }: LogWindowOptions): LogWindow {
  let state = NO_LOG;
  let lines = 0;
  let closed = false;
  const isClosed = () => closed;
  let busy = 0;
  let queue: Promise<unknown> = Promise.resolve();

  const change = (more: Partial<LogState>) => {
    state = { ...state, ...more };
    if (!closed) onChange(state);
  };
  /** What a window that is gone could not do is no news. */
  const next = <T>(body: () => Promise<T>): Promise<T | null> => {
    const run = async (): Promise<T | null> => {
      if (isClosed()) return null;
      busy += 1;
      try {
        return await body();
      } catch (error) {
        if (!isClosed()) onError(error);
        return null;
      } finally {
        busy -= 1;
      }
    };
    const result = queue.then(run);
    queue = result;
    return result;
  };

  const loadEnd = async (): Promise<void> => {
    const { size } = await read(0, 1);
    const begin = Math.max(0, size - WINDOW_BYTES);
    const chunk = await read(begin, WINDOW_BYTES);
    if (closed) return;
    const bytes = lastLines(chunk.bytes, begin === 0 ? 0 : afterBreak(chunk.bytes), WINDOW_LINES);
    screen.clear();
    await screen.write(bytes);
    lines = countLines(bytes);
    const to = chunk.offset + chunk.bytes.length;
    change({ from: to - bytes.length, to, size: chunk.size, follows: true });
    screen.showEnd();
  };

  /** Puts a byte into the middle of the window; answers with its row. */
  const loadAround = async (at: number): Promise<number> => {
    const begin = Math.max(0, at - WINDOW_BYTES / 2);
    const chunk = await read(begin, WINDOW_BYTES);
    const middle = Math.min(chunk.bytes.length, at - begin);
    const head = chunk.bytes.subarray(0, middle);
    const before = lastLines(head, begin === 0 ? 0 : afterBreak(head), WINDOW_LINES / 2);
    const rest = chunk.bytes.subarray(middle);
    const isEnd = begin + chunk.bytes.length >= chunk.size;
    const after = firstLines(isEnd ? rest : wholeLines(rest), WINDOW_LINES / 2);
    if (closed) return 0;
    screen.clear();
    await screen.write(before);
    const row = screen.row();
    await screen.write(after);
    lines = countLines(before) + countLines(after);
    const to = begin + middle + after.length;
    change({ from: begin + middle - before.length, to, size: chunk.size, follows: false });
    return row;
  };

  const look = async (): Promise<void> => {
    if (state.size === null) return loadEnd();
    if (state.to < state.size) {
      const { size } = await read(0, 1);
      if (state.follows || size < state.to) return loadEnd();
      if (size !== state.size) change({ size });
      return;
    }
    const chunk = await read(state.to, WINDOW_BYTES);
    if (closed) return;
    if (chunk.size < state.to) return loadEnd();
    if (chunk.bytes.length === 0) return;
    const isFull =
      state.to - state.from + chunk.bytes.length > 2 * WINDOW_BYTES ||
      lines + countLines(chunk.bytes) > 2 * WINDOW_LINES;
    const isBehind = state.to + chunk.bytes.length < chunk.size;
    if (state.follows && (isFull || isBehind)) return loadEnd();
    if (isFull) {
      change({ size: chunk.size });
      return;
    }
    await screen.write(chunk.bytes);
    lines += countLines(chunk.bytes);
    change({ to: chunk.offset + chunk.bytes.length, size: chunk.size });
    if (state.follows) screen.showEnd();
  };

  return {
    look: async () => {
      await next(look);
    },
    toEnd: async () => {
      await next(loadEnd);
    },
    toStart: async () => {
      await next(async () => {
        if (state.from === 0 && state.size !== null) change({ follows: false });
        else await loadAround(0);
        screen.showRow(0);
      });
    },
    earlier: async () => {
      await next(async () => {
        if (state.from > 0) screen.showRow(await loadAround(state.from));
      });
    },
    later: async () => {
      await next(async () => {
        if (state.size === null || state.to >= state.size) return;
        screen.showRowLast(await loadAround(state.to));
      });
    },
    toLine: (offset) =>
      next(async () => {
        const row = await loadAround(offset);
        screen.showRow(Math.max(0, row - 3));
        return row;
      }),
    follow: (follows) => {
      if (follows !== state.follows) change({ follows });
    },
    isBusy: () => busy > 0,
    close: () => {
      closed = true;
    },
  };
}

/** Where the first whole line begins: after a line break, or after a carriage return where one line is all there is; else at 0. */
export function afterBreak(bytes: Uint8Array): number {
  const newline = bytes.indexOf(NEWLINE) + 1;
  return newline > 0 ? newline : bytes.indexOf(13) + 1;
}

/** From `begin` on, at most the last lines. */
export function lastLines(bytes: Uint8Array, begin: number, most: number): Uint8Array {
  let at = bytes.length;
  // A line break at the very end ends the last line.
  if (bytes[at - 1] === NEWLINE) at -= 1;
  for (let count = 0; count < most; count += 1) {
    const before = at <= begin ? -1 : bytes.lastIndexOf(NEWLINE, at - 1);
    if (before < begin) return bytes.subarray(begin);
    at = before;
  }
  return bytes.subarray(at + 1);
}

export function firstLines(bytes: Uint8Array, most: number): Uint8Array {
  let at = 0;
  for (let count = 0; count < most; count += 1) {
    const end = bytes.indexOf(NEWLINE, at);
    if (end < 0) return bytes;
    at = end + 1;
  }
  return bytes.subarray(0, at);
}

/** Without the line that is cut at its end; all of it where it has no whole line. */
function wholeLines(bytes: Uint8Array): Uint8Array {
  const end = bytes.lastIndexOf(NEWLINE) + 1;
  return end === 0 ? bytes : bytes.subarray(0, end);
}

export function countLines(bytes: Uint8Array): number {
  let count = 0;
  for (let at = bytes.indexOf(NEWLINE); at >= 0; at = bytes.indexOf(NEWLINE, at + 1)) count += 1;
  return count;
}
