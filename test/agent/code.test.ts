import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readlinkSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
  chmodSync,
} from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { copyEntries, copyTree } from '../../src/agent/code/copy-tree.ts';
import { cloneRepository, readCodeState } from '../../src/agent/code/git.ts';
import { fetchLacking, lackingIn, lackingText } from '../../src/agent/code/lacking.ts';
import { mentionedPaths } from '../../src/agent/code/mentions.ts';
import { planSnapshot } from '../../src/agent/code/snapshot.ts';
import { lookAtCheckout } from '../../src/main/jobs/look-at-code.ts';
import { makeWorld } from './harness.ts';

let root: string;
beforeAll(async () => {
  root = await mkdtemp(path.join(tmpdir(), 'trainyard-code-'));
});
afterAll(() => rm(root, { recursive: true, force: true }));

let serial = 0;
function folderWith(files: Record<string, string>): string {
  serial += 1;
  const folder = path.join(root, `code-${serial}`);
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(path.dirname(path.join(folder, name)), { recursive: true });
    writeFileSync(path.join(folder, name), content);
  }
  return folder;
}

function git(folder: string, ...parameters: string[]): string {
  return execFileSync('git', ['-C', folder, ...parameters], {
    encoding: 'utf8',
    env: {
      ...process.env,
      GIT_CONFIG_GLOBAL: '/dev/null',
      GIT_AUTHOR_NAME: 'a',
      GIT_AUTHOR_EMAIL: 'a@example.org',
      GIT_COMMITTER_NAME: 'a',
      GIT_COMMITTER_EMAIL: 'a@example.org',
    },
  }).trim();
}

async function namesOf(folder: string): Promise<string[]> {
  const planned = await planSnapshot(folder);
  if (!planned.ok) throw new Error(planned.problem.message);
  return planned.value.entries
    .filter((entry) => entry.kind !== 'folder')
    .map((entry) => entry.path)
    .toSorted();
}

const IGNORES = {
  '.gitignore': '*.bin\n/build/\n!keep.bin\n# comment\nlogs\n',
  'train.py': '',
  'weights.bin': '',
  'keep.bin': '',
  'build/out': '',
  'sub/build/kept': '',
  'sub/.gitignore': '!other.bin\nlocal.*\n',
  'sub/other.bin': '',
  'sub/local.txt': '',
  'sub/deep/local.py': '',
  'logs/x': '',
  'excluded/by-info': '',
};
const KEPT = [
  '.gitignore',
  'keep.bin',
  'sub/.gitignore',
  'sub/build/kept',
  'sub/other.bin',
  'train.py',
];

