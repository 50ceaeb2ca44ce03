import { expect, it } from 'vitest';
import {
  followLog,
  MAX_LINES,
  TAIL_BYTES,
  type LogView,
} from '../../src/renderer/features/jobs/logs/follow-log.ts';
import { allText } from '../../src/renderer/features/jobs/logs/terminal-text.ts';

/** A growing file, read in small pieces, and what a reader saw of it. */
async function follow(file: { bytes: Buffer; fails?: number }, mostBytes = 7) {
  const abort = new AbortController();
  let view = null as LogView | null;
  const errors: unknown[] = [];
  const reads: number[] = [];
  const ended = followLog({
    read: async (offset, maxBytes) => {
      if ((file.fails ?? 0) > 0) {
        file.fails = (file.fails ?? 0) - 1;
        throw new Error('not now');
      }
      reads.push(offset);
      const bytes = file.bytes.subarray(offset, offset + Math.min(maxBytes, mostBytes));
      return { bytes: Uint8Array.from(bytes), offset, size: file.bytes.length };
    },
    pause: () => 2,
    onChange: (next) => (view = next),
    onError: (error) => errors.push(error),
    signal: abort.signal,
  });
  const text = () => (view === null ? null : allText(view.text));
  return {
    text,
    view: () => view,
    errors,
    reads,
    stop: async () => {
      abort.abort();
      await ended;
    },
  };
}

it('reads what is there and what is added, also where a cut goes through a character', async () => {
  const file = { bytes: Buffer.from('größe ✓ 🚂\n') };
  const log = await follow(file, 1);
  await expect.poll(log.text).toBe('größe ✓ 🚂');
  file.bytes = Buffer.concat([file.bytes, Buffer.from('mehr ✓')]);
  await expect.poll(log.text).toBe('größe ✓ 🚂\nmehr ✓');
  await log.stop();
  const after = log.reads.length;
  await new Promise((resolve) => setTimeout(resolve, 20));
  expect(log.reads.length).toBe(after);
});

it('begins at the tail of a long file, at the beginning of a line', async () => {
  const lines = Array.from({ length: 20_000 }, (_, index) => `line ${index} of the log`);
  const file = { bytes: Buffer.from(`${lines.join('\n')}\n`) };
  const log = await follow(file, TAIL_BYTES);
  await expect.poll(() => log.text()?.endsWith('line 19999 of the log')).toBe(true);
  expect(log.text()?.startsWith('line ')).toBe(true);
  expect(log.view()?.skipped).toBe(file.bytes.length - TAIL_BYTES);
  expect(log.view()?.text.lines.length).toBeLessThanOrEqual(MAX_LINES);
  await log.stop();
});

it('tells a failed read and goes on where it was', async () => {
  const file = { bytes: Buffer.from('one\n'), fails: 0 };
  const log = await follow(file);
  await expect.poll(log.text).toBe('one');
  file.fails = 2;
  await expect.poll(() => log.errors.length).toBe(2);
  file.bytes = Buffer.from('one\ntwo\n');
  await expect.poll(log.text).toBe('one\ntwo');
  await log.stop();
});

it('reads a file anew that became shorter', async () => {
  const file = { bytes: Buffer.from('the first attempt\n') };
  const log = await follow(file);
  await expect.poll(log.text).toBe('the first attempt');
  file.bytes = Buffer.from('again\n');
  await expect.poll(log.text).toBe('again');
  await log.stop();
});

it('says that an empty file is empty', async () => {
  const log = await follow({ bytes: Buffer.alloc(0) });
  await expect.poll(() => log.view()?.size).toBe(0);
  expect(log.text()).toBe('');
  await log.stop();
});
