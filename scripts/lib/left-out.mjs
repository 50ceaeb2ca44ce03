// How many tests `npm test` leaves to TRAINYARD_TEST_LONG=1 (test/long.ts), so that they can be counted as skipped.
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { bundledNode, root } from './root.mjs';

const node = bundledNode() ?? process.execPath;

/** Of `vitest list --json`; null where it is none. */
export function countParts(text) {
  const listed = parse(text);
  return Array.isArray(listed) ? listed.length : null;
}

/** Of `playwright test --list --reporter=json`, which counts what it lists as skipped; null where it is none. */
export function countWindow(text) {
  const skipped = parse(text)?.stats?.skipped;
  return typeof skipped === 'number' ? skipped : null;
}

function parse(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/** Lists, and runs nothing. `folder`: for what the listing writes. */
export async function countLeftOut(folder) {
  const file = join(folder, 'left-out.json');
  await list([
    join(root, 'node_modules/vitest/vitest.mjs'),
    'list',
    '--staticParse=false',
    `--json=${file}`,
  ]);
  const window = await list([
    join(root, 'node_modules/@playwright/test/cli.js'),
    'test',
    '--list',
    '--reporter=json',
  ]);
  return { parts: countParts(readOrEmpty(file)), window: countWindow(window) };
}

const readOrEmpty = (file) => {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
};

function list(args) {
  return new Promise((resolve) => {
    const env = { ...process.env, TRAINYARD_TEST_LEFT_OUT: '1', NODE_ENV: 'test' };
    const child = spawn(node, args, { cwd: root, stdio: ['ignore', 'pipe', 'ignore'], env });
    let text = '';
    child.stdout.setEncoding('utf8').on('data', (piece) => (text += piece));
    child.on('error', () => resolve(''));
    child.on('close', () => resolve(text));
  });
}