describe('a snapshot of a folder', () => {
  test('takes what git would, also without git, and never .git', async () => {
    const plain = folderWith(IGNORES);
    expect(await namesOf(plain)).toEqual(['.gitignore', 'excluded/by-info', ...KEPT.slice(1)]);
    const checkout = folderWith(IGNORES);
    git(checkout, 'init', '-q');
    writeFileSync(path.join(checkout, '.git/info/exclude'), 'excluded/\n');
    expect(await namesOf(checkout)).toEqual(KEPT);
    const asGit = git(checkout, 'ls-files', '--others', '--exclude-standard').split('\n');
    expect(await namesOf(checkout)).toEqual(asGit.toSorted());
  });

  test('follows the rules above a subfolder, and takes tracked files that a rule ignores', async () => {
    const checkout = folderWith({
      '.gitignore': '*.dat\n',
      'job/a.py': '',
      'job/x.dat': '',
      'job/deep/tracked.dat': '',
    });
    git(checkout, 'init', '-q');
    git(checkout, 'add', '-f', 'job/deep/tracked.dat', 'job/a.py');
    expect(await namesOf(path.join(checkout, 'job'))).toEqual(['a.py', 'deep/tracked.dat']);
  });

  test('keeps links inside, notes links that leave, and copies modes and links as they are', async () => {
    const folder = folderWith({ 'run.sh': '#!/bin/sh\n', 'sub/a': 'a' });
    chmodSync(path.join(folder, 'run.sh'), 0o755);
    symlinkSync('sub/a', path.join(folder, 'inside'));
    symlinkSync(path.join(folder, 'sub'), path.join(folder, 'absolute'));
    symlinkSync('..', path.join(folder, 'sub/loop'));
    symlinkSync('../elsewhere', path.join(folder, 'leaves'));
    const planned = await planSnapshot(folder);
    if (!planned.ok) throw new Error(planned.problem.message);
    expect(planned.value.notes).toHaveLength(1);
    expect(planned.value.notes[0]).toContain('leaves');
    const copy = path.join(root, 'copy');
    await copyEntries(planned.value.entries, folder, copy);
    expect(readFileSync(path.join(copy, 'inside'), 'utf8')).toBe('a');
    expect(readlinkSync(path.join(copy, 'absolute'))).toBe('sub');
    expect(readlinkSync(path.join(copy, 'sub/loop'))).toBe('..');
    expect(readlinkSync(path.join(copy, 'leaves'))).toBe(path.join(root, 'elsewhere'));
    expect(statSync(path.join(copy, 'run.sh')).mode & 0o777).toBe(0o755);
    expect(existsSync(`${copy}.trainyard-partial`)).toBe(false);
  });

  test('what another user puts in the place of a file after the look is not copied; that they may is told', async () => {
    const folder = folderWith({ 'a.py': 'a', 'sub/b.py': 'b' });
    const own = folderWith({ 'b.py': 'of the user' });
    chmodSync(folder, 0o777);
    execFileSync('mkfifo', [path.join(folder, '.gitignore')]);
    const planned = await planSnapshot(folder);
    if (!planned.ok) throw new Error(planned.problem.message);
    expect(planned.value.notes[0]).toContain(`Every user of this machine may write to ${folder}`);
    const copy = path.join(root, 'exchanged');
    renameSync(path.join(folder, 'sub'), path.join(root, 'sub-aside'));
    symlinkSync(own, path.join(folder, 'sub'));
    await expect(copyEntries(planned.value.entries, folder, copy)).rejects.toThrow('ENOTDIR');
    rmSync(path.join(folder, 'sub'));
    renameSync(path.join(root, 'sub-aside'), path.join(folder, 'sub'));
    rmSync(path.join(folder, 'a.py'));
    symlinkSync(path.join(own, 'b.py'), path.join(folder, 'a.py'));
    await expect(copyEntries(planned.value.entries, folder, copy)).rejects.toThrow('ELOOP');
    expect(existsSync(copy)).toBe(false);
  });

  test('FIFOs and sockets are left out and told, loops of links stay links, odd names stay as they are', async () => {
    const folder = folderWith({
      'a.py': 'a',
      'new\nline': 'n',
      ' spaces ': 's',
      'tab\t\u001b[31m': 't',
    });
    execFileSync('mkfifo', [path.join(folder, 'fifo')]);
    const server = createServer().listen(path.join(folder, 'socket'));
    await once(server, 'listening');
    symlinkSync('.', path.join(folder, 'self'));
    symlinkSync('loop-b', path.join(folder, 'loop-a'));
    symlinkSync('loop-a', path.join(folder, 'loop-b'));
    symlinkSync('nowhere', path.join(folder, 'broken'));
    try {
      const planned = await planSnapshot(folder);
      if (!planned.ok) throw new Error(planned.problem.message);
      expect(planned.value.notes.join('\n')).toMatch(/fifo is no file.*\n?.*socket is no file/s);
      expect(planned.value.notes).toHaveLength(2);
      const copy = path.join(root, 'odd-copy');
      const again = path.join(root, 'odd-copy-again');
      await copyEntries(planned.value.entries, folder, copy);
      execFileSync('mkfifo', [path.join(copy, 'fifo')]);
      await copyTree(copy, again);
      for (const made of [copy, again]) {
        for (const [name, content] of Object.entries({
          'a.py': 'a',
          'new\nline': 'n',
          ' spaces ': 's',
          'tab\t\u001b[31m': 't',
        }))
          expect(readFileSync(path.join(made, name), 'utf8')).toBe(content);
        expect(readlinkSync(path.join(made, 'self'))).toBe('.');
        expect(readlinkSync(path.join(made, 'loop-a'))).toBe('loop-b');
        expect(readlinkSync(path.join(made, 'broken'))).toBe('nowhere');
        expect(existsSync(path.join(made, 'socket'))).toBe(false);
      }
      expect(existsSync(path.join(again, 'fifo'))).toBe(false);
    } finally {
      server.close();
    }
  });

  test('names that are not UTF-8 are kept byte for byte, also in a worker’s copy, and git rules hold for them', async () => {
    const raw = (text: string): Buffer => Buffer.from(text, 'latin1');
    const names = ['bad-\xff', 'bad-\xfe', '\xe9t\xe9/\xff.py', '\xe9t\xe9/.gitignore'].map(raw);
    const world = await makeWorld();
    try {
      const plant = (name: Buffer | string, content: string): void =>
        writeFileSync(Buffer.concat([Buffer.from(`${world.code}/`), Buffer.from(name)]), content);
      mkdirSync(raw(`${world.code}/\xe9t\xe9`));
      for (const name of names) plant(name, name.toString('hex'));
      plant(raw('\xe9t\xe9/.gitignore'), '*.log\n');
      plant(raw('\xe9t\xe9/\xff.log'), 'ignored by the rule in its folder');
      plant('.gitignore', '*.dat\n');
      plant(raw('\xff.dat'), 'ignored');
      plant(raw('\xfe.dat'), 'ignored, but in the repository');
      symlinkSync(raw('bad-\xff'), raw(`${world.code}/link-\xff`));
      git(world.code, 'init', '-q');
      execFileSync('sh', ['-c', `cd '${world.code}' && git add -f "$(printf '\\376').dat"`]);
      const run = await world.run({
        workers: [`cat "$(printf 'link-\\377')"`],
      });
      await run.begin();
      expect(await run.ended()).toMatchObject({ state: 'finished' });
      const listed = (folder: string): string =>
        execFileSync(
          'sh',
          ['-c', `cd '${folder}' && LC_ALL=C find . -mindepth 1 | LC_ALL=C sort | od -An -tx1`],
          {
            encoding: 'utf8',
          },
        );
      const copies = [run.at('code'), run.at('workers/0/code')];
      const kept = [
        ...names,
        raw('\xe9t\xe9'),
        raw('\xfe.dat'),
        raw('link-\xff'),
        ...['.gitignore', 'hello.txt'].map(raw),
      ]
        .map((name) => Buffer.concat([raw('./'), name, raw('\n')]))
        .toSorted((a, b) => Buffer.compare(a, b));
      for (const copy of copies)
        expect(listed(copy).replaceAll(/\s/g, ''), copy).toBe(Buffer.concat(kept).toString('hex'));
      for (const copy of copies)
        expect(readFileSync(raw(`${copy}/bad-\xfe`), 'utf8')).toBe(raw('bad-\xfe').toString('hex'));
      expect(run.read('logs/worker-0.log')).toBe(raw('bad-\xff').toString('hex'));
    } finally {
      await world.remove();
    }
  });

  test('a run whose code is too big says so before anything is copied', async () => {
    const world = await makeWorld();
    try {
      truncateSync(path.join(world.code, 'hello.txt'), 2 * 1024 ** 3);
      const run = await world.run();
      await run.begin();
      const ended = await run.ended();
      expect(ended).toMatchObject({
        state: 'failed',
        stage: 'staging',
        problem: { code: 'input.code-too-big' },
      });
      expect(ended.problem?.message).toContain('hello.txt (2048.0 MiB)');
      expect(existsSync(run.at('code'))).toBe(false);
      expect(existsSync(run.at('code.trainyard-partial'))).toBe(false);
    } finally {
      await world.remove();
    }
  });

  test('too much is refused with the biggest files, a missing folder in words', async () => {
    const folder = folderWith({ 'a.py': 'x', 'big/model': '', 'small/model': '' });
    truncateSync(path.join(folder, 'big/model'), 3 * 1024 ** 3);
    truncateSync(path.join(folder, 'small/model'), 1024 ** 2);
    expect(await planSnapshot(folder)).toMatchObject({
      ok: false,
      problem: {
        code: 'input.code-too-big',
        message: expect.stringContaining('big/model (3072.0 MiB), small/model (1.0 MiB)') as string,
      },
    });
    expect(await planSnapshot('/nowhere')).toMatchObject({
      ok: false,
      problem: { code: 'input.code-folder' },
    });
  });
});

