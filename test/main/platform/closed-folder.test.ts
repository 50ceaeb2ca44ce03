import { spawnSync } from 'node:child_process';
import { chmodSync, chownSync, mkdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, test } from 'vitest';
import { folderState } from '../../../src/main/platform/closed-folder.ts';
import { homePaths } from '../../../src/main/platform/paths.ts';
import { AS_NOBODY, cannotDropPrivileges, NOBODY } from '../../support/without-privileges.ts';
import { problemOf, temporaryFolder, valueOf } from '../temp.ts';

const modeOf = (path: string): number => statSync(path).mode & 0o7777;
const open = (home: string) => homePaths({ TRAINYARD_HOME: home });

describe.skipIf(process.platform === 'win32')('a home that is there', () => {
  it.each([
    ['empty', []],
    ['one of Trainyard’s', ['trainyard.db', 'other']],
    ['one with a vault alone', ['vault.json']],
  ])('and is %s is closed, and its folders', (_, names) => {
    const home = temporaryFolder();
    for (const name of names) writeFileSync(join(home, name), '');
    for (const name of ['runs', 'logs'])
      if (names.length > 0) {
        mkdirSync(join(home, name));
        chmodSync(join(home, name), 0o777);
      }
    chmodSync(home, 0o777);
    const paths = valueOf(open(home));
    for (const folder of [paths.home, paths.runs, paths.agents, paths.logs])
      expect(modeOf(folder)).toBe(0o700);
  });

  it('in use for other things is left as it is where others may only read it', () => {
    const home = temporaryFolder();
    writeFileSync(join(home, 'thesis.tex'), '');
    chmodSync(home, 0o755);
    const paths = valueOf(open(home));
    expect(modeOf(home)).toBe(0o755);
    for (const folder of [paths.runs, paths.agents, paths.logs]) expect(modeOf(folder)).toBe(0o700);
  });

  it.each([
    ['in use for other things', 0o775, 'thesis.tex'],
    ['made for everybody', 0o1777, 'trainyard.db'],
  ])('%s is refused where others may write to it, and left as it is', (_, mode, name) => {
    const home = temporaryFolder();
    writeFileSync(join(home, name), '');
    chmodSync(home, mode);
    expect(problemOf(open(home))).toMatchObject({
      code: 'host.home-not-private',
      subject: home,
      message: expect.stringContaining('may write') as string,
      hint: expect.stringContaining('TRAINYARD_HOME') as string,
    });
    expect(modeOf(home)).toBe(mode);
  });
});

/** What `homePaths` says of a home to a process of another user. */
function asNobody(home: string): { readonly ok: boolean; readonly problem?: { code: string } } {
  const module = new URL('../../../src/main/platform/paths.ts', import.meta.url).href;
  const script = `const { homePaths } = await import(${JSON.stringify(module)});
    console.log(JSON.stringify(homePaths({ TRAINYARD_HOME: ${JSON.stringify(home)} })));`;
  const ran = spawnSync(
    'setpriv',
    [...AS_NOBODY, process.execPath, '--input-type=module', '-e', script],
    { cwd: '/', encoding: 'utf8' },
  );
  if (ran.status !== 0) throw new Error(ran.stderr);
  return JSON.parse(ran.stdout) as ReturnType<typeof asNobody>;
}

describe.skipIf(cannotDropPrivileges() !== null)('another user’s', () => {
  it('home, or a folder in it, is refused, whatever its mode; one’s own is closed', () => {
    const above = temporaryFolder();
    chmodSync(above, 0o755);
    const theirs = join(above, 'theirs');
    mkdirSync(theirs);
    chmodSync(theirs, 0o777);
    expect(asNobody(theirs).problem?.code).toBe('host.home-not-private');

    const own = join(above, 'own');
    mkdirSync(own);
    chownSync(own, NOBODY, NOBODY);
    chmodSync(own, 0o777);
    expect(asNobody(own).ok).toBe(true);
    expect(modeOf(own)).toBe(0o700);
    // Root itself takes no folder that its owner could change.
    expect(problemOf(open(own)).code).toBe('host.home-not-private');

    const planted = join(above, 'planted');
    mkdirSync(planted);
    writeFileSync(join(planted, 'trainyard.db'), '');
    chownSync(planted, NOBODY, NOBODY);
    mkdirSync(join(planted, 'runs'));
    chmodSync(join(planted, 'runs'), 0o777);
    expect(asNobody(planted).problem).toMatchObject({
      code: 'host.home-not-private',
      subject: join(planted, 'runs'),
    });
  });
});

test('what is to be done about a folder', () => {
  const state = (mode: number, isOurs: boolean, owner = 7) =>
    folderState({ owner, mode: 0o40000 | mode, isOurs }, 7);
  expect(state(0o700, true)).toBe('good');
  expect(state(0o700, true, 8)).toBe('of-another');
  expect(state(0o755, true)).toBe('narrow');
  expect(state(0o755, false)).toBe('good');
  expect(state(0o770, false)).toBe('open');
  expect(state(0o1777, true)).toBe('open');
});
