import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { Linter } from 'eslint';
import { describe, expect, it } from 'vitest';

const FIRST = ['bin/trainyard.mjs', 'scripts/setup.mjs'];
const at = (file: string) => path.resolve(import.meta.dirname, '../..', file);

/**
 * What Node.js 10 would say of a text: its language is that of 2018, as a script, for that is what it takes the text for. Beyond it, it knows
 * `import()`, which is read as a call here.
 */
function mistakesIn(text: string): readonly string[] {
  return new Linter()
    .verify(text.replaceAll(/\bimport\(/g, 'load('), [
      { languageOptions: { ecmaVersion: 2018, sourceType: 'script' } },
    ])
    .map(({ message }) => message);
}

describe('Node.js 10', () => {
  it.each(FIRST)('can read %s, which then says what it needs', (file) => {
    expect(mistakesIn(readFileSync(at(file), 'utf8'))).toEqual([]);
  });

  it.each([
    "import { join } from 'node:path';",
    'await ready;',
    'const name = process.env?.HOME;',
    'const name = given ?? "none";',
    'try { load(); } catch { end(); }',
    'const million = 1_000_000;',
    'const here = import.meta.url;',
    'class Launcher { #version = 1; }',
  ])('could not read %s', (line) => {
    expect(mistakesIn(`${line}\n`)).toHaveLength(1);
  });
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
