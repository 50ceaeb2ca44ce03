/**
 * The text of a log as a terminal would leave it: a carriage return goes back to the beginning of the line, so that a progress bar is one line
 * and not a thousand. Control sequences are left out, but "erase to the end of the line" is obeyed. Pure.
 */
export interface TerminalText {
  /** Complete lines, the newest last. */
  readonly lines: readonly string[];
  /** The line that is still written. */
  readonly line: string;
  /** Where on it the next character goes. */
  readonly column: number;
  /** The beginning of a control sequence whose end has not come yet. */
  readonly pending: string;
  /** How many lines were dropped because there were too many. */
  readonly dropped: number;
}

export const EMPTY_TEXT: TerminalText = { lines: [], line: '', column: 0, pending: '', dropped: 0 };

/** A line break, a carriage return, a backspace, a control sequence (ECMA-48: CSI, OSC, and the short ones), or another control character. */
const CONTROL =
  /\n|\r|\x08|\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b[ -/]+[0-~]|\x1b[0-Z\\^-~]|[\x00-\x07\x0b\x0c\x0e-\x1a\x1c-\x1f\x7f]/g;
/** The beginning of a control sequence at the very end. */
const UNFINISHED = /\x1b(?:[ -/]*|\[[0-?]*[ -/]*|\][^\x07\x1b]{0,200}\x1b?)?$/;

/** A line longer than this is cut for the screen; the file keeps it whole. */
const MAX_LINE = 20_000;

/** Takes more text. At most `maxLines` complete lines are kept. */
export function feed(text: TerminalText, more: string, maxLines: number): TerminalText {
  const all = text.pending + more;
  const tail = UNFINISHED.exec(all);
  const pending = tail === null ? '' : tail[0];
  const body = tail === null ? all : all.slice(0, tail.index);

  const lines = [...text.lines];
  let { line, column } = text;
  const write = (piece: string) => {
    if (piece === '' || column >= MAX_LINE) return;
    const padded = line.length < column ? line.padEnd(column) : line;
    line = (padded.slice(0, column) + piece + padded.slice(column + piece.length)).slice(
      0,
      MAX_LINE,
    );
    column += piece.length;
  };

  let from = 0;
  for (const match of body.matchAll(CONTROL)) {
    write(body.slice(from, match.index));
    from = match.index + match[0].length;
    switch (match[0]) {
      case '\n':
        lines.push(line);
        line = '';
        column = 0;
        break;
      case '\r':
        column = 0;
        break;
      case '\b':
        column = Math.max(0, column - 1);
        break;
      case '\x1b[K':
      case '\x1b[0K':
        line = line.slice(0, column);
        break;
      case '\x1b[2K':
        line = '';
        break;
      default:
    }
  }
  write(body.slice(from));

  const extra = Math.max(0, lines.length - maxLines);
  return {
    lines: extra > 0 ? lines.slice(extra) : lines,
    line,
    column,
    pending,
    dropped: text.dropped + extra,
  };
}

/** All of it as one text. */
export function allText(text: TerminalText): string {
  return text.line === '' ? text.lines.join('\n') : [...text.lines, text.line].join('\n');
}
