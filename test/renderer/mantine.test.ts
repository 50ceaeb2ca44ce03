import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const RENDERER = join(import.meta.dirname, '../../src/renderer');
const LIBRARY = join(import.meta.dirname, '../../node_modules/@mantine/core');
const IMPORT = /import \{([^}]*)\} from '@mantine\/core'/g;

const sheetOf = (name: string) => join(LIBRARY, 'styles', `${name}.css`);
const kept = [
  ...readFileSync(join(RENDERER, 'mantine.css'), 'utf8').matchAll(/styles\/(\w[\w-]*)\.css'/g),
].map(([, name]) => name ?? '');

test('every component of the library that the window uses has its style sheet', () => {
  const used = new Set<string>();
  for (const file of readdirSync(RENDERER, { recursive: true, encoding: 'utf8' })) {
    if (!/\.tsx?$/.test(file)) continue;
    const text = readFileSync(join(RENDERER, file), 'utf8');
    for (const [, names = ''] of text.matchAll(IMPORT))
      for (const name of names.split(',')) used.add(name.trim());
  }
  expect(used.has('Button')).toBe(true);
  expect([...used].filter((name) => existsSync(sheetOf(name)) && !kept.includes(name))).toEqual([]);
});

test('the sheets stand in the order of the library, where later rules win', () => {
  const whole = readFileSync(join(LIBRARY, 'styles.css'), 'utf8');
  const places = kept.map((name) => whole.indexOf(readFileSync(sheetOf(name), 'utf8').trim()));
  expect(places).not.toContain(-1);
  expect(places).toEqual(places.toSorted((left, right) => left - right));
});
