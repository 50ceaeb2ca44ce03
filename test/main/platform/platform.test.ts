import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { writeFileAtomically } from '../../../src/main/platform/atomic-file.ts';
import { execute } from '../../../src/main/platform/execute.ts';
import { openLog, redact } from '../../../src/main/platform/log.ts';
import { homeFolder, homePaths } from '../../../src/main/platform/paths.ts';
import { identityOf, isAlive } from '../../../src/main/platform/processes.ts';
import { problemOf, temporaryFolder, valueOf, writeKeyFile } from '../temp.ts';

test('the home folder is where the platform keeps a program’s data, unless TRAINYARD_HOME moves it', () => {
  expect(homeFolder({}, 'linux', '/home/u')).toBe('/home/u/.local/share/trainyard');
  expect(homeFolder({ XDG_DATA_HOME: '/x' }, 'linux', '/home/u')).toBe('/x/trainyard');
  expect(homeFolder({ XDG_DATA_HOME: 'relative' }, 'linux', '/home/u')).toBe(
    '/home/u/.local/share/trainyard',
  );
  expect(homeFolder({}, 'darwin', '/Users/u')).toBe(
    '/Users/u/Library/Application Support/Trainyard',
  );
  expect(homeFolder({ LOCALAPPDATA: '/l' }, 'win32', '/u')).toBe('/l/Trainyard');
  expect(homeFolder({ TRAINYARD_HOME: '/t', XDG_DATA_HOME: '/x' }, 'linux', '/u')).toBe('/t');
  expect(homeFolder({ TRAINYARD_HOME: '' }, 'linux', '/u')).toBe('/u/.local/share/trainyard');
});

test('the home folder is closed to others', () => {
  const home = join(temporaryFolder(), 'deep', 'home');
  const paths = valueOf(homePaths({ TRAINYARD_HOME: home }));
  for (const folder of [paths.home, paths.runs, paths.agents, paths.logs])
    expect(statSync(folder).mode & 0o777).toBe(0o700);
});

test('a home that cannot be made is a problem of the host with its path', () => {
  const file = join(temporaryFolder(), 'file');
  writeFileAtomically(file, 'x');
  const problem = problemOf(homePaths({ TRAINYARD_HOME: join(file, 'home') }));
  expect(problem.code).toBe('host.home-folder');
  expect(problem.message).toContain(file);
});

test.runIf(process.platform === 'linux')(
  'a home below /proc is refused, and not tried for ever',
  () => {
    for (const home of ['/proc/x', '/proc/x/deep/home'])
      expect(problemOf(homePaths({ TRAINYARD_HOME: home }))).toMatchObject({
        code: 'host.home-folder',
        message: expect.stringContaining(home) as string,
      });
  },
);

test('a file is put in place whole, closed to others, and nothing stays beside it', () => {
  const folder = temporaryFolder();
  const path = join(folder, 'a.json');
  writeFileAtomically(path, 'one');
  writeFileAtomically(path, 'two');
  expect(readFileSync(path, 'utf8')).toBe('two');
  expect(statSync(path).mode & 0o777).toBe(0o600);
  expect(readdirSync(folder)).toEqual(['a.json']);
  expect(() => writeFileAtomically(join(folder, 'no', 'a'), 'x')).toThrow(/ENOENT/);
});

test('a log never holds a private key, a token or a signed assertion', () => {
  const folder = temporaryFolder();
  const file = join(folder, 'key.json');
  const pem = writeKeyFile(file);
  const body = pem.split('\n').slice(1, -2);
  const log = openLog(join(folder, 'logs', 'a.log'));
  const jwt = `eyJhbGciOiJSUzI1NiJ9.${'a'.repeat(40)}.${'b'.repeat(40)}`;
  log.info('pem', pem);
  log.info('file', readFileSync(file, 'utf8'));
  log.info('der', { privateKey: body.join('') });
  log.info('bare', body.join(''));
  log.info('lines', body.join('\n'));
  log.info('parsed', JSON.parse(readFileSync(file, 'utf8')));
  log.error('failed', new Error(`Authorization: Bearer abc.DEF-123 and ya29.c.SECRETTOKEN ${jwt}`));
  log.info('access', { token: 'short-lived-token', expiresAt: 5 });
  log.info('url', 'assertion=XYZSECRET&grant_type=x');
  const text = readFileSync(log.path, 'utf8');
  for (const line of body) expect(text).not.toContain(line);
  for (const secret of ['abc.DEF', 'SECRETTOKEN', 'bbbb', 'short-lived', 'XYZSECRET'])
    expect(text).not.toContain(secret);
  expect(text).toContain('trainer@demo-project.iam.gserviceaccount.com');
  expect(statSync(log.path).mode & 0o777).toBe(0o600);
});

test('what is no secret stays readable', () => {
  const text =
    'gs://input-data-bucket/data 403 for trainer@p.iam.gserviceaccount.com, job 20260101-000000-abcdef';
  expect(redact(text)).toBe(text);
});

test('a log is cut into files, and the oldest goes', () => {
  const path = join(temporaryFolder(), 'a.log');
  const log = openLog(path, { maxBytes: 2_000 });
  for (let line = 0; line < 200; line += 1) log.info(`line ${line} ${'x'.repeat(100)}`);
  expect(existsSync(`${path}.1`)).toBe(true);
  expect(existsSync(`${path}.2`)).toBe(true);
  expect(existsSync(`${path}.3`)).toBe(false);
  expect(statSync(path).size).toBeLessThan(2_300);
  expect(readFileSync(path, 'utf8')).toContain('line 199');
});

test('a program is run without a shell, fed, bounded in time, and told when it is not there', async () => {
  const env = { PATH: process.env['PATH'] };
  const cat = await execute('cat', [], { input: '$(x) `y`', env, timeoutMs: 5_000 });
  expect(cat).toMatchObject({ exitCode: 0, stdout: '$(x) `y`', startError: null });
  const slow = await execute('sleep', ['20'], { env, timeoutMs: 100 });
  expect(slow).toMatchObject({ exitCode: null, timedOut: true });
  const missing = await execute('/no/such/program', [], { env, timeoutMs: 5_000 });
  expect(missing).toMatchObject({ exitCode: null, startError: 'ENOENT' });
  const noisy = await execute('bash', ['-c', 'yes | head -c 5000000; exit 3'], {
    env,
    timeoutMs: 10_000,
    maxOutput: 1_000,
  });
  expect(noisy.exitCode).toBe(3);
  expect(noisy.stdout).toHaveLength(1_000);
  expect((await execute('env', [], { env: { ONLY: '1' }, timeoutMs: 5_000 })).stdout).toBe(
    'ONLY=1\n',
  );
});

test('a process is known by pid, start time and boot together', async () => {
  const own = await identityOf(process.pid);
  if (own === null) throw new Error('no identity');
  expect(await isAlive(own)).toBe(true);
  expect(await isAlive({ ...own, startTime: '1' })).toBe(false);
  expect(await isAlive({ ...own, bootId: 'another' })).toBe(false);
  expect(await identityOf(4_194_304)).toBeNull();
});
