import { expect, test } from 'vitest';
import {
  crumbsOf,
  openAddress,
  openObject,
  parentOf,
  type Place,
} from '../../src/renderer/features/buckets/place.ts';
import {
  bytesToAsk,
  hexDump,
  imageTypeOf,
  previewOf,
  tableOf,
} from '../../src/renderer/features/buckets/preview-kind.ts';
import { foldCrumbs } from '../../src/renderer/features/buckets/fold-crumbs.ts';
import { isMissingGrant, refusalOf } from '../../src/renderer/features/buckets/refusal-words.ts';
import { withTransfers, wordsOf } from '../../src/renderer/features/buckets/transfer-words.ts';
import { initialStatus, type JobStatus } from '../../src/shared/job-status.ts';
import type { JobView } from '../../src/shared/views.ts';

const placeOf = (text: string): Place => {
  const opened = openAddress(text, null);
  if (!opened.ok) throw new Error(opened.problem.message);
  return opened.place;
};

test('an address becomes a root, and nothing above it leads anywhere', () => {
  expect(placeOf(' gs://a-bucket/x/y ')).toEqual({
    bucket: 'a-bucket',
    root: 'x/y/',
    prefix: 'x/y/',
    maybeObject: 'x/y',
    object: null,
    key: null,
  });
  expect(placeOf('a-bucket')).toMatchObject({ root: '', maybeObject: null });
  expect(openAddress('https://a/b', null).ok).toBe(false);
  const deep = { ...placeOf('gs://a-bucket/x/y/'), prefix: 'x/y/z//' };
  expect(crumbsOf(deep)).toEqual([
    { label: 'a-bucket', prefix: null },
    { label: 'x', prefix: null },
    { label: 'y', prefix: 'x/y/' },
    { label: 'z', prefix: 'x/y/z/' },
    { label: '', prefix: 'x/y/z//' },
  ]);
  expect(parentOf(deep)).toBe('x/y/z/');
  expect(parentOf({ ...deep, prefix: 'x/y/' })).toBeNull();
  expect(parentOf({ ...placeOf('a-bucket'), prefix: 'x/' })).toBe('');
});

test('a link to an object leads to its folder, and goes up as far as the output', () => {
  const linked = (address: string, below: string) => openObject(address, below, 'k');
  expect(linked('gs://a-bucket/r/run/worker-0/a.txt', 'gs://a-bucket/r/run/')).toEqual({
    ok: true,
    place: {
      bucket: 'a-bucket',
      root: 'r/run/',
      prefix: 'r/run/worker-0/',
      maybeObject: null,
      object: 'r/run/worker-0/a.txt',
      key: 'k',
    },
  });
  // What lies beside the output, as its manifest may, is its own root.
  expect(linked('gs://a-bucket/r/x.json', 'gs://a-bucket/r/run/')).toMatchObject({
    place: { root: 'r/', prefix: 'r/' },
  });
  expect(linked('gs://a-bucket/top', 'gs://a-bucket/')).toMatchObject({
    place: { root: '', prefix: '', object: 'top' },
  });
  expect(linked('gs://a-bucket/top', 'nowhere').ok).toBe(false);
});

test('a path without room leaves out its middle, never its end', () => {
  const fold = (widths: readonly number[], room: number) =>
    foldCrumbs(widths, { room, separator: 10, mark: 20 }).from;
  expect(fold([50, 50, 50], 170)).toBe(1);
  expect(fold([50, 50, 50], 169)).toBe(2);
  expect(fold([50, 50, 50, 50, 50], 210)).toBe(3);
  expect(fold([50, 50, 50, 50, 50], 199)).toBe(4);
  // One longer than all the room is cut by the page.
  expect(fold([50, 50, 900], 100)).toBe(2);
  expect(fold([50, 900], 100)).toBe(1);
  expect(fold([50], 10)).toBe(1);
});

test('a refusal says what to do about it in the window', () => {
  expect(isMissingGrant({ code: 'access.get-refused' })).toBe(true);
  expect(isMissingGrant({ code: 'access.key-signature' })).toBe(false);
  const refused = { code: 'access.get-refused', message: 'No.', hint: 'Ask.' } as const;
  expect(refusalOf(refused)).toEqual({
    message: 'No.',
    hint: expect.stringMatching(/choose another key above.* Ask\.$/) as string,
  });
  expect(refusalOf({ ...refused, code: 'network.timeout' })).toEqual({
    message: 'No.',
    hint: 'Ask.',
  });
});

const named = (name: string, contentType: string | null = null) => ({ name, contentType });
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

