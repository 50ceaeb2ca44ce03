import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { updatesRefused } from '../../src/main/app/update-address.ts';
import { ROOT } from '../support/programs.ts';

it.each([
  ['provider: generic\nurl: https://example.org/trainyard\n', null],
  ["provider: generic\nurl: 'https://example.org/trainyard'\n", null],
  ['provider: github\nowner: someone\n', null],
  ['provider: generic\nurl: http://example.org/trainyard\n', 'refused'],
  ['provider: generic\nurl: "HTTP://example.org/"\n', 'refused'],
  ['provider: generic\nurl: ftp://example.org/\n', 'refused'],
  ['provider: generic\nurl: nonsense\n', 'refused'],
])('newer versions come by https alone: %j', (file, wanted) => {
  expect(updatesRefused(file) === null ? null : 'refused').toBe(wanted);
});

it.each(['http://example.org/trainyard', 'example.org'])('no package is made for %s', (address) => {
  const made = spawnSync(process.execPath, [join(ROOT, 'scripts/package.mjs')], {
    env: { PATH: process.env['PATH'], TRAINYARD_UPDATE_URL: address },
    encoding: 'utf8',
    timeout: 20_000,
  });
  expect(made.status).toBe(2);
  expect(made.stderr).toContain('must be an https address');
});
