import { expect, test } from 'vitest';
import { formatGcsAddress } from '../../src/shared/address.ts';
import { readAddress, writtenAddressSchema } from '../../src/shared/read-address.ts';

const CONSOLE = 'https://console.cloud.google.com/storage/browser';

test.each([
  ['gs://bucket/data/', 'gs://bucket/data/'],
  ['gs://bucket', 'gs://bucket/'],
  ['gs://bucket/results ', 'gs://bucket/results'],
  ['\u200b\u00a0gs://bucket/results\ufeff\n', 'gs://bucket/results'],
  ['"gs://bucket/my data/"', 'gs://bucket/my data/'],
  ['<gs://bucket/x>', 'gs://bucket/x'],
  ['GS://bucket/Data', 'gs://bucket/Data'],
  ['gcs://bucket/x', 'gs://bucket/x'],
  ['gs:/bucket/x', 'gs://bucket/x'],
  ['gs:\\\\bucket\\data\\x', 'gs://bucket/data/x'],
  [`${CONSOLE}/bucket`, 'gs://bucket/'],
  [`${CONSOLE}/bucket/my%20data/sub;tab=objects?project=p&prefix=`, 'gs://bucket/my data/sub/'],
  [`${CONSOLE}/bucket?prefix=data/`, 'gs://bucket/data/'],
  [
    `${CONSOLE}/_details/bucket/data/a%2Bb.csv;tab=live_object?project=p`,
    'gs://bucket/data/a+b.csv',
  ],
  ['console.cloud.google.com/storage/browser/bucket/data', 'gs://bucket/data/'],
  ['https://storage.googleapis.com/bucket/a%20b.csv', 'gs://bucket/a b.csv'],
  ['https://storage.googleapis.com/bucket/a?X-Goog-Signature=s', 'gs://bucket/a'],
  ['https://bucket.storage.googleapis.com/data/a', 'gs://bucket/data/a'],
  ['https://my.own.bucket.storage.googleapis.com/a', 'gs://my.own.bucket/a'],
  ['https://storage.cloud.google.com/bucket/data/a?authuser=1', 'gs://bucket/data/a'],
  [
    'https://www.googleapis.com/storage/v1/b/bucket/o/data%2Fa%20b?alt=media',
    'gs://bucket/data/a b',
  ],
  ['https://storage.googleapis.com/download/storage/v1/b/bucket/o/data%2Fa', 'gs://bucket/data/a'],
  ['https://storage.googleapis.com/storage/v1/b/bucket/o?prefix=data/', 'gs://bucket/data/'],
  ['http://storage.googleapis.com:80/bucket/x', 'gs://bucket/x'],
  ['projects/_/buckets/bucket/objects/data/', 'gs://bucket/data/'],
])('%j is %s', (written, meant) => {
  for (const use of ['read', 'write'] as const) {
    const read = readAddress(written, use);
    expect(read.ok && formatGcsAddress(read.value.address)).toBe(meant);
    expect(read.ok && read.value.doubt).toBe(null);
  }
});

test.each([
  ['gs://bucket/data/*', 'gs://bucket/data/', null],
  ['gs://bucket/**', 'gs://bucket/', null],
  ['gs://bucket/my%20data', 'gs://bucket/my%20data', 'gs://bucket/my data'],
  ['gs://bucket//data', 'gs://bucket//data', 'gs://bucket/data'],
  ['gs://bucket/a\\b', 'gs://bucket/a\\b', 'gs://bucket/a/b'],
])('%j is %s to read, and no place to write to', (written, meant, doubt) => {
  const read = readAddress(written, 'read');
  expect(read.ok && formatGcsAddress(read.value.address)).toBe(meant);
  expect(read.ok && read.value.doubt).toBe(doubt);
  const write = readAddress(written, 'write');
  expect(write.ok ? '' : write.problem.message).toContain(`Write ${doubt ?? meant}`);
});

test.each([
  ['gs://bucket/x#1700000000000000', 'Write gs://bucket/x if'],
  ['gs://bucket/x?alt=media', 'Write gs://bucket/x if'],
  ['gs://bucket/data/*.csv', 'Write gs://bucket/data/ if'],
  ['gs://bucket/a\u200bb', 'Write gs://bucket/ab if'],
  ['gs:///bucket/x', 'Write gs://bucket/x if'],
  ['gs://Bucket/X', 'Write gs://bucket/X if'],
  ['bucket/x', 'Write gs://bucket/x if'],
  ['https://storage.googleapis.com/bucket/x?generation=1', 'Write gs://bucket/x if'],
  ['s3://bucket/x', 'Amazon S3'],
  [`${CONSOLE}?project=p`, 'names no bucket'],
  ['https://host.example/x?token=secret', 'is a web address'],
  ['https://storage.googleapis.com/bucket/%zz', '% that stands for nothing'],
  ['', 'does not begin with gs://'],
])('%j is refused, with what is meant', (written, words) => {
  const read = readAddress(written);
  const { problem } = read.ok ? { problem: null } : read;
  expect(problem?.code).toBe('input.address');
  expect(problem?.message).toContain(words);
  expect(JSON.stringify(problem)).not.toContain('secret');
});

test('in a job file what was pasted becomes an address', () => {
  const schema = writtenAddressSchema('write');
  expect(schema.parse(' gs://bucket/results ')).toBe('gs://bucket/results');
  expect(schema.parse('gs://bucket')).toBe('gs://bucket');
  expect(schema.parse(`${CONSOLE}/bucket/results`)).toBe('gs://bucket/results/');
  expect(schema.safeParse('gs://bucket//x').success).toBe(false);
});
