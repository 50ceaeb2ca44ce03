import xterm from '@xterm/xterm';
import { expect, it } from 'vitest';
import { createLineWriter } from '../../src/renderer/features/jobs/logs/line-writer.ts';

const COLUMNS = 20;

async function shown(...chunks: readonly string[]): Promise<readonly string[]> {
  const terminal = new xterm.Terminal({
    cols: COLUMNS,
    rows: 8,
    convertEol: true,
    scrollback: 100,
  });
  const writer = createLineWriter(terminal);
  for (const chunk of chunks) await writer.write(Buffer.from(chunk));
  const { active } = terminal.buffer;
  const rows = Array.from(
    { length: active.length },
    (_, row) => active.getLine(row)?.translateToString(true) ?? '',
  );
  terminal.dispose();
  const last = rows.findLastIndex((row) => row !== '');
  return rows.slice(0, last + 1);
}

const bar = (percent: number) => `${String(percent).padStart(3)}%|${'#'.repeat(29)}| it/s`;

it('shows a progress bar that is wider than the panel once, at its last state', async () => {
  const updates = Array.from({ length: 50 }, (_, index) => `\r${bar(index * 2)}`);
  const last = [bar(98).slice(0, COLUMNS), bar(98).slice(COLUMNS)];
  expect(await shown('begin\n', updates.join(''))).toEqual(['begin', ...last]);
  expect(await shown('begin\n', ...updates)).toEqual(['begin', ...last]);
  // Cut anywhere, as files are read.
  const bytes = ['begin\n', ...updates, '\nend\n'].join('').match(/[^]{1,7}/g) ?? [];
  expect(await shown(...bytes)).toEqual(['begin', ...last, 'end']);
});

it('does so where the return stands at the end, with colours, tabs and wide characters', async () => {
  const update = (percent: number) => `\x1b[32m${bar(percent)}\x1b[0m\r`;
  expect(await shown(update(1), update(2))).toEqual([
    bar(2).slice(0, COLUMNS),
    bar(2).slice(COLUMNS),
  ]);
  expect(await shown('a\tb\tc\tdd\r', '1\t2\t3\t44')).toHaveLength(2);
  expect(await shown('長い長い長い長い長い長い\r', '短い')).toEqual(['短い']);
});

it('leaves the rest of a narrow line where it is, as terminals do, and lines that end with a return and a newline', async () => {
  expect(await shown('abcdef\rXY\n')).toEqual(['XYcdef']);
  const long = 'x'.repeat(COLUMNS + 5);
  expect(await shown(`${long}\r\n`, `${long}\r`, '\nend')).toEqual([
    'x'.repeat(COLUMNS),
    'xxxxx',
    'x'.repeat(COLUMNS),
    'xxxxx',
    'end',
  ]);
  expect(await shown('\r'.repeat(100), 'here')).toEqual(['here']);
});

it('keeps the lines above where the wide line fills the panel', async () => {
  const wide = (letter: string) => letter.repeat(COLUMNS * 12);
  const rows = await shown('above\n', wide('a'), `\r${wide('b')}`);
  expect(rows[0]).toBe('above');
  expect(rows.slice(-8)).toEqual(Array.from({ length: 8 }, () => 'b'.repeat(COLUMNS)));
});