test('the state of a checkout: commit, branch, dirty, unpushed', async () => {
  const folder = folderWith({ 'a.py': '1' });
  expect(await readCodeState(folder)).toEqual({
    commit: null,
    branch: null,
    dirty: null,
    unpushed: null,
  });
  git(folder, 'init', '-q', '-b', 'main');
  git(folder, 'add', '.');
  git(folder, 'commit', '-q', '-m', 'one');
  const commit = git(folder, 'rev-parse', 'HEAD');
  expect(await readCodeState(folder)).toEqual({
    commit,
    branch: 'main',
    dirty: false,
    unpushed: true,
  });
  const remote = path.join(root, 'remote.git');
  git(root, 'clone', '-q', '--bare', folder, remote);
  git(folder, 'remote', 'add', 'origin', remote);
  git(folder, 'fetch', '-q', 'origin');
  expect((await readCodeState(folder)).unpushed).toBe(false);
  writeFileSync(path.join(folder, 'new.py'), '');
  git(folder, 'checkout', '-q', '--detach');
  expect(await readCodeState(folder)).toEqual({
    commit,
    branch: null,
    dirty: true,
    unpushed: false,
  });
});

test('looking at a folder runs nothing that its own configuration names', async () => {
  const folder = path.join(root, `hostile-${(serial += 1)}`);
  const ran = path.join(root, `ran-${serial}`);
  mkdirSync(folder, { recursive: true });
  const git = (...args: string[]) => execFileSync('git', ['-C', folder, ...args]);
  git('init', '--quiet');
  writeFileSync(path.join(folder, 'a.py'), '1');
  git('add', '.');
  git('-c', 'user.name=x', '-c', 'user.email=x@y', 'commit', '--quiet', '-m', 'x');
  const run = `sh -c 'touch ${ran}; cat'`;
  writeFileSync(path.join(folder, '.git', 'more'), `[filter "a=b"]\n\tclean = ${run}\n`);
  for (const [key, value] of [
    ['filter.evil.clean', run],
    ['filter.evil.required', 'true'],
    ['filter.other.process', run],
    ['core.fsmonitor', `touch ${ran}`],
    ['core.hooksPath', path.join(folder, 'hooks')],
    ['diff.external', run],
    ['include.path', 'more'],
  ] as const)
    git('config', key, value);
  mkdirSync(path.join(folder, 'hooks'));
  writeFileSync(path.join(folder, 'hooks', 'post-index-change'), `#!/bin/sh\ntouch ${ran}\n`);
  chmodSync(path.join(folder, 'hooks', 'post-index-change'), 0o755);
  writeFileSync(
    path.join(folder, '.git', 'info', 'attributes'),
    'a.py filter=evil\nb.py filter=other\nc.py filter=a=b\n',
  );
  // Another content of the same length: git has to look into the file.
  writeFileSync(path.join(folder, 'a.py'), '2');
  const state = await readCodeState(folder);
  expect(state.dirty).toBe(true);
  const seen = await lookAtCheckout(folder, process.env, AbortSignal.timeout(20_000));
  expect(seen.dirty).toBe(true);
  expect(await planSnapshot(folder)).toMatchObject({ ok: true });
  expect(existsSync(ran)).toBe(false);
  // The very same question, unguarded, runs it: the test can fail.
  git('status', '--porcelain');
  expect(existsSync(ran)).toBe(true);
});

