import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { allText, EMPTY_TEXT, feed } from '../../src/renderer/features/jobs/logs/terminal-text.ts';

const show = (...pieces: string[]) =>
  allText(pieces.reduce((text, piece) => feed(text, piece, 1_000), EMPTY_TEXT));

describe('the text of a log', () => {
  it('shows plain lines as they are', () => {
    expect(show('a\nb\n\nc')).toBe('a\nb\n\nc');
    expect(show('a\r\nb\r\n')).toBe('a\nb');
    expect(show('name\tvalue\n')).toBe('name\tvalue');
  });

  it('overwrites a line after a carriage return, as a terminal does', () => {
    expect(show('10%\r50%\r100%\n')).toBe('100%');
    expect(show('long text\rshort\n')).toBe('shorttext');
    expect(show('long text\r\x1b[Kshort\n')).toBe('short');
    expect(show('long text\x1b[2K\rshort\n')).toBe('short');
    expect(show('ab\b\bXY\n')).toBe('XY');
  });

  it('leaves colours and other control sequences out', () => {
    expect(show('\x1b[1;31mred\x1b[0m \x1b]0;title\x07plain\x1b(B\x00\x07\n')).toBe('red plain');
    expect(show('\x1b]8;;https://x\x1b\\link\x1b]8;;\x1b\\\n')).toBe('link');
  });

  it('says the same however the text is cut', () => {
    const text =
      'a\x1b[31mred\x1b[0m\r\x1b[Kb\n10%\r20%\x1b]0;t\x07\nlast ü ✓ \x1b[2Kline\b\bXY\n\x1b(Bend';
    const whole = show(text);
    fc.assert(
      fc.property(fc.array(fc.nat(text.length), { maxLength: 12 }), (cuts) => {
        const at = [0, ...cuts.sort((a, b) => a - b), text.length];
        const pieces = at.slice(1).map((end, index) => text.slice(at[index], end));
        expect(show(...pieces)).toBe(whole);
      }),
      { numRuns: 500 },
    );
  });

  it('keeps the last lines and counts the others', () => {
    const many = Array.from({ length: 50 }, (_, index) => `${index}\n`).join('');
    const text = feed(EMPTY_TEXT, many, 10);
    expect(text.lines).toEqual(['40', '41', '42', '43', '44', '45', '46', '47', '48', '49']);
    expect(text.dropped).toBe(40);
  });

  it('cuts a line without an end', () => {
    const text = feed(EMPTY_TEXT, 'x'.repeat(5_000_000), 10);
    expect(text.line.length).toBe(20_000);
  });
});
