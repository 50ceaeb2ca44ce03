import { useLayoutEffect, useState } from 'react';
import { flushSync } from 'react-dom';

export interface FixedRowsOptions {
  readonly count: number;
  /** The height of every row, of the head that stays above them, pixels. */
  readonly row: number;
  readonly head: number;
  /** Rows to have ready beyond each edge. */
  readonly overscan: number;
}

export interface FixedRows {
  /** The ref of what scrolls. */
  readonly box: (element: HTMLElement | null) => void;
  /** The rows to draw, `last` with them; none where `last` is less. */
  readonly first: number;
  readonly last: number;
  /** Of all rows, pixels. */
  readonly height: number;
  /** How many rows a page is. */
  readonly page: number;
  /** Scrolls no further than it must for the row to be seen whole. */
  readonly scrollTo: (index: number) => void;
}

/** The rows in sight. Rows of one height need no measuring and no memory: a million cost as much as ten. Pure. */
export function rowsInSight(
  { count, row, overscan }: Pick<FixedRowsOptions, 'count' | 'row' | 'overscan'>,
  top: number,
  height: number,
): { readonly first: number; readonly last: number } {
  const end = Math.max(-1, count - 1);
  const first = Math.min(Math.max(0, Math.floor(top / row) - overscan), Math.max(0, end));
  return { first, last: Math.min(end, Math.ceil((top + height) / row) + overscan) };
}

export function useFixedRows({ count, row, head, overscan }: FixedRowsOptions): FixedRows {
  const [box, setBox] = useState<HTMLElement | null>(null);
  const [range, setRange] = useState({ first: 0, last: -1 });
  useLayoutEffect(() => {
    if (box === null) return;
    let known = { first: 0, last: -1 };
    const look = () => {
      const now = rowsInSight({ count, row, overscan }, box.scrollTop, box.clientHeight);
      if (now.first === known.first && now.last === known.last) return;
      known = now;
      setRange(now);
    };
    // In the frame of the scroll, so that no row comes a frame late.
    const onScroll = () => flushSync(look);
    look();
    box.addEventListener('scroll', onScroll, { passive: true });
    const observer = new ResizeObserver(look);
    observer.observe(box);
    return () => {
      box.removeEventListener('scroll', onScroll);
      observer.disconnect();
    };
  }, [box, count, row, overscan]);

  const scrollTo = (index: number): void => {
    if (box === null) return;
    const top = index * row;
    const least = top + row + head - box.clientHeight;
    if (box.scrollTop > top) box.scrollTo({ top });
    else if (box.scrollTop < least) box.scrollTo({ top: least });
  };
  return {
    box: setBox,
    first: range.first,
    // A list that became shorter is drawn once before it is looked at again.
    last: Math.min(range.last, count - 1),
    height: count * row,
    page: Math.max(1, Math.floor(((box?.clientHeight ?? 0) - head) / row) - 1),
    scrollTo,
  };
}