describe('code from git', () => {
  let remote: string;
  let commits: string[];
  beforeAll(() => {
    const folder = folderWith({ 'a.py': '1' });
    git(folder, 'init', '-q', '-b', 'main');
    git(folder, 'add', '.');
    git(folder, 'commit', '-q', '-m', 'one');
    git(folder, 'tag', 'v1');
    writeFileSync(path.join(folder, 'a.py'), '2');
    git(folder, 'commit', '-q', '-am', 'two');
    git(folder, 'branch', 'topic');
    remote = folder;
    commits = [git(folder, 'rev-parse', 'v1'), git(folder, 'rev-parse', 'main')];
  });

  test('a run clones at a tag and records the commit', async () => {
    const world = await makeWorld();
    try {
      const run = await world.run({
        code: { kind: 'git', url: remote, ref: 'v1' },
        workers: ['cat a.py; ls -a'],
      });
      await run.begin();
      expect(await run.ended()).toMatchObject({ state: 'finished' });
      expect(await run.waitFor('code-staged')).toMatchObject({
        files: 1,
        state: { commit: commits[0], dirty: false },
      });
      expect(run.read('logs/worker-0.log')).toBe('1.\n..\na.py\n');
    } finally {
      await world.remove();
    }
  });

  test('branch, commit, default; wrong address and wrong ref are told', async () => {
    const environment = { PATH: process.env['PATH'] ?? '', HOME: root };
    const clone = (url: string, ref: string | null, signal = AbortSignal.timeout(20_000)) =>
      cloneRepository({
        url,
        ref,
        folder: path.join(root, `clone-${(serial += 1)}`),
        environment,
        signal,
      });
    expect(await clone(remote, 'topic')).toMatchObject({
      ok: true,
      value: { commit: commits[1], branch: 'topic' },
    });
    expect(await clone(remote, commits[0]!)).toMatchObject({
      ok: true,
      value: { commit: commits[0] },
    });
    expect(await clone(remote, null)).toMatchObject({ ok: true, value: { commit: commits[1] } });
    expect(await clone(remote, 'nope')).toMatchObject({
      ok: false,
      problem: { code: 'input.git-ref' },
    });
    expect(await clone('/nowhere/at/all', null)).toMatchObject({
      ok: false,
      problem: { code: 'host.git-clone' },
    });
    const lines: string[] = [];
    const quoted = await cloneRepository({
      url: path.join(root, 'not-there'),
      ref: null,
      folder: path.join(root, `clone-${(serial += 1)}`),
      environment,
      signal: AbortSignal.timeout(20_000),
      log: (line) => lines.push(line),
    });
    expect(quoted.ok ? '' : quoted.problem.message).toMatch(/fatal: .*does not (appear|exist)/);
    expect(quoted.ok ? '' : quoted.problem.message).not.toContain('the repository exists');
    expect(lines.join('\n')).toMatch(/^git clone .*not-there\n(git: .*\n)*git: fatal: /);
    expect(await clone('https://user:secret@127.0.0.1:9/x.git', null)).toMatchObject({
      problem: { code: 'input.git-url', message: expect.not.stringContaining('secret') as string },
    });
    expect(await clone('--upload-pack=touch /tmp/x', null)).toMatchObject({
      ok: false,
      problem: { code: 'input.git-url' },
    });
    expect(lstatSync(root).isDirectory()).toBe(true);
  });
});

