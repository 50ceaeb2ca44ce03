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
  /** What is among the entries and no object, in words. */
  readonly odd: () => readonly string[];
  /** The table shows these lines: what is missing is asked for, and the next page when the end is near. */
  readonly show: (first: number, last: number) => void;
  readonly state: () => ListingState;
  /** Asks again for what failed. */
  readonly again: () => void;
  /** Takes back what is being asked; it counts as failed. */
  readonly stop: () => void;
  /** Nobody looks any more: what is being asked is taken back, and is no failure. */
  readonly leave: () => void;
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
  /** Of a question under way whose first attempts had no answer; null otherwise. */
  readonly retried: Retried | null;
}

/** A question had no answer yet and is asked again. */
export interface Retried {
  /** Attempts without an answer. */
  readonly failed: number;
  /** Why the last of them had none. */
  readonly message: string;
}

export interface PageRequest {
  readonly token: string | null;
  readonly signal: AbortSignal;
  readonly onRetry: (news: Retried) => void;
}

export interface ListingOptions {
  readonly prefix: string;
  readonly fetchPage: (request: PageRequest) => Promise<BucketPage>;
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
/** Why a question was taken back that nobody waits for. */
const LEFT = 'left';

export function openListing(options: ListingOptions): Listing {
  const { prefix, fetchPage, maxPages = 30, maxRows = 1_150_000 } = options;
  const pages: Page[] = [];
  const listeners = new Set<() => void>();
  const odd: string[] = [];
  let nextToken: string | null | undefined = null;
  let visible = { first: 0, last: 0 };
  let loadingNext = false;
  let loadingAgain = 0;
  let error: unknown = null;
  let retried: Retried | null = null;
  let asking = new AbortController();
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

  const ask = (token: string | null, { signal }: AbortController): Promise<BucketPage> =>
    fetchPage({
      token,
      signal,
      onRetry: (news) => {
        retried = news;
        changed();
      },
    });
  /** Whether somebody waits for the answer to a question. */
  const isWanted = ({ signal }: AbortController): boolean =>
    !signal.aborted || (signal.reason === LEFT && listeners.size > 0);

  const loadNext = async (token: string | null): Promise<void> => {
    const mine = asking;
    loadingNext = true;
    changed();
    try {
      const page = await ask(token, mine);
      const rows = rowsOf(page, prefix);
      pages.push({ token, first: count(), count: rows.length, rows, loading: false });
      odd.push(...(page.odd ?? []));
      nextToken = page.nextPageToken ?? undefined;
      error = null;
      forget();
    } catch (thrown) {
      if (mine.signal.reason !== LEFT) error = thrown;
    } finally {
      loadingNext = false;
      retried = null;
      changed();
    }
    if (error === null && isWanted(mine)) show(visible.first, visible.last);
  };

  const loadAgain = async (page: Page): Promise<void> => {
    const mine = asking;
    page.loading = true;
    loadingAgain += 1;
    try {
      // Where the folder changed meanwhile the lines may be others, but the table stays as long as it was.
      page.rows = rowsOf(await ask(page.token, mine), prefix).slice(0, page.count);
      forget();
    } catch (thrown) {
      if (mine.signal.reason !== LEFT) error = thrown;
    } finally {
      retried = null;
      page.loading = false;
      loadingAgain -= 1;
      changed();
    }
    // By now the eye may be elsewhere.
    if (error === null && isWanted(mine)) show(visible.first, visible.last);
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

  const takeBack = (reason?: string): void => {
    const mine = asking;
    asking = new AbortController();
    mine.abort(reason);
  };

  return {
    count,
    rowAt(index) {
      const page = pages[pageOf(index)];
      return page?.rows?.[index - page.first] ?? null;
    },
    odd: () => odd,
    held: () => pages.flatMap(({ rows }) => rows ?? []),
    show,
    state: () => ({
      loading: loadingNext,
      complete: nextToken === undefined,
      full: nextToken !== undefined && count() >= maxRows,
      error,
      retried,
    }),
    again() {
      error = null;
      changed();
      show(visible.first, visible.last);
    },
    stop: () => takeBack(),
    leave: () => takeBack(LEFT),
    subscribe(listener) {
      listeners.add(listener);
      return () => {
        listeners.delete(listener);
      };
    },
    version: () => version,
  };
}
