import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parseFields, select } from '../../src/emulator/storage/fields.ts';
import { listPage, type PageMark } from '../../src/emulator/storage/list.ts';
import { compareUtf8 } from '../../src/emulator/state/store.ts';
import { ask, makeBucket, put, type AnswerBody } from './ask.ts';
import { startEmulator, type RunningEmulator } from './start.ts';
import { fc } from '../support/properties.ts';

const B = 'listing-bucket';
// In the order of their UTF-8 bytes, which is not the order of UTF-16 units: U+FF21 comes before U+1F682.
const NAMES = ['a', 'a/', 'a/1', 'a/2', 'a/b/1', 'b', 'data/x', 'data2', 'z/1', 'Ａ', '🚂'];
let emulator: RunningEmulator;
let url: string;

beforeAll(async () => {
  emulator = await startEmulator({ open: true, flags: ['--fill', 'filled-bucket=2500'] });
  url = emulator.url;
  await makeBucket(url, B);
  for (const name of [...NAMES].reverse()) await put(url, B, name, name);
});
afterAll(async () => emulator.stop());

const list = async (query: string) =>
  (await ask(url, 'GET', `/storage/v1/b/${B}/o?${query}`)).json();
const namesOf = (page: AnswerBody) => (page.items ?? []).map((item) => item.name);

describe('listing by curl', () => {
  test('all names, in the order of their bytes', async () => {
    const page = await list('');
    expect(page.kind).toBe('storage#objects');
    expect(namesOf(page)).toEqual(NAMES);
    expect(page.nextPageToken).toBeUndefined();
  });

  test.each([
    ['a/*', ['a/', 'a/1', 'a/2']],
    ['a/**', ['a/', 'a/1', 'a/2', 'a/b/1']],
    ['**/1', ['a/1', 'a/b/1', 'z/1']],
    ['a/**/1', ['a/1', 'a/b/1']],
    ['?', ['a', 'b', 'Ａ', '🚂']],
    ['[ab]', ['a', 'b']],
    ['[!a]', ['b', 'Ａ', '🚂']],
    ['{b,data?}', ['b', 'data2']],
    ['none', []],
  ])('names like the glob %s', async (glob, names) => {
    expect(namesOf(await list(`matchGlob=${encodeURIComponent(glob)}`))).toEqual(names);
  });

  test('a glob that is none is refused', async () => {
    for (const glob of ['[a', '{a', 'a]'])
      expect(
        (await ask(url, 'GET', `/storage/v1/b/${B}/o?matchGlob=${encodeURIComponent(glob)}`))
          .status,
      ).toBe(400);
  });

  test('a bucket that was filled has as many empty objects as were asked for', async () => {
    const names: string[] = [];
    for (let token = ''; ;) {
      const path = `/storage/v1/b/filled-bucket/o?prefix=data%2F&pageToken=${token}`;
      const page = (await ask(url, 'GET', path)).json();
      names.push(...namesOf(page));
      token = page.nextPageToken ?? '';
      if (token === '') break;
    }
    expect(names).toHaveLength(2500);
    expect(names.at(-1)).toBe('data/0002499.bin');
    const content = await ask(
      url,
      'GET',
      '/storage/v1/b/filled-bucket/o/data%2F0000000.bin?alt=media',
    );
    expect([content.status, content.text]).toEqual([200, '']);
  });

  test('prefix and delimiter', async () => {
    expect(namesOf(await list('prefix=a%2F'))).toEqual(['a/', 'a/1', 'a/2', 'a/b/1']);
    const top = await list('delimiter=%2F');
    expect(namesOf(top)).toEqual(['a', 'b', 'data2', 'Ａ', '🚂']);
    expect(top.prefixes).toEqual(['a/', 'data/', 'z/']);
    const below = await list('prefix=a%2F&delimiter=%2F');
    expect([namesOf(below), below.prefixes]).toEqual([['a/', 'a/1', 'a/2'], ['a/b/']]);
    const trailing = await list('delimiter=%2F&includeTrailingDelimiter=true');
    expect(namesOf(trailing)).toEqual(['a', 'a/', 'b', 'data2', 'Ａ', '🚂']);
    expect(await list('prefix=nothing')).toEqual({ kind: 'storage#objects' });
  });

  test('offsets: the start belongs to it, the end does not', async () => {
    expect(namesOf(await list('startOffset=a%2F2&endOffset=data2'))).toEqual([
      'a/2',
      'a/b/1',
      'b',
      'data/x',
    ]);
  });

  test('pages follow each other without gap or repetition', async () => {
    for (const query of ['', 'delimiter=%2F&']) {
      const seen: string[] = [];
      let token = '';
      for (let pages = 0; pages < 20; pages++) {
        const page = await list(`${query}maxResults=2&pageToken=${token}`);
        const things = [...namesOf(page), ...(page.prefixes ?? [])];
        expect(things.length).toBeLessThanOrEqual(2);
        seen.push(...things);
        token = page.nextPageToken ?? '';
        if (token === '') break;
      }
      const whole = await list(query);
      expect(seen.sort(compareUtf8)).toEqual(
        [...namesOf(whole), ...(whole.prefixes ?? [])].sort(compareUtf8),
      );
    }
    expect((await ask(url, 'GET', `/storage/v1/b/${B}/o?maxResults=x`)).status).toBe(400);
  });

  test('fields select, nested and with slashes; a bad selection is a 400', async () => {
    expect(await list('prefix=data&fields=items(name,size)')).toEqual({
      items: [
        { name: 'data/x', size: '6' },
        { name: 'data2', size: '5' },
      ],
    });
    expect(await list('prefix=data2&fields=items/name,nextPageToken,kind')).toEqual({
      kind: 'storage#objects',
      items: [{ name: 'data2' }],
    });
    const page = await list('maxResults=1&fields=nextPageToken');
    expect(Object.keys(page)).toEqual(['nextPageToken']);
    const wrong = await ask(url, 'GET', `/storage/v1/b/${B}/o?fields=items(name`);
    expect(wrong.status).toBe(400);
    expect(wrong.json().error.message).toContain('Invalid field selection');
  });
});

