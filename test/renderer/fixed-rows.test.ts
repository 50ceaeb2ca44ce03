import { expect, test } from 'vitest';
import { rowsInSight } from '../../src/renderer/common/use-fixed-rows.ts';

const options = { count: 1_000_000, row: 28, overscan: 12 };

test('of a million rows those in sight are drawn, and a few beyond', () => {
  expect(rowsInSight(options, 0, 560)).toEqual({ first: 0, last: 32 });
  expect(rowsInSight(options, 28 * 500_000 + 10, 560)).toEqual({ first: 499_988, last: 500_033 });
  expect(rowsInSight(options, 28 * 1_000_000, 560)).toEqual({ first: 999_988, last: 999_999 });
});

test('a short list, an empty one, and one that became shorter than it was scrolled', () => {
  expect(rowsInSight({ ...options, count: 3 }, 0, 560)).toEqual({ first: 0, last: 2 });
  expect(rowsInSight({ ...options, count: 0 }, 0, 560)).toEqual({ first: 0, last: -1 });
  expect(rowsInSight({ ...options, count: 5 }, 28_000, 560)).toEqual({ first: 4, last: 4 });
});
