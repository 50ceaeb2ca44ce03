import { fork, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { claimJournals } from '../../src/cli/copy/claim.ts';
import { testSeed } from '../support/random.ts';
import { refusal, value } from '../transfer/world.ts';

const home = mkdtempSync(path.join(tmpdir(), 'trainyard-claim-'));
afterAll(() => rmSync(home, { recursive: true, force: true }));

const isRoot = process.getuid?.() === 0;
const mounts =
  isRoot && spawnSync('unshare', ['--mount', 'mount', '-t', 'tmpfs', 'none', '/mnt']).status === 0;

const MODULE = path.resolve(import.meta.dirname, '../../src/cli/copy/claim.ts');
const RANDOM = path.resolve(import.meta.dirname, '../soak/random.ts');

/** Runs a program in three processes, which begin its text at once; resolves with their exit statuses. */
async function together(name: string, text: string): Promise<readonly unknown[]> {
  const program = path.join(home, `${name}.ts`);
  writeFileSync(
    program,
    `import { claimJournals } from ${JSON.stringify(MODULE)};
     process.send('ready');
     await new Promise((resolve) => process.once('message', resolve));
     ${text}
     process.disconnect();`,
  );
  const racers = [0, 1, 2].map((index) => fork(program, [`${testSeed() + index}`]));
  const ended = racers.map(async (racer) => once(racer, 'exit'));
  await Promise.all(racers.map(async (racer) => once(racer, 'message')));
  for (const racer of racers) racer.send('go');
  return (await Promise.all(ended)).map(([code]: readonly unknown[]) => code);
}

describe('the claim of a copy', () => {
  it('is one process’s at a time; its journals stay until it finished', async () => {
    const claim = value(await claimJournals(home, 'gs://b/a', '/x'));
    expect(refusal(await claimJournals(home, 'gs://b/a', '/x')).code).toBe('input.copy-is-running');
    writeFileSync(path.join(claim.folder, 'journal'), '');
    await claim.release(false);
    const again = value(await claimJournals(home, 'gs://b/a', '/x'));
    expect(existsSync(path.join(again.folder, 'journal'))).toBe(true);
    await again.release(true);
    expect(existsSync(again.folder)).toBe(false);
  });

  it('is never two’s, round after round', async () => {
    const inside = path.join(home, 'inside');
    const codes = await together(
      'racer',
      `import { mkdirSync, rmdirSync } from 'node:fs';
       import { setTimeout } from 'node:timers/promises';
       import { seeded } from ${JSON.stringify(RANDOM)};
       const chance = seeded(Number(process.argv[2]));
       for (let won = 0; won < 20;) {
         const claim = await claimJournals(${JSON.stringify(home)}, 'gs://b/raced', '/x');
         if (!claim.ok) continue;
         // Fails where another is inside.
         mkdirSync(${JSON.stringify(inside)});
         await setTimeout(chance.next() * 3);
         rmdirSync(${JSON.stringify(inside)});
         await claim.value.release(chance.next() < 0.5);
         won += 1;
       }`,
    );
    // Each had it twenty times.
    expect(codes).toEqual([0, 0, 0]);
  }, 60_000);

  it('of a dead process has one heir', async () => {
    const program = path.join(home, 'heir.ts');
    writeFileSync(
      program,
      `import { claimJournals } from ${JSON.stringify(MODULE)};
       process.once('message', async () => process.send((await claimJournals(${JSON.stringify(home)}, 'gs://b/dead', '/x')).ok));
       // Stays until it is killed, or its parent is gone.
       process.on('disconnect', () => process.exit());
       process.send('ready');`,
    );
    // Each round the winner of the one before is dead, with the claim in its hand.
    for (let round = 0; round < 4; round += 1) {
      const children = Array.from({ length: 3 }, () => fork(program));
      const said = () => Promise.all(children.map(async (one) => once(one, 'message')));
      await said();
      const answers = said();
      for (const child of children) child.send('go');
      const won = (await answers).flat().filter((answer) => answer === true);
      expect(won).toHaveLength(1);
      const ended = children.map(async (one) => once(one, 'exit'));
      for (const child of children) child.kill('SIGKILL');
      await Promise.all(ended);
    }
  }, 60_000);

  it('is had where the system does not tell which process lives, as on Windows', async () => {
    const program = path.join(home, 'untold.ts');
    const apart = path.join(home, 'apart');
    mkdirSync(apart);
    writeFileSync(
      program,
      `import { claimJournals } from ${JSON.stringify(MODULE)};
       const claim = await claimJournals(${JSON.stringify(apart)}, 'gs://b/untold', '/x');
       if (!claim.ok) process.exit(1);
       await claim.value.release(true);`,
    );
    const untold = `data:text/javascript,Object.defineProperty(process, 'platform', { value: 'win32' })`;
    const child = fork(program, { execArgv: ['--import', untold], env: { PATH: '' } });
    expect(await once(child, 'exit')).toEqual([0, null]);
    expect(readdirSync(apart, { recursive: true }).map(String)).not.toContainEqual(
      expect.stringContaining('.lock'),
    );
  });

  it('forgets journals of long ago, never those in use', async () => {
    const old = value(await claimJournals(home, 'gs://b/old', '/x'));
    writeFileSync(path.join(old.folder, 'journal'), '');
    const used = value(await claimJournals(home, 'gs://b/used', '/x'));
    await old.release(false);
    for (const { folder } of [old, used]) utimesSync(folder, 1, 1);
    utimesSync(`${used.folder}.lock`, 1, 1);
    const third = value(await claimJournals(home, 'gs://b/third', '/x'));
    expect(existsSync(old.folder)).toBe(false);
    expect(existsSync(used.folder)).toBe(true);
    await used.release(true);
    await third.release(true);
  });

  it.skipIf(!mounts)('on a full disk is refused with a sentence, and had later', async () => {
    const disk = path.join(home, 'disk');
    mkdirSync(disk);
    spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'trainyard-test', disk]);
    try {
      const fill = path.join(disk, 'fill');
      expect(() => writeFileSync(fill, Buffer.alloc(200_000))).toThrow('ENOSPC');
      const refused = refusal(await claimJournals(disk, 'gs://b/a', '/x'));
      expect(refused).toMatchObject({
        code: 'transfer.no-room',
        message: expect.stringContaining(disk) as string,
      });
      rmSync(fill);
      await value(await claimJournals(disk, 'gs://b/a', '/x')).release(true);
    } finally {
      spawnSync('umount', [disk]);
    }
  });
});
