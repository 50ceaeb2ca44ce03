import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { questions } from '../../../src/main/ipc/questions.ts';
import { lookAtCheckout, lookAtRepository } from '../../../src/main/jobs/look-at-code.ts';
import { measureObjects } from '../../../src/main/jobs/measure-objects.ts';
import { templatesIn } from '../../../src/main/jobs/templates.ts';
import { MAX_JOB_FILE } from '../../../src/shared/ipc/new-job.ts';
import { problemOf, temporaryFolder, valueOf } from '../temp.ts';
import { adminOf, freshHome, google } from './harness.ts';

const never = new AbortController().signal;
const git = (folder: string, ...words: string[]) =>
  execFileSync('git', ['-C', folder, '-c', 'user.name=a', '-c', 'user.email=a@b', ...words]);

function checkout(): string {
  const folder = temporaryFolder();
  git(folder, 'init', '-q', '-b', 'main');
  writeFileSync(join(folder, 'a.txt'), 'a');
  git(folder, 'add', '.');
  git(folder, 'commit', '-q', '-m', 'first');
  return folder;
}

describe('what lies at an address', () => {
  it('is counted, as folder, object and archive, as far as asked', async () => {
    const emulator = await google();
    const storage = await adminOf(emulator);
    for (let index = 0; index < 5; index += 1)
      await storage
        .bucket('input-data-bucket')
        .file(`data/more/${index}.zip`)
        .save('12345', { resumable: false });
    const home = freshHome(emulator.environment);
    const services = await home.open();
    valueOf(await services.keys.add(emulator.keyFiles['trainer']!, { name: 'trainer' }));
    const measure = (gcs: string, key: string | null = 'trainer', signal = never) =>
      measureObjects(services, { gcs, key }, signal);

    expect(valueOf(await measure('gs://input-data-bucket/data/more/'))).toEqual({
      kind: 'folder',
      objects: 5,
      bytes: 25,
      packed: 0,
      untold: 0,
      more: false,
    });
    expect(valueOf(await measure('gs://input-data-bucket/data/more/0.zip'))).toEqual({
      kind: 'archive',
      objects: 1,
      bytes: 5,
      packed: 0,
      untold: 0,
      more: false,
    });
    expect(valueOf(await measure('gs://input-data-bucket/data/a.txt'))).toMatchObject({
      kind: 'object',
      objects: 1,
    });
    expect(problemOf(await measure('gs://input-data-bucket/data/none/')).code).toBe(
      'input.nothing-there',
    );
    expect(problemOf(await measure('gs://input-data-bucket/data/', null)).code).toMatch(
      /^access\./,
    );
    expect(problemOf(await measure('gs://input-data-bucket/data/', 'nobody')).code).toMatch(
      /^input\./,
    );
    expect(problemOf(await measure('http://x')).code).toBe('input.address');
    const taken = await measure('gs://input-data-bucket/data/', 'trainer', AbortSignal.abort());
    expect(taken.ok).toBe(false);
  });
});

describe('the state of a checkout', () => {
  it('tells of changes and of what was not pushed', async () => {
    const folder = checkout();
    const look = () => lookAtCheckout(folder, process.env, never);
    expect(await look()).toMatchObject({ branch: 'main', dirty: false, unpushed: true });
    const remote = temporaryFolder();
    git(remote, 'init', '-q', '--bare');
    git(folder, 'remote', 'add', 'origin', remote);
    git(folder, 'push', '-q', 'origin', 'main');
    expect(await look()).toMatchObject({ dirty: false, unpushed: false });
    writeFileSync(join(folder, 'b.txt'), 'b');
    expect(await look()).toMatchObject({ dirty: true, unpushed: false });
    expect(await lookAtCheckout(temporaryFolder(), process.env, never)).toEqual({
      commit: null,
      branch: null,
      dirty: null,
      unpushed: null,
    });
  });

  it('does not take the repository of the environment, nor run what a repository names', async () => {
    const folder = checkout();
    const mark = join(folder, 'ran');
    git(folder, 'config', 'core.fsmonitor', `touch ${mark}; false`);
    const elsewhere = { ...process.env, GIT_DIR: '/nowhere' };
    expect((await lookAtCheckout(folder, elsewhere, never)).commit).not.toBeNull();
    expect(existsSync(mark)).toBe(false);
  });
});

describe('a repository', () => {
  it('answers, and has a branch or not', async () => {
    const url = checkout();
    const look = (ref: string | null, at = url) =>
      lookAtRepository({ url: at, ref }, process.env, never);
    expect(valueOf(await look(null))).toEqual({ hasRef: true });
    expect(valueOf(await look('main'))).toEqual({ hasRef: true });
    expect(valueOf(await look('none'))).toEqual({ hasRef: false });
    expect(valueOf(await look('0123456789abcdef'))).toEqual({ hasRef: null });
    expect(problemOf(await look(null, `${url}-none`)).code).toBe('input.code-git');
    expect(problemOf(await look('--upload-pack=touch x')).code).toBe('input.code-git');
    expect(problemOf(await look(null, '--upload-pack=touch x')).code).toBe('input.code-git');
    expect(
      problemOf(await lookAtRepository({ url, ref: null }, { PATH: '/nowhere' }, never)).code,
    ).toBe('host.git');
  });
});

describe('templates', () => {
  it('are kept, replaced, read and removed', async () => {
    const folder = join(temporaryFolder(), 'templates');
    const templates = templatesIn(folder);
    expect(valueOf(await templates.list())).toEqual([]);
    valueOf(await templates.save('b', 'name: b\n'));
    valueOf(await templates.save('a.1', 'name: a\n'));
    valueOf(await templates.save('b', 'name: c\n'));
    expect(valueOf(await templates.list())).toEqual(['a.1', 'b']);
    expect(valueOf(await templates.read('b'))).toBe('name: c\n');
    expect(statSync(folder).mode & 0o777).toBe(0o700);
    expect(statSync(join(folder, 'b.yaml')).mode & 0o777).toBe(0o600);
    valueOf(await templates.remove('b'));
    expect(problemOf(await templates.read('b')).code).toBe('input.template');
    expect(valueOf(await templates.list())).toEqual(['a.1']);
  });

  it('say what is in the way', async () => {
    const folder = join(temporaryFolder(), 'templates');
    writeFileSync(folder, 'a file');
    expect(problemOf(await templatesIn(folder).list()).code).toBe('host.templates');
    expect(problemOf(await templatesIn(folder).save('a', '')).code).toBe('host.templates');
    const large = temporaryFolder();
    mkdirSync(large, { recursive: true });
    writeFileSync(join(large, 'a.yaml'), 'x'.repeat(MAX_JOB_FILE + 1));
    writeFileSync(join(large, '..b.yaml'), '');
    expect(valueOf(await templatesIn(large).list())).toEqual(['a']);
    expect(problemOf(await templatesIn(large).read('a')).code).toBe('input.template');
    await expect(templatesIn(large).read('../a')).rejects.toThrow("not a template's name");
  });
});

describe('questions', () => {
  it('end when they are taken back, and when they are asked again', async () => {
    const asked = questions();
    const waits = (signal: AbortSignal) =>
      new Promise<string>((resolve) => signal.addEventListener('abort', () => resolve('ended')));
    const first = asked.answer('a', waits);
    const second = asked.answer('a', waits);
    expect(await first).toBe('ended');
    asked.cancel('b');
    asked.cancel('a');
    expect(await second).toBe('ended');
    expect(await asked.answer('a', async ({ aborted }) => aborted)).toBe(false);
  });
});
