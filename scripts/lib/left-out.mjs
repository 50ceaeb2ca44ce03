// The tests that `npm test` leaves to TRAINYARD_TEST_LONG=1 (test/long.ts): how many they are, and whether that is still so.
import { longParts, longWindow } from '../../test/long.ts';

const WINDOW_FOLDER = 'test/e2e/';
const sum = (counts) => Object.values(counts).reduce((all, count) => all + count, 0);

/** How many tests of the parts, and of the window, are left out. */
export const leftOut = { parts: sum(longParts), window: sum(longWindow) };

/**
 * What test/long.ts says wrongly of the files that a run of all tests saw, in words.
 *
 * @param {readonly { readonly file: string }[]} tests
 * @returns {readonly string[]}
 */
export function wrongCounts(tests, known = { parts: longParts, window: longWindow }) {
  const found = new Map();
  for (const { file } of tests) found.set(file, (found.get(file) ?? 0) + 1);
  const all = [
    ...Object.entries(known.parts),
    ...Object.entries(known.window).map(([name, count]) => [`${WINDOW_FOLDER}${name}`, count]),
  ];
  return all
    .filter(([file, count]) => found.has(file) && found.get(file) !== count)
    .map(
      ([file, count]) =>
        `${file} holds ${found.get(file)} tests, and test/long.ts says ${count}: write the right number there.`,
    );
}
