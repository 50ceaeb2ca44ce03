import { describe, expect, it } from 'vitest';
import { createTerminalFilter, type TerminalFilterMode } from '../../src/shared/terminal-filter.ts';
import { fc } from '../support/properties.ts';

const ESC = '\u001b';
const through = (mode: TerminalFilterMode, ...pieces: readonly (string | Uint8Array)[]): string => {
  const filter = createTerminalFilter(mode);
  return Buffer.concat(pieces.map((piece) => filter.pass(Buffer.from(piece)))).toString('utf8');
};

describe('a terminal that is nothing but a log', () => {
  it.each(['b', 'S', 'T', 'L', 'M', 'I', 'Z', '@', 'P', 'X'])(
    'does nothing more often than a screen is large: %s',
    (final) => {
      for (const begin of [`${ESC}[`, '\u009b'])
        for (const digits of ['400000000', '99999999999999999999', '0000000400000000'])
          expect(through('bounded', `a${begin}${digits}${final}b`)).toBe(`a${ESC}[200${final}b`);
      expect(through('bounded', `${ESC}[12${final}`)).toBe(`${ESC}[12${final}`);
    },
  );

  it('has no number that is larger than a screen, in any sequence and place', () => {
    expect(through('bounded', `${ESC}[123456;654321H`)).toBe(`${ESC}[9999;9999H`);
    expect(through('bounded', `${ESC}[?1049;70000h`)).toBe(`${ESC}[?1049;9999h`);
    expect(through('bounded', `${ESC}[9999;9999H`)).toBe(`${ESC}[9999;9999H`);
  });

  it.each([
    ['a line feed between the digits', `${ESC}[40\n0000000b`, `\n${ESC}[200b`],
    ['an escape in its middle', `${ESC}[40${ESC}[70000000b`, `${ESC}[200b`],
    ['two escapes', `${ESC}${ESC}[70000000b`, `${ESC}[200b`],
    ['DEL between the digits', `${ESC}[40\u007f0000000b`, `${ESC}[200b`],
    ['a title before it', `${ESC}]0;x${ESC}[70000000b`, `${ESC}]0;x${ESC}[200b`],
    ['a cancelled one', `${ESC}[70000000\u0018b`, 'b'],
    ['a whole line of digits', `${ESC}[${'9'.repeat(5_000)}b.`, '.'],
  ])('is not led astray by %s', (_what, log, shown) => {
    expect(through('bounded', log)).toBe(shown);
  });

  it('shows everything else as it is: text, colours, progress bars, other alphabets', () => {
    const log = `${ESC}[1;38;2;255;128;0mépoque 第一 🚂 \u00a0${ESC}[0m\r 50%|████| 5/10${ESC}[K${ESC}[A\n${ESC}[38;5;196mx${ESC}(B${ESC}7${ESC}8\b\t`;
    expect(through('bounded', log)).toBe(log);
  });
});

describe('a terminal of the user', () => {
  it.each([
    ['a title', `${ESC}]0;owned\u0007`, ''],
    ['the clipboard', `${ESC}]52;c;cm0gLXJm${ESC}\\`, ''],
    ['a link', `${ESC}]8;;http://evil.example${ESC}\\text${ESC}]8;;${ESC}\\`, 'text'],
    ['a device string', `${ESC}P+q544e${ESC}\\`, ''],
    ['the same in eight bits', '\u009d0;owned\u009c', ''],
    ['a question', `${ESC}[6n${ESC}[c${ESC}[>0q`, ''],
    ['another screen', `${ESC}[?1049h`, ''],
    ['clearing the screen', `${ESC}[2J${ESC}[3J${ESC}c`, ''],
    ['a move to a place', `${ESC}[1;1H`, ''],
    ['bells and shifts', '\u0007\u000e\u000f', ''],
    ['another character set', `${ESC}(0`, ''],
    ['colours', `${ESC}[31mred${ESC}[0m`, `${ESC}[31mred${ESC}[0m`],
    ['a progress bar', `\r 10%${ESC}[K${ESC}[A\n`, `\r 10%${ESC}[K${ESC}[A\n`],
    ['far moves', `${ESC}[4000000A`, `${ESC}[200A`],
  ])('is kept from %s', (_what, log, shown) => {
    expect(through('plain', `a${log}b`)).toBe(`a${shown}b`);
  });
});

it('is the same wherever a log is cut into pieces', () => {
  const parts = fc.constantFrom(
    ...[
      ESC,
      '[',
      ']',
      'P',
      '4',
      '00000000',
      ';',
      'b',
      'S',
      'm',
      '\n',
      '\u009b',
      '\u009d',
      'é',
      '第',
      'x',
      '\u0007',
      '\\',
      '\u0018',
      '?',
      '(',
    ],
  );
  const log = fc.array(parts, { maxLength: 40 }).map((each) => Buffer.from(each.join('')));
  fc.assert(
    fc.property(log, fc.array(fc.nat(80), { maxLength: 6 }), (bytes, cuts) => {
      const at = [0, ...cuts.map((cut) => Math.min(cut, bytes.length)), bytes.length].sort(
        (a, b) => a - b,
      );
      const pieces = at.slice(1).map((end, index) => bytes.subarray(at[index], end));
      for (const mode of ['bounded', 'plain'] as const) {
        const whole = through(mode, bytes);
        expect(through(mode, ...pieces)).toBe(whole);
        const numbers = [...whole.matchAll(/\u001b\[[^a-zA-Z\u001b]*?(\d+)[^\d]*?[bSTLMIZ]/g)];
        for (const [, number] of numbers) expect(Number(number)).toBeLessThanOrEqual(200);
      }
    }),
    { numRuns: 300 },
  );
});
