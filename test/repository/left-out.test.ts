import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { wrongCounts } from '../../scripts/lib/left-out.mjs';
import { longParts, longWindow } from '../long.ts';
import { ROOT } from '../support/programs.ts';

test('a number of tests that is not true any more is told, where all tests of the file ran', () => {
  const known = { parts: { 'test/a.test.ts': 2, 'test/b.test.ts': 1 }, window: { 'c.spec.ts': 3 } };
  const ran = (...files: readonly string[]) => files.map((file) => ({ file }));
  expect(wrongCounts(ran('test/a.test.ts', 'test/a.test.ts', 'test/d.test.ts'), known)).toEqual([]);
  expect(wrongCounts(ran('test/a.test.ts', 'test/e2e/c.spec.ts'), known)).toEqual([
    'test/a.test.ts holds 1 tests, and test/long.ts says 2: write the right number there.',
    'test/e2e/c.spec.ts holds 1 tests, and test/long.ts says 3: write the right number there.',
  ]);
});

test('every file that is left out is there', () => {
  const files = [
    ...Object.keys(longParts),
    ...Object.keys(longWindow).map((name) => `test/e2e/${name}`),
  ];
  expect(files.length).toBeGreaterThan(20);
  expect(files.filter((file) => !existsSync(join(ROOT, file)))).toEqual([]);
});