describe('what is not part of the code', () => {
  test('rules of the user for all checkouts hold as in git, in a checkout alone, and case counts', async () => {
    const files = { 'a.py': '', 'notes.own': '', 'Data/x': '', 'data/y': '', 'kept.own': '' };
    const checkout = folderWith({ ...files, '.gitignore': 'data/\n!kept.own\n' });
    const plain = folderWith(files);
    git(checkout, 'init', '-q');
    const own = folderWith({ 'git/ignore': '*.own\n', other: 'a.py\n' });
    vi.stubEnv('XDG_CONFIG_HOME', own);
    vi.stubEnv('GIT_CONFIG_GLOBAL', path.join(own, 'config'));
    try {
      expect(await namesOf(checkout)).toEqual(['.gitignore', 'Data/x', 'a.py', 'kept.own']);
      expect(await namesOf(plain)).toContain('notes.own');
      writeFileSync(path.join(own, 'config'), `[core]\n\texcludesFile = ${own}/other\n`);
      expect(await namesOf(checkout)).toEqual(['.gitignore', 'Data/x', 'kept.own', 'notes.own']);
      const planned = await planSnapshot(checkout);
      expect(planned.ok && planned.value.ignored).toEqual([
        { path: 'a.py', folder: false },
        { path: 'data', folder: true },
      ]);
    } finally {
      vi.unstubAllEnvs();
    }
  });

  test.each([
    ['python train.py --config ./configs/local.yaml', ['configs/local.yaml']],
    ['ls "$TRAINYARD_MODEL_PATH/data/train/x.csv"', ['data']],
    ['python train.py data=data/', ['data']],
    ['python -m configs.private', ['configs/private.py']],
    ['cat /data/x metadata data.csv', []],
  ])('%s names %j', (command, named) => {
    const ignored = [
      { path: 'configs/local.yaml', folder: false },
      { path: 'configs/private.py', folder: false },
      { path: 'data', folder: true },
    ];
    expect(mentionedPaths(ignored, [command]).map((one) => one.path)).toEqual(named);
  });

  test('pointers, submodules and links without what they stand for are told by kind', async () => {
    const pointer = 'version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 12345\n';
    const folder = folderWith({
      'model.bin': pointer,
      'readme.md': 'version 1 of this is in https://git-lfs.github.com/spec/v1',
      'unlocked.dat': '/annex/objects/SHA256E-s1--0.dat\n',
      '.gitmodules':
        '[submodule "lib"]\n\tpath = libs/lib\n\turl = ../lib\n[submodule "there"]\n\tpath = there\n',
      'there/a.py': '',
      'set.csv.dvc': 'outs:\n- path: set.csv\n',
      'fetched.csv.dvc': '',
      'fetched.csv': '',
    });
    symlinkSync('.git/annex/objects/x/y', path.join(folder, 'locked.dat'));
    symlinkSync('readme.md', path.join(folder, 'fine'));
    const lacks = await lackingIn(folder);
    expect(lacks).toEqual([
      { kind: 'submodule', path: 'libs/lib' },
      { kind: 'annex', path: 'locked.dat' },
      { kind: 'lfs', path: 'model.bin' },
      { kind: 'dvc', path: 'set.csv' },
      { kind: 'annex', path: 'unlocked.dat' },
    ]);
    expect(lackingText(lacks, 'other').map(({ message }) => message)).toEqual([
      'The content of 1 file lies in Git LFS, and is not part of the code: model.bin.',
      'The content of 2 files lies in git-annex, and is not part of the code: locked.dat, unlocked.dat.',
      '1 submodule of the code is empty: libs/lib.',
      'The content of 1 path lies in DVC, and is not part of the code: set.csv.',
    ]);
  });

  test('a clone comes with its submodules, and without what leads to their repositories', async () => {
    const [lib, above] = [folderWith({ 'lib.py': '' }), folderWith({ 'a.py': '' })];
    for (const each of [lib, above]) {
      git(each, 'init', '-q');
      git(each, 'add', '.');
      git(each, 'commit', '-qm', 'one');
    }
    git(above, '-c', 'protocol.file.allow=always', 'submodule', '--quiet', 'add', lib, 'libs/lib');
    git(above, 'commit', '-qm', 'two');
    const folder = path.join(root, 'with-submodule');
    const environment = {
      PATH: process.env['PATH'] ?? '',
      GIT_CONFIG_COUNT: '1',
      GIT_CONFIG_KEY_0: 'protocol.file.allow',
      GIT_CONFIG_VALUE_0: 'always',
    };
    const signal = new AbortController().signal;
    execFileSync('git', ['clone', '-q', above, folder]);
    expect(await lackingIn(folder)).toEqual([{ kind: 'submodule', path: 'libs/lib' }]);
    // git refuses such an address unless it is told to allow it.
    expect((await fetchLacking(folder, { PATH: environment.PATH }, signal)).join()).toContain(
      'lib',
    );
    expect(await fetchLacking(folder, environment, signal)).toEqual([]);
    expect(existsSync(path.join(folder, 'libs/lib/lib.py'))).toBe(true);
    expect(existsSync(path.join(folder, 'libs/lib/.git'))).toBe(false);
    expect(await lackingIn(folder)).toEqual([]);
  });

  test('a run says what it leaves out, aloud what a command names, and at the end what was written beside the output', async () => {
    const world = await makeWorld();
    try {
      writeFileSync(path.join(world.code, '.gitignore'), 'local.yaml\nwandb/\n');
      writeFileSync(path.join(world.code, 'local.yaml'), '');
      mkdirSync(path.join(world.code, 'wandb'));
      const run = await world.run({
        workers: [
          'cat local.yaml; mkdir -p models __pycache__; echo weights > models/best.pt; echo x > __pycache__/x; exit 1',
        ],
        output: {
          ...{ address: 'gs://outputs', bucket: 'outputs', prefix: 'x/', manifest: 'x/m' },
          ...{ layout: 'per-run', archive: false, account: null },
        },
      });
      await run.begin();
      await run.ended();
      const told = run.events().flatMap((event) => (event.kind === 'warning' ? event.message : []));
      expect(told[0]).toContain('names: local.yaml.');
      expect(told[1]).toContain(`into ${run.at('workers/0/code')}: models/best.pt (8 B).`);
      expect(await run.waitFor('code-staged')).toMatchObject({
        state: { ignored: { count: 2, first: ['local.yaml', 'wandb/'] } },
      });
    } finally {
      await world.remove();
    }
  });
});
