import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { Script } from 'node:vm';
import { expect, it } from 'vitest';

const FIRST = ['bin/trainyard.mjs', 'scripts/setup.mjs'];
const at = (file: string) => path.resolve(import.meta.dirname, '../..', file);

it.each(FIRST)('%s is a script that Node.js 10 can read', (file) => {
  const text = readFileSync(at(file), 'utf8').replace(/^#!.*/, '');
  // As a script, for that is what Node.js 10 takes it for: static imports and `await` are mistakes there.
  expect(() => new Script(text)).not.toThrow();
  expect(text).not.toMatch(/\?\.|\?\?|catch \{|\d_\d|import\.meta/);
});

it.each(['10.24.1', '12.22.12', '18.20.8'])(
  'on Node.js %s the launcher says so in one sentence',
  (version) => {
    const older = `data:text/javascript,Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '${version}' } })`;
    const { status, stdout, stderr } = spawnSync(
      process.execPath,
      ['--import', older, at('bin/trainyard.mjs'), '--version'],
      { encoding: 'utf8' },
    );
    expect([status, stdout]).toEqual([2, '']);
    expect(stderr).toBe(
      `Trainyard needs Node.js 20 or newer, and this is ${version}: install a newer one, then run the same command again.\n`,
    );
  },
);