test('what is shown of an object is decided by its name, its type and its bytes', () => {
  expect(previewOf(named('a'), bytes(''), true)).toEqual({ kind: 'empty' });
  expect(previewOf(named('a.json'), bytes('{"a":[1]}'), true)).toEqual({
    kind: 'text',
    format: 'JSON',
    text: '{\n  "a": [\n    1\n  ]\n}',
  });
  expect(previewOf(named('a.json'), bytes('{"a":'), false)).toMatchObject({ text: '{"a":' });
  expect(previewOf(named('a.json'), bytes('{"a":'), true)).toMatchObject({ format: 'text' });
  // A character torn by the end of the piece is no reason to call it binary.
  expect(previewOf(named('a'), bytes('grün').subarray(0, 3), false)).toMatchObject({ text: 'gr' });
  expect(previewOf(named('a'), bytes('grün').subarray(0, 3), true).kind).toBe('binary');
  expect(previewOf(named('a'), new Uint8Array([0xff, 0xfe, 0x61, 0]), true)).toMatchObject({
    text: 'a',
  });
  expect(previewOf(named('a.txt'), new Uint8Array([65, 0, 65]), true).kind).toBe('binary');
  expect(previewOf(named('A.PNG'), new Uint8Array([1]), true)).toMatchObject({ type: 'image/png' });
  expect(previewOf(named('a.png'), new Uint8Array([137, 80, 255]), false).kind).toBe('binary');
  expect(imageTypeOf(named('x', 'image/jpeg; q=1'))).toBe('image/jpeg');
  expect(imageTypeOf(named('x', 'image/tiff'))).toBeNull();
  const plain = { contentEncoding: null };
  expect(bytesToAsk({ ...named('a.png'), ...plain, size: 1_000_000 })).toBe(1_000_000);
  // Unpacked it is larger, and nobody tells how much.
  const packed = { contentEncoding: 'gzip' };
  expect(bytesToAsk({ ...named('a.svg'), ...packed, size: 1_000 })).toBeGreaterThan(1_000_000);
  expect(bytesToAsk({ ...named('a.png'), ...plain, size: 0 })).toBe(1);
  expect(bytesToAsk({ ...named('a.png'), ...plain, size: 100_000_000 })).toBe(65_536);
  expect(bytesToAsk({ ...named('a.txt'), ...plain, size: 1_000_000 })).toBe(65_536);
});

test('separated values are read with quotes, and a torn last line is left out', () => {
  expect(tableOf('\ufeffa,b\r\n"x, ""y""\nz",2\n\nlast,3', ',', true)).toEqual({
    kind: 'table',
    header: ['a', 'b'],
    rows: [
      ['x, "y"\nz', '2'],
      ['last', '3'],
    ],
    cut: false,
  });
  expect(tableOf('a\tb\n1\t2\n3', '\t', false)).toMatchObject({ rows: [['1', '2']], cut: true });
  const many = tableOf(`${'a,'.repeat(60)}\n`.repeat(500), ',', true);
  expect(many).toMatchObject({ cut: true });
  expect(many.kind === 'table' && [many.header.length, many.rows.length]).toEqual([40, 200]);
  expect(tableOf('', ',', true)).toMatchObject({ header: [], rows: [] });
  expect(hexDump(bytes('hello wörld'))).toBe(
    '0000  68 65 6c 6c 6f 20 77 c3  hello w.\n0008  b6 72 6c 64              .rld',
  );
});

function transfer(state: JobView['state'], more: Partial<JobStatus> = {}): JobView {
  const status = { ...initialStatus(0), state, ...more };
  return {
    id: '20261121-090000-aaaaaa',
    name: 'download-data',
    kind: 'transfer',
    host: 'local',
    createdAt: '',
    state,
    agent: null,
    workers: [],
    runDirectory: '/r',
    output: null,
    status,
  };
}

test('a transfer is told in words, with what can be done about it', () => {
  const progress = {
    bytes: 50,
    bytesTotal: 200,
    objects: 1,
    objectsTotal: 4,
    bytesPerSecond: 10,
    secondsLeft: 15,
  };
  const stages = initialStatus(0).stages.map((stage) =>
    stage.stage === 'staging' ? { ...stage, progress } : stage,
  );
  expect(wordsOf(transfer('staging', { stages }))).toMatchObject({
    state: 'running',
    percent: 25,
    amount: '50 of 200 B, 1 of 4 objects, 10 B/s, 15 s left',
    canPause: true,
    goOn: null,
  });
  expect(wordsOf(transfer('finished', { stages }))).toMatchObject({
    state: 'done',
    percent: 100,
    amount: '200 B, 4 objects',
    canPause: false,
    goOn: null,
  });
  const there = (skipped: number) =>
    wordsOf(transfer('finished', { stages, staged: { objects: 1_204, bytes: 4_096, skipped } }))
      .amount;
  expect(there(0)).toBe('4.00 KiB, 1,204 objects');
  expect(there(1_200)).toBe('4.00 KiB, 1,204 objects, 1,200 of them there already');
  expect(there(1_204)).toBe('4.00 KiB, 1,204 objects, all there already');
  expect(wordsOf(transfer('stopped'))).toMatchObject({ state: 'paused', goOn: 'Resume' });
  expect(wordsOf(transfer('failed'))).toMatchObject({ state: 'failed', goOn: 'Retry' });
  expect(wordsOf(transfer('interrupted'))).toMatchObject({ goOn: 'Resume', canPause: false });
  expect(wordsOf(transfer('uploading', { stopRequested: true }))).toMatchObject({
    state: 'pausing',
    canPause: false,
    goOn: null,
  });
  const accessAwaited = { account: 'a', message: 'm', hint: 'h' };
  expect(wordsOf(transfer('staging', { accessAwaited }))).toMatchObject({
    state: 'waiting',
    goOn: 'Resume',
  });
});

test('only transfers are listed, and an older look never replaces a newer one', () => {
  const newer = transfer('finished', { seq: 9 });
  const older = transfer('staging', { seq: 3 });
  const job: JobView = { ...newer, id: '20261122-090000-aaaaaa', kind: 'training' };
  const later = { ...older, id: '20261123-090000-aaaaaa' };
  expect(withTransfers([newer], [older, job, later])).toEqual([later, newer]);
});
