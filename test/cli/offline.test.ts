import { generateKeyPairSync } from 'node:crypto';
import { chmod, readdir, stat } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { KeyCard } from '../../src/shared/key.ts';
import type { Problem } from '../../src/shared/problem.ts';
import { makeHome, type TestHome } from './harness.ts';

const newKey = () => generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey;
const sharedKey = newKey();
const keyFile = (name: string, privateKey = sharedKey) =>
  JSON.stringify({
    type: 'service_account',
    project_id: 'some-project',
    private_key_id: '0123456789abcdef0123456789abcdef01234567',
    private_key: privateKey.export({ type: 'pkcs8', format: 'pem' }),
    client_email: `${name}@some-project.iam.gserviceaccount.com`,
    client_id: '123456789012345678901',
    token_uri: 'https://oauth2.googleapis.com/token',
  });

let home: TestHome;
beforeAll(async () => {
  home = await makeHome({}, { vault: 'new' });
});
afterAll(async () => {
  await home.remove();
});

describe('a command line that is wrong', () => {
  it.each([
    [['frobnicate'], /unknown command/i],
    [['jobs', '--frobnicate'], /unknown option/i],
    [['job'], /missing required argument/i],
    [['logs', 'x', '--worker', 'one'], /a worker is a number/i],
    [['cp', 'a', 'b'], /neither side is in a bucket/i],
    [['cp', 'gs://aaa/x', 'gs://bbb/y'], /both sides are in buckets/i],
    [['ls', 'https://storage.googleapis.com/b'], /gs:\/\//],
    [['rsync', '-r', 'gs://aaa/x', './y'], /no rsync.*\n.*trainyard cp/],
    [['-m', 'cp', '-R', '-n', 'a', 'b'], /-r is not needed.*-n is not.*-m is not/],
    [['hosts', 'check', 'moon'], /moon/],
    [['job', 'latest'], /no jobs yet/],
    [['retry', '2026'], /no job "2026"/],
    [['run', 'no-such.yaml'], /no file no-such\.yaml/],
  ])('%j exits with 2, in words, without a stack trace', async (args, words) => {
    const { status, stdout, stderr } = await home.run(args);
    expect(status).toBe(2);
    expect(stdout).toBe('');
    expect(stderr).toMatch(words);
    expect(stderr).toMatch(/^Error: /m);
    expect(stderr).not.toMatch(/^\s+at /m);
  });

  it.each([['\u001b]0;title\u0007'], ['--\u001b[31mred']])(
    'the terminal gets no control character of %j',
    async (argument) => {
      const { status, stderr } = await home.run([argument]);
      expect(status).toBe(2);
      expect(stderr).toContain('\\x1b');
      expect(stderr).not.toMatch(/[\u0000-\u0009\u000b-\u001f]/);
    },
  );

  it('prints version and help with 0', async () => {
    expect(await home.run(['--version'])).toMatchObject({
      status: 0,
      stdout: expect.stringMatching(/^\d+\.\d+\.\d+\n$/) as string,
    });
    const help = await home.run(['help', 'run']);
    expect(help.status).toBe(0);
    expect(help.stdout).toContain('--detach');
  });
});

describe('keys without a network', () => {
  it('adds, lists, renames and removes, in a vault that is created at its first use', async () => {
    expect(await home.json<KeyCard[]>(['keys', 'list'])).toEqual([]);
    const file = await home.file('lab.json', keyFile('lab'));
    const added = await home.run(['keys', 'add', file, '--name', 'lab', '--json']);
    expect(added, added.stderr).toMatchObject({ status: 0 });
    expect(added.stderr).toContain(`rm ${file}`);
    expect(JSON.parse(added.stdout)).toMatchObject({
      name: 'lab',
      email: 'lab@some-project.iam.gserviceaccount.com',
      vault: 'passphrase',
    });
    expect(added.stdout + added.stderr).not.toContain('PRIVATE KEY');
    const again = await home.run(['keys', 'add', file]);
    expect(again).toMatchObject({ status: 2, stdout: '' });
    expect(again.stderr).toContain('lab');
    const other = await home.file('other.json', keyFile('other', newKey()));
    const open = await home.run(['keys', 'add', other, '--name', 'other']);
    expect(open).toMatchObject({ status: 0 });
    const taken = await home.run(['keys', 'rename', 'lab', 'other']);
    expect(taken).toMatchObject({ status: 2 });
    expect(taken.stderr).toContain('Choose another name');
    expect(taken.stderr).not.toContain('--name');
    expect(await home.run(['keys', 'remove', 'other'])).toMatchObject({ status: 0 });
    expect(await home.run(['keys', 'rename', 'lab', 'laboratory'])).toMatchObject({ status: 0 });
    expect((await home.json<KeyCard[]>(['keys', 'list'])).map((card) => card.name)).toEqual([
      'laboratory',
    ]);
    expect((await home.run(['keys', 'list'])).stdout).toMatch(/^Name +Account .*\nlaboratory /);
    expect(await home.run(['keys', 'remove', 'lab'])).toMatchObject({ status: 2 });
    expect(await home.run(['keys', 'remove', 'laboratory'])).toMatchObject({ status: 0 });
    expect(await home.json<KeyCard[]>(['keys', 'list'])).toEqual([]);
  });

  it.skipIf(process.platform === 'win32')(
    'says so where others may read the key file or the passphrase, and nothing where they may not',
    async () => {
      const file = await home.file('readable.json', keyFile('readable', newKey()));
      const passphrase = home.env['TRAINYARD_PASSPHRASE_FILE'] ?? '';
      const add = async () => {
        const added = await home.run(['keys', 'add', file, '--name', 'readable']);
        expect(added, added.stderr).toMatchObject({ status: 0 });
        await home.json(['keys', 'remove', 'readable']);
        return added.stderr;
      };
      await chmod(file, 0o600);
      expect(await add()).not.toContain('Other users');
      await chmod(file, 0o640);
      const toldOfKey = await add();
      expect(toldOfKey).toContain(`Other users of this machine may read ${file}.`);
      expect(toldOfKey).toContain(`chmod 600 ${file}`);
      expect(toldOfKey).not.toContain(passphrase);
      await chmod(passphrase, 0o644);
      expect(await add()).toContain(`may read ${passphrase}, which holds the passphrase`);
      await chmod(passphrase, 0o600);
    },
    60_000,
  );

  it('says "not checked: offline" and exits with 4 soon', async () => {
    const file = await home.file('offline.json', keyFile('offline'));
    const nowhere = 'http://127.0.0.1:9';
    const away = {
      STORAGE_EMULATOR_HOST: nowhere,
      TRAINYARD_OAUTH_ENDPOINT: `${nowhere}/token`,
      TRAINYARD_STS_ENDPOINT: `${nowhere}/v1/token`,
      TRAINYARD_RESOURCE_MANAGER_ENDPOINT: nowhere,
    };
    await home.json(['keys', 'add', file, '--name', 'offline']);
    const started = performance.now();
    const checked = await home.run(['keys', 'check', 'offline'], away);
    expect(performance.now() - started).toBeLessThan(30_000);
    expect(checked).toMatchObject({ status: 4, stdout: 'offline: not checked: offline\n' });
    const json = await home.run(['keys', 'check', 'offline', '--json'], away);
    expect(json.status).toBe(4);
    expect(JSON.parse(json.stdout)).toMatchObject({ name: 'offline', checked: false });
  });

  it('refuses a wrong file with 2, also as JSON', async () => {
    const file = await home.file('user.json', JSON.stringify({ type: 'authorized_user' }));
    const refused = await home.run(['keys', 'add', file, '--json']);
    expect(refused.status).toBe(2);
    const { problem } = JSON.parse(refused.stdout) as { problem: Problem };
    expect(problem.code).toMatch(/^input\./);
    expect(problem.hint).not.toBe('');
    expect(refused.stderr).toContain(problem.message);
  });

  it('keeps its home closed to others', async () => {
    expect((await stat(home.home)).mode & 0o777).toBe(0o700);
    expect(await readdir(home.home)).toContain('vault.json');
    expect((await stat(`${home.home}/vault.json`)).mode & 0o777).toBe(0o600);
  });

  it('uses no key without the passphrase, and says what is missing', async () => {
    const locked = await home.run(
      ['keys', 'add', await home.file('b.json', keyFile('b', newKey()))],
      {
        TRAINYARD_PASSPHRASE_FILE: await home.file('wrong', 'another\n'),
      },
    );
    expect(locked.status).toBe(3);
    expect(locked.stderr).toMatch(/passphrase/i);
  });
});

describe('a job file with mistakes', () => {
  it('is refused with 2, each mistake with its line', async () => {
    const file = await home.file(
      'bad.yaml',
      ['name: a b', 'host: local', 'code: { dir: . }', 'workers: []', 'wrokers: [x]'].join('\n'),
    );
    const refused = await home.run(['run', file]);
    expect(refused.status).toBe(2);
    expect(refused.stderr).toMatch(/bad\.yaml:1:\d+: /);
    expect(refused.stderr).toMatch(/bad\.yaml:4:\d+: /);
    expect(refused.stderr).toMatch(/bad\.yaml:5:\d+: .*workers/);
    expect(await home.json(['jobs'])).toEqual([]);
  });

  it('is told all at once, with its line, also where only this machine knows: folders and keys', async () => {
    const file = await home.file(
      'missing.yaml',
      [
        'name: a',
        'host: local',
        'code: { dir: ./no-code }',
        'workers: [x]',
        'input: { dir: /no-data }',
        'output: { gcs: gs://bucket/x, key: nobody }',
        'workerKeys: [ { key: no-one, mode: key-file } ]',
      ].join('\n'),
    );
    const refused = await home.run(['run', file, '--json']);
    expect(refused.status).toBe(2);
    const { problem } = JSON.parse(refused.stdout) as { problem: Problem };
    expect(problem.message.split('\n')).toEqual([
      'The job file has 4 mistakes:',
      expect.stringMatching(/^missing\.yaml:3:14: .*no folder .*no-code/) as string,
      expect.stringMatching(/^missing\.yaml:5:15: .*no folder .*no-data/) as string,
      expect.stringMatching(/^missing\.yaml:6:36: .*nobody/) as string,
      expect.stringMatching(/^missing\.yaml:7:22: .*no-one/) as string,
    ]);
    expect(refused.stderr).toContain('missing.yaml:7:22: ');
    expect(await home.json(['jobs'])).toEqual([]);
  });
});
