import { describe, expect, it } from 'vitest';
import {
  asPrefix,
  formatGcsAddress,
  isBucketName,
  parseGcsAddress,
  utf8Length,
} from '../../src/shared/address.ts';
import { parseEventLine } from '../../src/shared/events.ts';
import { jobSpecSchema } from '../../src/shared/job-spec.ts';
import { exitStatusOf, problem, type ProblemCode } from '../../src/shared/problem.ts';
import { startTimeFromStat } from '../../src/shared/process-identity.ts';
import { problemOf } from '../main/temp.ts';
import { fc } from '../support/properties.ts';

describe('gs:// addresses', () => {
  it.each([
    ['gs://input-data-bucket/data', 'input-data-bucket', 'data'],
    ['gs://b-1/data/', 'b-1', 'data/'],
    ['gs://bucket', 'bucket', ''],
    ['gs://bucket/', 'bucket', ''],
    ['gs://bucket/a b/ü#?.txt', 'bucket', 'a b/ü#?.txt'],
  ])('%s', (text, bucket, path) => {
    expect(parseGcsAddress(text)).toEqual({ ok: true, value: { bucket, path } });
  });

  it.each([
    '',
    'bucket/x',
    's3://bucket/x',
    'gs://',
    'gs:///x',
    'gs://UPPER/x',
    'gs://a/x',
    'gs://1.2.3.4/x',
    'gs://a..b/x',
    'https://storage.googleapis.com/b/o',
    `gs://bucket/${'x'.repeat(1025)}`,
    'gs://bucket/a\nb',
  ])('refuses %j in words', (text) => {
    const { code, message, hint } = problemOf(parseGcsAddress(text));
    expect(code).toBe('input.address');
    expect(message + hint).toMatch(/gs:\/\/|bucket|object/i);
  });

  it('reads back what it writes', () => {
    const bucket = fc.stringMatching(/^[a-z0-9][a-z0-9-]{1,40}[a-z0-9]$/);
    const path = fc
      .string({ unit: 'grapheme', maxLength: 60 })
      .filter((text) => !/[\r\n]/.test(text));
    fc.assert(
      fc.property(bucket, path, (name, rest) => {
        expect(isBucketName(name)).toBe(true);
        expect(parseGcsAddress(formatGcsAddress({ bucket: name, path: rest }))).toEqual({
          ok: true,
          value: { bucket: name, path: rest },
        });
      }),
    );
  });

  it('counts bytes as UTF-8 does', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (text) => {
        expect(utf8Length(text)).toBe(new TextEncoder().encode(text).length);
      }),
    );
  });

  it('makes a prefix end with one slash', () => {
    expect([asPrefix(''), asPrefix('a'), asPrefix('a/')]).toEqual(['', 'a/', 'a/']);
  });
});

describe('event lines', () => {
  it('refuses a later format in words, and skips an unknown kind', () => {
    expect(parseEventLine('{"format":2,"kind":"ended"}')).toMatchObject({
      refused: expect.stringContaining('format 2') as string,
    });
    expect(parseEventLine('{"format":1,"kind":"tomorrow"}')).toEqual({ unknown: 'tomorrow' });
  });

  it('refuses a torn line', () => {
    expect(parseEventLine('{"format":1,"kind":"sta')).toHaveProperty('refused');
    expect(parseEventLine('{"format":1,"seq":1,"time":"t","kind":"stage-started"}')).toHaveProperty(
      'refused',
    );
  });

  it('reads an event', () => {
    const event = { format: 1, seq: 1, time: 't', kind: 'stage-started', stage: 'staging' };
    expect(parseEventLine(JSON.stringify(event))).toEqual({ event });
  });
});

describe('the job file', () => {
  it('has the defaults that the documentation names', () => {
    expect(
      jobSpecSchema.parse({ name: 'n', host: 'local', code: { dir: '.' }, workers: ['true'] }),
    ).toEqual({
      name: 'n',
      kind: 'training',
      host: 'local',
      code: { dir: '.' },
      workers: ['true'],
      resources: { gpus: 0 },
      env: {},
      workerKeys: [],
      unattended: false,
    });
  });
});

describe('exit status', () => {
  it.each([
    ['input.file', 2],
    ['access.denied', 3],
    ['host.gone', 4],
    ['network.unreachable', 4],
    ['storage.exists', 1],
    ['transfer.part', 1],
    ['job.failed', 1],
    ['internal.bug', 1],
  ] satisfies [ProblemCode, number][])('%s is %i', (code, status) => {
    expect(exitStatusOf(problem({ code, op: 'o', subject: 's', message: 'm' }))).toBe(status);
  });
});

describe('the start time of a process', () => {
  it('stands behind a name with parentheses and spaces', () => {
    const rest = Array.from({ length: 30 }, (_, index) => String(index + 100)).join(' ');
    expect(startTimeFromStat(`42 (a) b (c)) S ${rest}`)).toBe('118');
    expect(startTimeFromStat(`42 (x) Z ${rest}`)).toBeNull();
    expect(startTimeFromStat('nonsense')).toBeNull();
  });
});
