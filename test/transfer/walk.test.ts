import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openTree } from '../../src/transfer/folder-tree.ts';
import { openSource } from '../../src/transfer/source-file.ts';
import { walkFolder, type Walk, type WalkOptions } from '../../src/transfer/walk.ts';

const LEVELS = 25;
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'trainyard-walk-'));
  for (let level = 0; level < LEVELS; level += 1) {
    const at = join(folder, `level-${String(level).padStart(2, '0')}`);
    await mkdir(at);
    await writeFile(join(at, 'file'), String(level));
    if (level + 1 === LEVELS) continue;
    for (const name of ['one', 'two'])
      await symlink(`../level-${String(level + 1).padStart(2, '0')}`, join(at, name));
  }
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function walkOf(path: string, options?: WalkOptions): Promise<Walk> {
  const tree = await openTree(path);
  try {
    return await walkFolder(tree, options);
  } finally {
    await tree.close();
  }
}

describe('a walk', () => {
  it('comes to an end where links lead to one folder by millions of ways, and says what it left out', async () => {
    const walk = await walkOf(folder, { mostRepeated: 500 });
    const paths = new Set(walk.files.map(({ relativePath }) => relativePath));
    // Each real file is there under a name of its own.
    expect(new Set(walk.files.map(({ file }) => file)).size).toBe(LEVELS);
    expect(paths.size).toBe(walk.files.length);
    expect(walk.files.length).toBeLessThan(1_000);
    expect(walk.refused.length).toBeGreaterThan(0);
    expect(walk.refused.length).toBeLessThan(1_000);
    for (const { path, reason } of walk.refused) {
      expect(paths.has(`${path}/file`)).toBe(false);
      expect(reason).toContain('by another way already');
    }
    expect(walk.failed).toEqual([]);
  }, 20_000);

  it('follows links to one folder twice and more within its limit', async () => {
    const shared = join(folder, 'shared');
    await mkdir(join(shared, 'data'), { recursive: true });
    await writeFile(join(shared, 'data', 'x'), '');
    for (const name of ['a', 'b', 'c']) await symlink('data', join(shared, name));
    const walk = await walkOf(shared);
    expect(walk.files.map(({ relativePath }) => relativePath)).toEqual([
      ...['a/x', 'b/x', 'c/x', 'data/x'],
    ]);
    expect(walk.refused).toEqual([]);
  });

  it('takes what links lead to in folders beside the source, and a folder that goes up anyway once', async () => {
    const run = join(folder, 'run');
    const source = join(run, 'output');
    for (const name of ['output/wandb/run-1/files', 'code/logs', 'private', 'output/left/below'])
      await mkdir(join(run, name), { recursive: true });
    for (const name of ['output/wandb/run-1/log', 'code/model', 'code/logs/x', 'private/key'])
      await writeFile(join(run, name), name);
    await writeFile(join(source, 'left/below/y'), '');
    const links: readonly (readonly [string, string])[] = [
      ['wandb/debug.log', 'run-1/log'],
      ['wandb/latest-run', 'run-1'],
      ['wandb/run-1/files/model', join(run, 'code/model')],
      ['logs', '../code/logs'],
      ['logs-again', '../code/logs'],
      ['of-left', 'left/below'],
      ['secret', '../private/key'],
      ['loop', '.'],
      ['self', 'self'],
      ['skipped-link', '/etc/hostname'],
      ['skipped-nothing', 'nothing'],
    ];
    for (const [name, target] of links) await symlink(target, join(source, name));
    const opened = await openSource(source, undefined, {
      alsoInside: [source, join(run, 'code'), join(run, 'not there')],
      foldersOnce: true,
    });
    const walk = await walkFolder(opened.tree, {
      ...opened.links,
      exclude: (name) => name === 'left' || name.startsWith('skipped-'),
    });
    await opened.close();
    expect(walk.files.map(({ relativePath }) => relativePath)).toEqual([
      'logs/x',
      // What it leads to would not go up by itself.
      'of-left/y',
      'wandb/debug.log',
      'wandb/run-1/files/model',
      'wandb/run-1/log',
    ]);
    expect(walk.sameFolders).toEqual([
      { path: 'logs-again', target: 'logs' },
      { path: 'wandb/latest-run', target: 'wandb/run-1' },
    ]);
    expect(walk.refused).toEqual([
      { path: 'loop', reason: 'it is a link to a folder that it lies in' },
      { path: 'secret', reason: 'it is a link to something outside the folder' },
      { path: 'self', reason: 'it is a link that leads back to itself' },
    ]);
  });
});
