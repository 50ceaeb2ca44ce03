import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { countParts, countWindow } from '../../scripts/lib/left-out.mjs';

const root = join(import.meta.dirname, '..', '..');

test('tests that are left out are counted from what their runners list', () => {
  expect(countParts('[{"name":"a","file":"/x"},{"name":"b","file":"/x"}]')).toBe(2);
  expect(countWindow('{"stats":{"expected":0,"skipped":38,"unexpected":0}}')).toBe(38);
  for (const broken of ['', 'no list', '{}']) {
    expect(countParts(broken)).toBeNull();
    expect(countWindow(broken)).toBeNull();
  }
});

test('every test that is left out is there', () => {
  const named = [
    ...readFileSync(join(root, 'test', 'long.ts'), 'utf8').matchAll(/^ {2}'([^']+)',$/gm),
  ].map(([, name = '']) => (name.endsWith('.spec.ts') ? `test/e2e/${name}` : name));
  expect(named.length).toBeGreaterThan(20);
  expect(named.filter((name) => !existsSync(join(root, name)))).toEqual([]);
});
