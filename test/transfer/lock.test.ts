import { fork } from 'node:child_process';
import { once } from 'node:events';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { isAlive, ownIdentity } from '../../src/transfer/identity.ts';
import { takeLock, type LockHolder } from '../../src/transfer/lock.ts';

const root = mkdtempSync(path.join(tmpdir(), 'trainyard-lock-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

describe('the lock', () => {
  it('is held once, is free after release, and is taken over from the dead', () => {
    const folder = path.join(root, 'lock');
    const holder = (run: string): LockHolder => ({ process: ownIdentity(), run });
    const alive = (other: LockHolder): boolean => isAlive(other.process);
    const first = takeLock(folder, holder('a'), alive);
    if (first.kind !== 'held') throw new Error('busy');
    expect(takeLock(folder, holder('b'), alive)).toMatchObject({ kind: 'busy', by: { run: 'a' } });
    first.lock.release();
    expect(takeLock(folder, holder('b'), alive).kind).toBe('held');
    expect(takeLock(folder, holder('c'), () => false).kind).toBe('held');
    expect(takeLock(folder, holder('d'), alive)).toMatchObject({ kind: 'busy', by: { run: 'c' } });
    expect(readdirSync(folder)).toHaveLength(1);
  });

  it('processes that race for it never hold it together', async () => {
    const folder = path.join(root, 'raced');
    const log = path.join(root, 'raced.log');
    rmSync(log, { force: true });
    const module = path.resolve(import.meta.dirname, '../../src/transfer/lock.ts');
    const identityModule = path.resolve(import.meta.dirname, '../../src/transfer/identity.ts');
    const program = path.join(root, 'racer.ts');
    writeFileSync(
      program,
      `import { takeLock } from ${JSON.stringify(module)};
       import { isAlive, ownIdentity } from ${JSON.stringify(identityModule)};
       import { writeFileSync, rmSync } from 'node:fs';
       const process_ = ownIdentity();
       let busy = 0;
       process.send('ready');
       await new Promise((resolve) => process.once('message', resolve));
       for (let wins = 0; wins < 20;) {
         const answer = takeLock(${JSON.stringify(folder)}, { process: process_, run: 'r' }, (o) => isAlive(o.process));
         if (answer.kind === 'busy') { busy += 1; continue; }
         wins += 1;
         writeFileSync(${JSON.stringify(`${folder}.inside`)}, '', { flag: 'wx' });
         Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
         rmSync(${JSON.stringify(`${folder}.inside`)});
         if (wins % 2) answer.lock.release();
         else answer.lock.remove();
       }
       writeFileSync(${JSON.stringify(log)}, busy + '\\n', { flag: 'a' });
       process.disconnect();`,
    );
    const racers = Array.from({ length: 4 }, () => fork(program));
    const ended = racers.map(async (racer) => once(racer, 'exit'));
    await Promise.all(racers.map(async (racer) => once(racer, 'message')));
    for (const racer of racers) racer.send('go');
    const codes = (await Promise.all(ended)).map(([code]) => code as number | null);
    // Each held it twenty times, and more than once one of them found it held.
    expect(codes).toEqual([0, 0, 0, 0]);
    const busy = readFileSync(log, 'utf8').split('\n').slice(0, -1).map(Number);
    expect(busy).toHaveLength(4);
    expect(busy.reduce((sum, times) => sum + times)).toBeGreaterThan(1);
  });

  it('is given up with its folder', () => {
    const folder = path.join(root, 'removed');
    const holder = (run: string): LockHolder => ({ process: ownIdentity(), run });
    const first = takeLock(folder, holder('a'), () => true);
    if (first.kind !== 'held') throw new Error('busy');
    first.lock.remove();
    expect(existsSync(folder)).toBe(false);
    expect(takeLock(folder, holder('b'), () => true).kind).toBe('held');
  });

  it('is not held twice by one that counted its entries before the folder was given up', () => {
    const folder = path.join(root, 'counted');
    const holder = (run: string): LockHolder => ({ process: ownIdentity(), run });
    let others = 0;
    const alive = (other: LockHolder): boolean => {
      // While it looks at a dead holder, another gives the folder up and a third takes a new one.
      if (other.run !== 'dead') return true;
      if ((others += 1) > 1) return false;
      rmSync(folder, { recursive: true });
      expect(takeLock(folder, holder('third'), alive).kind).toBe('held');
      return false;
    };
    mkdirSync(folder);
    writeFileSync(path.join(folder, '5'), JSON.stringify(holder('dead')));
    expect(takeLock(folder, holder('first'), alive)).toMatchObject({
      kind: 'busy',
      by: { run: 'third' },
    });
  });
});
