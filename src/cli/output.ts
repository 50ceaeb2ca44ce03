import { randomUUID } from 'node:crypto';
import { styleText } from 'node:util';
import { createTerminalFilter } from '../shared/terminal-filter.ts';
import { DISTURBS_A_TERMINAL } from '../shared/unseen.ts';
import { printable } from './format.ts';

type Style = 'bold' | 'dim' | 'red' | 'green' | 'yellow' | 'cyan';

/** One stream as far as the command line writes to it. */
export interface Sink {
  readonly isTTY: boolean;
  readonly columns: number;
  /** `done` is called once the text is handed on, or cannot be. */
  write(text: string | Uint8Array, done?: () => void): void;
}

/** Stands for ESC in what {@link Output.paint} made, until it is printed: nothing from outside can know it, so nothing from outside has colours. */
const PAINTED = randomUUID();

/** A text for a terminal: its lines and tabs, and the colours that were painted; whatever else would disturb a terminal is written out. */
const neutral = (text: string): string =>
  text
    .split(/([\n\t])/)
    .map((part) => (part === '\n' || part === '\t' ? part : printable(part)))
    .join('')
    .replaceAll(PAINTED, '\u001b');

/** JSON that shows what it holds: what JSON itself leaves as it is and a terminal does not is escaped. */
const jsonText = (value: unknown): string =>
  JSON.stringify(value, null, 2).replace(DISTURBS_A_TERMINAL, (character) =>
    character === '\n'
      ? character
      : `\\u${(character.codePointAt(0) ?? 0).toString(16).padStart(4, '0')}`,
  );

/**
 * The only way anything is printed. Data goes to stdout (tables for people, one JSON document with `--json`),
 * everything else (progress, notes, problems) to stderr, so that `trainyard ... > file` keeps the data alone.
 */
export interface Output {
  readonly stdout: Sink;
  readonly stderr: Sink;
  /** A line of data for people. */
  line(text?: string): void;
  /** The one document of `--json`. */
  json(value: unknown): void;
  /** Bytes of a log, to stdout: as they are, but on a terminal without what would do more than write and colour lines. Resolves once they are handed on, so that a slow reader fills no memory. */
  bytes(bytes: Uint8Array): Promise<void>;
  /** A line of news for people, to stderr. */
  note(text: string): void;
  /** Like {@link note}, in words of warning. */
  warn(message: string, hint?: string): void;
  /** A line on stderr that the next one replaces, on a terminal; elsewhere what differs, every `LIVE_INTERVAL` ms. */
  live(text: string): void;
  /** Takes the live line away. */
  endLive(): void;
  /** Coloured where the stream is a terminal and NO_COLOR is not set. */
  paint(style: Style, text: string, sink?: Sink): string;
}

/** Milliseconds between the lines of progress where nobody watches a terminal. */
const LIVE_INTERVAL = 10_000;

export interface Column {
  readonly title: string;
  readonly align?: 'left' | 'right';
}

export function createOutput(
  stdout: Sink,
  stderr: Sink,
  env: Readonly<Record<string, string | undefined>>,
): Output {
  const logFilter = createTerminalFilter('plain');
  let liveText = '';
  let lastSparse: number | null = null;
  let lastSparseText = '';
  const coloured = (sink: Sink) =>
    sink.isTTY && (env['NO_COLOR'] ?? '') === '' && env['TERM'] !== 'dumb';
  const clearLive = () => {
    if (liveText !== '') stderr.write('\r\u001b[2K');
  };
  /** Writes a whole line and puts the live line back below it. */
  const above = (sink: Sink, text: string) => {
    clearLive();
    sink.write(`${neutral(text)}\n`);
    if (liveText !== '') stderr.write(liveText);
  };
  const output: Output = {
    stdout,
    stderr,
    line: (text = '') => above(stdout, text),
    json: (value) => above(stdout, jsonText(value)),
    bytes: (bytes) => {
      clearLive();
      liveText = '';
      const shown = stdout.isTTY ? logFilter.pass(bytes) : bytes;
      return new Promise((resolve) => stdout.write(shown, resolve));
    },
    note: (text) => above(stderr, text),
    warn: (message, hint = '') => {
      above(stderr, `${output.paint('yellow', 'Note:')} ${message}`);
      if (hint !== '') above(stderr, `  ${hint}`);
    },
    live: (text) => {
      if (stderr.isTTY) {
        clearLive();
        liveText = shorten(printable(text), stderr.columns - 1);
        stderr.write(liveText);
        return;
      }
      const now = Date.now();
      lastSparse ??= now;
      if (text === '' || text === lastSparseText || now - lastSparse < LIVE_INTERVAL) return;
      lastSparse = now;
      lastSparseText = text;
      stderr.write(`${neutral(text)}\n`);
    },
    endLive: () => {
      clearLive();
      liveText = '';
      lastSparse = null;
    },
    paint: (style, text, sink = stderr) =>
      coloured(sink)
        ? styleText(style, text, { validateStream: false }).replaceAll('\u001b[', `${PAINTED}[`)
        : text,
  };
  return output;
}

function shorten(text: string, width: number): string {
  return width > 1 && text.length > width ? `${text.slice(0, width - 1)}…` : text;
}

/** Lines of a table, columns aligned, two spaces between them. Cells are made safe for a terminal. */
export function table(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
  paintTitle: (text: string) => string = (text) => text,
): readonly string[] {
  const cells = rows.map((row) => row.map(printable));
  const widths = columns.map((column, index) =>
    Math.max(column.title.length, ...cells.map((row) => row[index]?.length ?? 0)),
  );
  const lay = (row: readonly string[]) =>
    columns
      .map((column, index) => {
        const cell = row[index] ?? '';
        const width = widths[index] ?? 0;
        if (column.align === 'right') return cell.padStart(width);
        return index === columns.length - 1 ? cell : cell.padEnd(width);
      })
      .join('  ')
      .trimEnd();
  return [paintTitle(lay(columns.map((column) => column.title))), ...cells.map(lay)];
}
