import type { CallValue } from '../../../../shared/ipc.ts';
import { EMPTY_TEXT, feed, type TerminalText } from './terminal-text.ts';

export type LogChunk = CallValue<'jobs-read-log'>;

export interface LogView {
  readonly text: TerminalText;
  /** Bytes of the file before what is shown. */
  readonly skipped: number;
  /** The file's size when it was last read; null before the first answer. */
  readonly size: number | null;
}

export const EMPTY_LOG: LogView = { text: EMPTY_TEXT, skipped: 0, size: null };

/** What is shown at first of a long log: its last bytes. */
export const TAIL_BYTES = 262_144;
export const MAX_LINES = 5_000;

export interface FollowOptions {
  readonly read: (offset: number, maxBytes: number) => Promise<LogChunk>;
  /** Milliseconds until the next look at the end of the file. */
  readonly pause: () => number;
  readonly onChange: (view: LogView) => void;
  readonly onError: (error: unknown) => void;
  readonly signal: AbortSignal;
}

/**
 * Shows the tail of a log and then what is added, by byte offset, until `signal` is aborted. A failed read is told and tried again;
 * it goes on at the byte where it was. A file that became shorter is read anew.
 */
export async function followLog(options: FollowOptions): Promise<void> {
  const { read, pause, onChange, onError, signal } = options;
  const isWanted = () => !signal.aborted;
  let view = EMPTY_LOG;
  let offset: number | null = null;
  let decoder = new TextDecoder();
  let cutsFirstLine = false;

  const look = async (): Promise<boolean> => {
    if (offset === null) {
      const { size } = await read(0, 1);
      offset = Math.max(0, size - TAIL_BYTES);
      cutsFirstLine = offset > 0;
      decoder = new TextDecoder();
      view = { text: EMPTY_TEXT, skipped: offset, size };
    }
    const chunk = await read(offset, TAIL_BYTES);
    if (!isWanted()) return false;
    if (chunk.size < offset) {
      offset = null;
      return true;
    }
    offset = chunk.offset + chunk.bytes.byteLength;
    let more = decoder.decode(chunk.bytes, { stream: true });
    if (cutsFirstLine && more !== '') {
      more = more.slice(more.search(/[\r\n]/) + 1);
      cutsFirstLine = false;
    }
    if (more !== '' || chunk.size !== view.size || view.text === EMPTY_TEXT) {
      view = { ...view, text: feed(view.text, more, MAX_LINES), size: chunk.size };
      onChange(view);
    }
    return offset < chunk.size && chunk.bytes.byteLength > 0;
  };

  while (isWanted()) {
    let moreIsThere = false;
    try {
      moreIsThere = await look();
    } catch (error) {
      // What a reader that is gone could not read is no news.
      if (isWanted()) onError(error);
    }
    if (!moreIsThere) await sleep(pause(), signal);
  }
}

function sleep(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, milliseconds);
    signal.addEventListener('abort', done);
    if (signal.aborted) done();
  });
}
