import type { BucketPage } from '../../../shared/ipc/buckets.ts';
import { rowsOf, type Row } from './rows.ts';

/**
 * What lies directly below a prefix, page by page as the table comes to it. Of a folder of a million objects the pages around the visible
 * part are held; of others only where they begin, so that they can be asked for again. A query cache cannot do that: pages here must be
 * reached at random by row number, and forgotten by their distance from the eye.
 */
export interface Listing {
  /** How many lines are known by now. */
  readonly count: () => number;
  /** Null: forgotten, or not come yet. */
  readonly rowAt: (index: number) => Row | null;
  /** All lines in memory, in order. */
  readonly held: () => readonly Row[];
  /** The table shows these lines: what is missing is asked for, and the next page when the end is near. */
  readonly show: (first: number, last: number) => void;
  readonly state: () => ListingState;
  /** Asks again for what failed. */
  readonly again: () => void;
  readonly subscribe: (listener: () => void) => () => void;
  /** Changes with everything that can be seen. */
  readonly version: () => number;
}

export interface ListingState {
  /** A page is under way. */
  readonly loading: boolean;
  /** The last page has come. */
  readonly complete: boolean;
  /** There are more lines than a table can have. */
  readonly full: boolean;
  /** What the last question threw. */
  readonly error: unknown;
}

export interface ListingOptions {
  readonly prefix: string;
  readonly fetchPage: (token: string | null) => Promise<BucketPage>;
  /** Pages in memory. */
  readonly maxPages?: number;
  /** Lines that a table can have: a page of the browser is at most 33,554,432 pixels high. */
  readonly maxRows?: number;
}

interface Page {
  readonly token: string | null;
  /** The number of its first line. */
  readonly first: number;
  count: number;
  rows: readonly Row[] | null;
  loading: boolean;
}

/** The next page is asked for when so few known lines are left below the visible part. */
const AHEAD = 400;
/** So many forgotten pages are asked for at once: who scrolls far passes most of them. */
const AGAIN_AT_ONCE = 2;

export function openListing(options: ListingOptions): Listing {
  const { prefix, fetchPage, maxPages = 30, maxRows = 1_150_000 } = options;
  const pages: Page[] = [];
  const listeners = new Set<() => void>();
  let nextToken: string | null | undefined = null;
  let visible = { first: 0, last: 0 };
  let loadingNext = false;
  let loadingAgain = 0;
  let error: unknown = null;
  let version = 0;

  const count = (): number => {
    const last = pages.at(-1);
    return last === undefined ? 0 : last.first + last.count;
  };
  const changed = (): void => {
    version += 1;
    for (const listener of listeners) listener();
  };

  /** The page of a line, by halving. */
  const pageOf = (index: number): number => {
    let [low, high] = [0, pages.length - 1];
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((pages[middle]?.first ?? 0) <= index) low = middle;
      else high = middle - 1;
    }
    return low;
  };

  const forget = (): void => {
    const held = pages.flatMap((page, index) => (page.rows === null ? [] : [index]));
    if (held.length <= maxPages) return;
    const eye = pageOf((visible.first + visible.last) >> 1);
    held.sort((a, b) => Math.abs(b - eye) - Math.abs(a - eye));
    for (const index of held.slice(0, held.length - maxPages)) {
      const page = pages[index];
      if (page !== undefined) page.rows = null;
    }
  };

  const loadNext = async (token: string | null): Promise<void> => {
    loadingNext = true;
    changed();
    try {
      const page = await fetchPage(token);
      const rows = rowsOf(page, prefix);
      pages.push({ token, first: count(), count: rows.length, rows, loading: false });
      nextToken = page.nextPageToken ?? undefined;
      error = null;
      forget();
    } catch (thrown) {
      error = thrown;
    } finally {
      loadingNext = false;
      changed();
    }
    if (error === null) show(visible.first, visible.last);
  };

  const loadAgain = async (page: Page): Promise<void> => {
    page.loading = true;
    loadingAgain += 1;
    try {
      // Where the folder changed meanwhile the lines may be others, but the table stays as long as it was.
      page.rows = rowsOf(await fetchPage(page.token), prefix).slice(0, page.count);
      forget();
    } catch (thrown) {
      error = thrown;
    } finally {
      page.loading = false;
      loadingAgain -= 1;
      changed();
    }
    // By now the eye may be elsewhere.
    if (error === null) show(visible.first, visible.last);
  };

  const show = (first: number, last: number): void => {
    visible = { first, last };
    if (error !== null) return;
    if (pages.length > 0)
      for (let index = pageOf(first); index <= pageOf(last); index += 1) {
        const page = pages[index];
        if (page?.rows === null && !page.loading && loadingAgain < AGAIN_AT_ONCE)
          void loadAgain(page);
      }
    if (nextToken !== undefined && !loadingNext && last + AHEAD >= count() && count() < maxRows)
      void loadNext(nextToken);
  };

  return {
    count,
    rowAt(index) {
      const page = pages[pageOf(index)];
      return page?.rows?.[index - page.first] ?? null;
    },
    held: () => pages.flatMap(({ rows }) => rows ?? []),
    show,
    state: () => ({
      loading: loadingNext,
      complete: nextToken === undefined,
      full: nextToken !== undefined && count() >= maxRows,
      error,
    }),
    again() {
      error = null;
      changed();
      show(visible.first, visible.last);
    },
    subscribe(listener) {
      listeners.add(listener);
      return () => {
        listeners.delete(listener);
      };
    },
    version: () => version,
  };
}
