import { expect, test } from 'vitest';
import {
  openListing,
  type Listing,
  type PageRequest,
} from '../../src/renderer/features/buckets/listing.ts';
import { filterRows, nameOf, rowsOf } from '../../src/renderer/features/buckets/rows.ts';
import type { BucketPage } from '../../src/shared/ipc/buckets.ts';
import type { ObjectInfo } from '../../src/shared/object-info.ts';

const object = (name: string): ObjectInfo => ({
  name,
  size: 1,
  crc32c: '',
  generation: '1',
  updated: '',
  contentType: null,
  contentEncoding: null,
  md5: null,
  componentCount: null,
});

/** A folder of `total` objects in pages of `size`; `asked` holds the number of each page that was asked for. */
function folder(total: number, size: number) {
  const asked: number[] = [];
  const fetchPage = async ({ token }: Pick<PageRequest, 'token'>): Promise<BucketPage> => {
    const page = token === null ? 0 : Number(token);
    asked.push(page);
    const count = Math.min(size, total - page * size);
    return {
      objects: Array.from({ length: count }, (_, index) =>
        object(`p/${String(page * size + index).padStart(7, '0')}`),
      ),
      prefixes: [],
      nextPageToken: (page + 1) * size < total ? String(page + 1) : null,
    };
  };
  return { asked, fetchPage };
}

const settled = () => new Promise((resolve) => setTimeout(resolve, 0));

/** Scrolls to the end of what is known, until there is no more. */
async function toTheEnd(listing: Listing): Promise<void> {
  while (!listing.state().complete && !listing.state().full) {
    const last = Math.max(0, listing.count() - 1);
    listing.show(Math.max(0, last - 30), last);
    await settled();
  }
}

test('the first page comes at once, others only when the table comes near them', async () => {
  const { asked, fetchPage } = folder(10_000, 1_000);
  const listing = openListing({ prefix: 'p/', fetchPage });
  listing.show(0, 0);
  await settled();
  listing.show(0, 40);
  await settled();
  expect(asked).toEqual([0]);
  expect(listing.count()).toBe(1_000);
  expect(listing.rowAt(7)?.label).toBe('0000007');
  listing.show(560, 600);
  await settled();
  expect(asked).toEqual([0, 1]);
  expect(listing.rowAt(1_500)?.label).toBe('0001500');
  expect(listing.state()).toMatchObject({ complete: false, loading: false, error: null });
});

test('of a million objects few pages are held, and a forgotten one comes back when it is shown', async () => {
  const { asked, fetchPage } = folder(1_000_000, 1_000);
  const listing = openListing({ prefix: 'p/', fetchPage, maxPages: 10 });
  await toTheEnd(listing);
  expect(listing.count()).toBe(1_000_000);
  expect(listing.held()).toHaveLength(10_000);
  expect(listing.rowAt(999_999)?.label).toBe('0999999');
  expect(listing.rowAt(500_000)).toBeNull();
  expect(new Set(asked).size).toBe(1_000);
  const before = asked.length;
  listing.show(500_990, 501_020);
  await settled();
  expect(asked.slice(before).sort()).toEqual([500, 501]);
  expect(listing.rowAt(500_990)?.label).toBe('0500990');
  expect(listing.rowAt(501_020)?.label).toBe('0501020');
  expect(listing.held()).toHaveLength(10_000);
});

test('more than a table can hold is said, not shown', async () => {
  const { fetchPage } = folder(5_000, 1_000);
  const listing = openListing({ prefix: 'p/', fetchPage, maxRows: 2_500 });
  await toTheEnd(listing);
  expect(listing.count()).toBe(3_000);
  expect(listing.state()).toMatchObject({ full: true, complete: false });
});

test('a failed page is told, asked no more by itself, and asked again on request', async () => {
  const { fetchPage } = folder(2_000, 1_000);
  let fails = true;
  let asked = 0;
  const listing = openListing({
    prefix: 'p/',
    fetchPage: async ({ token }) => {
      asked += 1;
      if (fails && token !== null) throw new Error('gone');
      return fetchPage({ token });
    },
  });
  let told = 0;
  const end = listing.subscribe(() => (told += 1));
  listing.show(0, 0);
  await settled();
  listing.show(900, 940);
  await settled();
  expect(listing.state().error).toBeInstanceOf(Error);
  listing.show(910, 950);
  await settled();
  expect(asked).toBe(2);
  fails = false;
  listing.again();
  await settled();
  expect(listing.state()).toMatchObject({ error: null, complete: true });
  expect(listing.count()).toBe(2_000);
  expect(told).toBeGreaterThan(2);
  const before = told;
  end();
  listing.again();
  expect(told).toBe(before);
});

test('what is asked can be taken back: called off it is a failure, left behind it is none', async () => {
  const asked: PageRequest[] = [];
  const listing = openListing({
    prefix: 'p/',
    fetchPage: (request) =>
      new Promise((_, reject) => {
        asked.push(request);
        request.signal.addEventListener('abort', () => reject(new Error('cancelled')));
      }),
  });
  listing.show(0, 0);
  asked[0]?.onRetry({ failed: 2, message: 'Nobody answers.' });
  expect(listing.state()).toMatchObject({
    loading: true,
    retried: { failed: 2, message: 'Nobody answers.' },
  });
  listing.stop();
  await settled();
  expect(listing.state()).toMatchObject({
    loading: false,
    retried: null,
    error: new Error('cancelled'),
  });
  listing.again();
  expect(asked).toHaveLength(2);
  listing.leave();
  await settled();
  expect(listing.state()).toMatchObject({ loading: false, error: null });
  expect(asked).toHaveLength(2);
  // Who comes back meanwhile waits for an answer, too.
  listing.show(0, 0);
  listing.leave();
  const end = listing.subscribe(() => undefined);
  await settled();
  expect(asked).toHaveLength(4);
  expect(listing.state()).toMatchObject({ loading: true, error: null });
  end();
});

test('folders and objects stand in the order of the bucket, without the mark of the folder itself', () => {
  const page: BucketPage = {
    objects: [
      object('p/'),
      object('p/a'),
      object('p/b'),
      object('p/\u{10000}'),
      object('p/\uffff'),
    ],
    prefixes: ['p/a/', 'p/aa/'],
    nextPageToken: null,
  };
  const rows = rowsOf(page, 'p/');
  expect(rows.map(nameOf)).toEqual(['p/a', 'p/a/', 'p/aa/', 'p/b', 'p/\uffff', 'p/\u{10000}']);
  expect(filterRows(rows, 'A').map(({ label }) => label)).toEqual(['a', 'a/', 'aa/']);
});
