import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { ROOT } from '../support/programs.ts';

/** The window as it is built, against the library: what its scripts may put on an element is what its style sheets have to know. */
const ASSETS = join(ROOT, 'out/renderer/assets');
const built = (ending: string): string =>
  readdirSync(ASSETS)
    .filter((name) => name.endsWith(ending))
    .map((name) => readFileSync(join(ASSETS, name), 'utf8'))
    .join('\n');
/** The library's class names in a text, in the order of their first use. */
const classesIn = (text: string): readonly string[] => [
  ...new Set(text.match(/\bm_[0-9a-f]{5,8}\b/g)),
];

const used = classesIn(built('.js'));
const styled = classesIn(built('.css'));
const library = classesIn(
  readFileSync(join(ROOT, 'node_modules/@mantine/core/styles.css'), 'utf8'),
);

test('every component of the library that the window uses has its style sheet', () => {
  expect(used.length).toBeGreaterThan(100);
  expect(used.filter((name) => library.includes(name) && !styled.includes(name))).toEqual([]);
});

test('components that the window does not use have none: half of the library is left out', () => {
  expect(styled.length).toBeLessThan(library.length / 2);
});

test('the sheets stand in the order of the library, where later rules win', () => {
  expect(styled).toEqual(library.filter((name) => styled.includes(name)));
});
