import {
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { findInLog } from '../../../src/main/jobs/find-in-log.ts';
import { saveLog } from '../../../src/main/jobs/save-log.ts';
import { fail, ok, problem, type Result } from '../../../src/shared/problem.ts';
import type { LogPiece } from '../../../src/main/jobs/read-log.ts';
import { fc } from '../../support/properties.ts';

const folder = mkdtempSync(join(tmpdir(), 'trainyard-log-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const reader =
  (bytes: Buffer) =>
  async (offset: number, maxBytes: number): Promise<Result<LogPiece>> =>
    ok({ bytes: bytes.subarray(offset, offset + maxBytes), offset, size: bytes.length });

async function find(
  log: string,
  text: string,
  from: number,
  direction: 'next' | 'previous',
  piece: number,
) {
  const found = await findInLog({ read: reader(Buffer.from(log)), text, from, direction, piece });
  return found.ok ? found.value : found.problem.code;
}

const LOG = 'first\nLoss 0.5 größe\nnothing\nloss 0.4\nlast without end, loss';

describe('a search in a log', () => {
  it('finds lines forwards and backwards, whatever the case, across pieces', async () => {
    const at = [
      6,
      Buffer.byteLength(LOG.slice(0, LOG.indexOf('loss 0.4'))),
      Buffer.byteLength(LOG.slice(0, LOG.indexOf('last'))),
    ];
    for (const piece of [24, 32, 1_000]) {
      expect(await find(LOG, 'LOSS', 0, 'next', piece)).toBe(at[0]);
      expect(await find(LOG, 'loss', 7, 'next', piece)).toBe(at[1]);
      expect(await find(LOG, 'loss', at[1]! + 1, 'next', piece)).toBe(at[2]);
      expect(await find(LOG, 'loss', at[2]! + 1, 'next', piece)).toBeNull();
      expect(await find(LOG, 'loss', at[2]!, 'previous', piece)).toBe(at[1]);
      expect(await find(LOG, 'loss', at[1]!, 'previous', piece)).toBe(at[0]);
      expect(await find(LOG, 'loss', at[0]!, 'previous', piece)).toBeNull();
      expect(await find(LOG, 'größe', 0, 'next', piece)).toBe(6);
    }
  });

  it('finds every line that has the text, once, in order, in both directions', async () => {
    const line = fc.stringMatching(/^[abé ]{0,9}$/);
    await fc.assert(
      fc.asyncProperty(
        fc.array(line, { maxLength: 12 }),
        fc.integer({ min: 24, max: 60 }),
        async (lines, piece) => {
          const log = lines.map((text) => `${text}\n`).join('');
          const expected: number[] = [];
          let offset = 0;
          for (const text of lines) {
            if (text.includes('ab')) expected.push(offset);
            offset += Buffer.byteLength(text) + 1;
          }
          const forwards: number[] = [];
          for (let from = 0; ;) {
            const at = await find(log, 'AB', from, 'next', piece);
            if (typeof at !== 'number') break;
            forwards.push(at);
            from = at + 1;
          }
          const backwards: number[] = [];
          for (let from = offset; ;) {
            const at = await find(log, 'ab', from, 'previous', piece);
            if (typeof at !== 'number') break;
            backwards.unshift(at);
            from = at;
          }
          expect(backwards).toEqual(expected);
          expect(forwards).toEqual(expected);
        },
      ),
      { numRuns: 150 },
    );
  });

  it('ends in a log of one endless line', async () => {
    const endless = `${'x'.repeat(500)}needle${'y'.repeat(500)}`;
    expect(await find(endless, 'absent', 0, 'next', 64)).toBeNull();
    expect(await find(endless, 'absent', 1_006, 'previous', 64)).toBeNull();
  });
});

describe('a saved log', () => {
  it('is whole, byte for byte', async () => {
    const bytes = Buffer.from(Array.from({ length: 2_500 }, (_, i) => i % 256));
    const path = join(folder, 'saved.log');
    expect(await saveLog((offset) => reader(bytes)(offset, 700), path)).toEqual(ok());
    expect(readFileSync(path).equals(bytes)).toBe(true);
  });

  it('follows no link that somebody put under its name, nor cuts off what it leads to', async () => {
    const shared = join(folder, 'shared');
    mkdirSync(shared);
    const own = join(folder, 'own');
    writeFileSync(own, 'of the user');
    for (const name of ['a.log', 'a.log.part']) symlinkSync(own, join(shared, name));
    const path = join(shared, 'a.log');
    const bytes = Buffer.from('the log');
    expect(await saveLog((offset) => reader(bytes)(offset, 700), path)).toEqual(ok());
    expect(readFileSync(own, 'utf8')).toBe('of the user');
    expect(lstatSync(path).isFile()).toBe(true);
    expect(readFileSync(path, 'utf8')).toBe('the log');
    expect(readdirSync(shared).sort()).toEqual(['a.log', 'a.log.part']);
    for (const one of [shared, own]) rmSync(one, { recursive: true });
  });

  it('that cannot be read or written leaves nothing and says why', async () => {
    const gone = problem({ code: 'host.file', op: 'read', subject: 'x', message: 'gone' });
    expect(await saveLog(async () => fail(gone), join(folder, 'none.log'))).toEqual(fail(gone));
    const nowhere = await saveLog(reader(Buffer.from('x')) as never, join(folder, 'no', 'x.log'));
    expect(!nowhere.ok && nowhere.problem.message).toContain('ENOENT');
    expect(readdirSync(folder)).toEqual(['saved.log']);
  });
});