describe('the parts', () => {
  test('any listing, page by page, is the listing at once', () => {
    const name = fc.string({ unit: fc.constantFrom('a', 'b', '/', 'é', '🚂', 'Ａ'), maxLength: 6 });
    fc.assert(
      fc.property(
        fc.uniqueArray(name, { maxLength: 30 }),
        name,
        fc.constantFrom('', '/', 'b'),
        fc.integer({ min: 1, max: 5 }),
        (unsorted, prefix, delimiter, maxResults) => {
          const names = [...unsorted].sort((a, b) => Buffer.from(a).compare(Buffer.from(b)));
          const whole = {
            items: names.filter(
              (each) =>
                each.startsWith(prefix) &&
                (delimiter === '' || !each.slice(prefix.length).includes(delimiter)),
            ),
            prefixes: [
              ...new Set(
                names.flatMap((each) => {
                  const rest = each.slice(prefix.length);
                  const cut = delimiter === '' ? -1 : rest.indexOf(delimiter);
                  return each.startsWith(prefix) && cut >= 0
                    ? [prefix + rest.slice(0, cut + delimiter.length)]
                    : [];
                }),
              ),
            ],
          };
          const items: string[] = [];
          const prefixes: string[] = [];
          let after: PageMark | null = null;
          do {
            const page = listPage(names, {
              prefix,
              delimiter,
              includeTrailingDelimiter: false,
              startOffset: '',
              endOffset: '',
              matches: null,
              maxResults,
              after,
            });
            items.push(...page.items);
            prefixes.push(...page.prefixes);
            after = page.next;
          } while (after !== null);
          expect({ items, prefixes }).toEqual(whole);
        },
      ),
    );
  });

  test('field selections', () => {
    const value = { a: { b: 1, c: { d: 2, e: 3 } }, list: [{ x: 1, y: 2 }, { x: 3 }], z: null };
    const pick = (fields: string) => {
      const selection = parseFields(fields);
      return selection === null ? null : select(value, selection);
    };
    expect(pick('a/c/d')).toEqual({ a: { c: { d: 2 } } });
    expect(pick('a(b,c/e),z')).toEqual({ a: { b: 1, c: { e: 3 } }, z: null });
    expect(pick('a/b,a/c/d')).toEqual({ a: { b: 1, c: { d: 2 } } });
    expect(pick('a/b,a')).toEqual({ a: value.a });
    expect(pick('list/x')).toEqual({ list: [{ x: 1 }, { x: 3 }] });
    expect(pick('*')).toEqual(value);
    expect(pick('*/b')).toEqual({ a: { b: 1 }, list: [{}, {}], z: null });
    expect(pick(' a ( b ) , z ')).toEqual({ a: { b: 1 }, z: null });
    for (const wrong of ['', ',', 'a(', 'a()', 'a)', 'a//b', 'a/', 'a b', '(a)'])
      expect(pick(wrong)).toBeNull();
  });
});
