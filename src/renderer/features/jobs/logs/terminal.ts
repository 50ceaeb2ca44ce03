import { FitAddon } from '@xterm/addon-fit';
import { Terminal, type ITheme } from '@xterm/xterm';
import { createTerminalFilter } from '../../../../shared/terminal-filter.ts';
import { createLineWriter } from './line-writer.ts';
import type { Screen } from './log-window.ts';

/** Rows that the terminal keeps: more than a window of a log ever has, wrapped lines included. */
const ROWS = 30_000;

const LIGHT: ITheme = {
  background: '#f8f9fa',
  foreground: '#1f2328',
  cursor: '#f8f9fa',
  cursorAccent: '#f8f9fa',
  selectionBackground: '#b6d4f7',
  selectionInactiveBackground: '#d5e5f7',
  black: '#1f2328',
  red: '#b3261e',
  green: '#176f2c',
  yellow: '#7d5a00',
  blue: '#0b5cad',
  magenta: '#86309b',
  cyan: '#0f6a78',
  white: '#5c636a',
  brightBlack: '#5c636a',
  brightRed: '#b3261e',
  brightGreen: '#176f2c',
  brightYellow: '#7d5a00',
  brightBlue: '#0b5cad',
  brightMagenta: '#86309b',
  brightCyan: '#0f6a78',
  brightWhite: '#1f2328',
};

const DARK: ITheme = {
  background: '#1b1b1b',
  foreground: '#d4d4d4',
  cursor: '#1b1b1b',
  cursorAccent: '#1b1b1b',
  selectionBackground: '#2f5580',
  selectionInactiveBackground: '#2b4058',
  black: '#8a8a8a',
  red: '#ff8b80',
  green: '#7bd88f',
  yellow: '#e3c26b',
  blue: '#7ab4f5',
  magenta: '#d79be8',
  cyan: '#74d0dd',
  white: '#d4d4d4',
  brightBlack: '#a9a9a9',
  brightRed: '#ff8b80',
  brightGreen: '#7bd88f',
  brightYellow: '#e3c26b',
  brightBlue: '#7ab4f5',
  brightMagenta: '#d79be8',
  brightCyan: '#74d0dd',
  brightWhite: '#ffffff',
};

export interface LogTerminal {
  readonly screen: Screen;
  readonly terminal: Terminal;
  readonly setDark: (dark: boolean) => void;
  /** What is selected, else everything that the terminal has. */
  readonly text: () => string;
  /** Selects a text in the rows from `row` on, whatever its case. */
  readonly select: (text: string, row: number) => void;
  readonly dispose: () => void;
}

/** A terminal that only shows. It fills its element, also when that changes its size. */
export function openTerminal(element: HTMLElement, label: string, dark: boolean): LogTerminal {
  const terminal = new Terminal({
    convertEol: true,
    disableStdin: true,
    cursorStyle: 'bar',
    cursorInactiveStyle: 'none',
    fontFamily: 'ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace',
    fontSize: 12,
    lineHeight: 1.25,
    scrollback: ROWS,
    minimumContrastRatio: 4.5,
    theme: dark ? DARK : LIGHT,
  });
  const fit = new FitAddon();
  terminal.loadAddon(fit);
  terminal.open(element);
  terminal.textarea?.setAttribute('aria-label', label);
  terminal.textarea?.setAttribute('readonly', '');
  // A log is read: it must not ask what is behind it, move windows or ring.
  for (const final of ['c', 'n', 't', 'p', 'q'])
    terminal.parser.registerCsiHandler({ final }, () => true);
  const watcher = new ResizeObserver(() => {
    if (element.clientWidth > 0 && element.clientHeight > 0) fit.fit();
  });
  watcher.observe(element);
  fit.fit();

  const buffer = () => terminal.buffer.active;
  const filter = createTerminalFilter('bounded');
  const writer = createLineWriter(terminal);
  const screen: Screen = {
    clear: () => {
      filter.reset();
      writer.reset();
      terminal.reset();
    },
    write: (bytes) => writer.write(filter.pass(bytes)),
    row: () => buffer().baseY + buffer().cursorY,
    showRow: (row) => terminal.scrollToLine(row),
    showRowLast: (row) => terminal.scrollToLine(Math.max(0, row - terminal.rows)),
    showEnd: () => terminal.scrollToBottom(),
  };
  return {
    screen,
    terminal,
    setDark: (isDark) => {
      terminal.options.theme = isDark ? DARK : LIGHT;
    },
    text: () => {
      if (terminal.hasSelection()) return terminal.getSelection();
      terminal.selectAll();
      const text = terminal.getSelection();
      terminal.clearSelection();
      return text;
    },
    select: (text, from) => {
      const wanted = text.toLowerCase();
      const end = Math.min(buffer().length, from + 400);
      for (let row = from; row < end; row += 1) {
        const column = buffer().getLine(row)?.translateToString(true).toLowerCase().indexOf(wanted);
        if (column === undefined || column < 0) continue;
        terminal.select(column, row, text.length);
        if (row < buffer().viewportY || row >= buffer().viewportY + terminal.rows)
          terminal.scrollToLine(Math.max(0, row - 3));
        return;
      }
    },
    dispose: () => {
      watcher.disconnect();
      terminal.dispose();
    },
  };
}
