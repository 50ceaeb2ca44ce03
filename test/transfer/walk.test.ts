import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openTree } from '../../src/transfer/folder-tree.ts';
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
});
