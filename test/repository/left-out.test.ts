import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
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
  const says = `const { partsSeen, windowSeen } = await import(${JSON.stringify(join(root, 'test/long.ts'))});
    console.log(JSON.stringify([...partsSeen, ...windowSeen.map((name) => 'test/e2e/' + name)]));`;
  const named = JSON.parse(
    execFileSync(process.execPath, ['--input-type=module', '--eval', says], {
      encoding: 'utf8',
      env: { ...process.env, TRAINYARD_TEST_LEFT_OUT: '1' },
    }),
  ) as readonly string[];
  expect(named.length).toBeGreaterThan(20);
  expect(named.filter((name) => !existsSync(join(root, name)))).toEqual([]);
});
