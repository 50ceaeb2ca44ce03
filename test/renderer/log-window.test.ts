import { describe, expect, it } from 'vitest';
import {
  afterBreak,
  countLines,
  firstLines,
  lastLines,
  openLogWindow,
  WINDOW_BYTES,
  WINDOW_LINES,
  type LogState,
  type Screen,
} from '../../src/renderer/features/jobs/logs/log-window.ts';

/** A file that may grow, and a screen of plain lines. */
function world(first: string) {
  const file = { bytes: Buffer.from(first), fails: 0, reads: 0 };
  const shown = { text: '', at: 'end' as number | 'end' };
  const screen: Screen = {
    clear: () => {
      shown.text = '';
    },
    write: async (bytes) => {
      shown.text += Buffer.from(bytes).toString('latin1');
    },
    row: () => shown.text.split('\n').length - 1,
    showRow: (row) => (shown.at = row),
    showRowLast: (row) => (shown.at = row),
    showEnd: () => (shown.at = 'end'),
  };
  const states: LogState[] = [];
  const errors: unknown[] = [];
  const window = openLogWindow({
    read: async (offset, maxBytes) => {
      file.reads += 1;
      if (file.fails > 0) {
        file.fails -= 1;
        throw new Error('not now');
      }
      const bytes = Uint8Array.from(file.bytes.subarray(offset, offset + maxBytes));
      return { bytes, offset, size: file.bytes.length };
    },
    screen,
    onChange: (state) => states.push(state),
    onError: (error) => errors.push(error),
  });
  const add = (text: string) => (file.bytes = Buffer.concat([file.bytes, Buffer.from(text)]));
  return { file, shown, window, errors, add, state: () => states.at(-1)! };
}

const line = (index: number) => `line ${String(index).padStart(7, '0')}\n`;
const log = (count: number) => Array.from({ length: count }, (_, index) => line(index)).join('');

describe('a window on a log', () => {
  it('shows a short log whole, and what is added', async () => {
    const { window, shown, add, state } = world('größe ✓\n');
    await window.look();
    add('mehr\n');
    await window.look();
    expect(Buffer.from(shown.text, 'latin1').toString()).toBe('größe ✓\nmehr\n');
    expect(state()).toEqual({ from: 0, to: 17, size: 17, follows: true });
  });

  it('shows the end of a long log from the beginning of a line, within its bounds', async () => {
    const { window, shown, state } = world(log(1_000_000));
    await window.look();
    expect(shown.text.startsWith('line ')).toBe(true);
    expect(shown.text.endsWith(line(999_999))).toBe(true);
    expect(countLines(Buffer.from(shown.text))).toBe(WINDOW_LINES);
    expect(state().to - state().from).toBe(shown.text.length);
    expect(shown.text.length).toBeLessThanOrEqual(WINDOW_BYTES);
  });

  it('goes to the start, and line by line back to the end, with nothing left out', async () => {
    const whole = log(30_000);
    const { window, shown, state } = world(whole);
    await window.look();
    await window.toStart();
    expect(shown.at).toBe(0);
    expect(shown.text.startsWith(line(0))).toBe(true);
    let end = 0;
    for (let step = 0; state().to < whole.length; step += 1) {
      expect(step).toBeLessThan(40);
      expect(state().from).toBeLessThanOrEqual(end);
      expect(shown.text).toBe(whole.slice(state().from, state().to));
      end = state().to;
      await window.later();
    }
    for (let step = 0; state().from > 0; step += 1) {
      expect(step).toBeLessThan(40);
      const top = state().from;
      await window.earlier();
      // The line that was first stays where it is.
      expect(whole.slice(state().from).split('\n')[Number(shown.at)]).toBe(
        whole.slice(top).split('\n')[0],
      );
    }
  });

  it('shows a line by its byte', async () => {
    const whole = log(200_000);
    const { window, shown } = world(whole);
    const row = await window.toLine(whole.indexOf(line(123_456)));
    expect(`${shown.text.split('\n')[row!]}\n`).toBe(line(123_456));
  });

  it('stays bounded while it follows a log that grows fast, and shows its end', async () => {
    const { window, shown, add, state } = world('');
    await window.look();
    for (let burst = 0; burst < 30; burst += 1) {
      add(log(4_000));
      await window.look();
      expect(shown.text.length).toBeLessThanOrEqual(2 * WINDOW_BYTES);
      expect(state()).toMatchObject({ follows: true, to: state().size });
      expect(shown.text.endsWith(line(3_999))).toBe(true);
    }
  });

  it('adds what comes while the user looks back, up to its bounds, and leaves their place', async () => {
    const { window, shown, add, state } = world(log(100));
    await window.look();
    window.follow(false);
    shown.at = 7;
    add('one more\n');
    await window.look();
    expect(shown.text.endsWith('one more\n')).toBe(true);
    for (let burst = 0; burst < 10; burst += 1) {
      add(log(4_000));
      await window.look();
    }
    expect(shown.at).toBe(7);
    expect(state().to).toBeLessThan(state().size!);
    expect(shown.text.length).toBeLessThanOrEqual(2 * WINDOW_BYTES);
    await window.toEnd();
    expect(state()).toMatchObject({ follows: true, to: state().size });
  });

  it('tells a failed read and goes on where it was; reads a file anew that became shorter', async () => {
    const { window, file, shown, errors, add } = world('one\n');
    await window.look();
    file.fails = 2;
    add('two\n');
    await window.look();
    await window.look();
    expect(errors.length).toBe(2);
    await window.look();
    expect(shown.text).toBe('one\ntwo\n');
    file.bytes = Buffer.from('again\n');
    await window.look();
    expect(shown.text).toBe('again\n');
  });

  it('reads nothing once it is closed, and says that an empty file is empty', async () => {
    const { window, file, state } = world('');
    await window.look();
    expect(state().size).toBe(0);
    window.close();
    const { reads } = file;
    await window.look();
    expect(file.reads).toBe(reads);
  });
});

it('cuts at lines', () => {
  const bytes = (text: string) => Buffer.from(text);
  const text = (part: Uint8Array) => Buffer.from(part).toString();
  expect(text(lastLines(bytes('a\nb\nc\n'), 0, 2))).toBe('b\nc\n');
  expect(text(lastLines(bytes('a\nb\nc'), 0, 2))).toBe('b\nc');
  expect(text(lastLines(bytes('a\nb\nc\n'), 2, 9))).toBe('b\nc\n');
  expect(text(lastLines(bytes(''), 0, 2))).toBe('');
  expect(text(lastLines(bytes('\n\n\n'), 0, 2))).toBe('\n\n');
  expect(text(firstLines(bytes('a\nb\nc\n'), 2))).toBe('a\nb\n');
  expect(text(firstLines(bytes('a\nb'), 2))).toBe('a\nb');
  expect(afterBreak(bytes('half\nwhole\n'))).toBe(5);
  expect(afterBreak(bytes('bar 1%\rbar 2%'))).toBe(7);
});
