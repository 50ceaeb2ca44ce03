import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ask, execute, makeBucket, mint, objectPath, put, readKeyFile } from './ask.ts';
import { emailOf, startEmulator } from './start.ts';
import { EMULATOR } from '../support/programs.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'trainyard-emulator-process-'));
});
afterAll(async () => rm(folder, { recursive: true, force: true }));

const run = (argv: readonly string[]) => execute(process.execPath, [EMULATOR, ...argv]);

test.each([
  [['--what'], /what/],
  [['stray'], /stray/],
  [['--port', 'x'], /--port must be a whole number/],
  [['--port', '70000'], /--port/],
  [['--token-lifetime', '0'], /--token-lifetime/],
  [['--project', 'X'], /--project/],
  [['--role', 'x'], /--role/],
  [['--grant', 'nonsense'], /EMAIL=ROLE-OR-PERMISSION@BUCKET/],
  [['--grant', 'a@b=roles/storage.nothing@bucket'], /"roles\/storage.nothing" is no role/],
  [['--grant', 'a@b=roles/storage.admin@Bad_Bucket!'], /is not a bucket name/],
  [['--grant', 'somebody=roles/storage.admin@bucket'], /neither an e-mail address/],
  [['--grant', 'a@b=roles/storage.admin@bucket@resource.name != "x"'], /"!=" at position 15/],
  [['--account', '/nowhere/at/all.json'], /cannot be written/],
  [['--account', '/tmp/Not A Name.json'], /cannot be the name of a service account/],
])('refused with what happened, what to do, and status 2: %j', async (argv, sentence) => {
  const { code, stdout, stderr } = await run(argv);
  expect([code, stdout.toString()]).toEqual([2, '']);
  expect(stderr).toMatch(/^Error: .+\n {2}\S.+\n$/);
  expect(stderr).toMatch(sentence);
});

test('a key file that is none is refused without a word of it', async () => {
  const path = join(folder, 'wrong.json');
  await writeFile(path, '{"type":"service_account","private_key":"SECRET"}');
  const { code, stderr } = await run(['--account', path]);
  expect([code, stderr.includes('SECRET')]).toEqual([2, false]);
  expect(stderr).toContain('is not the JSON key file');
});

test('a taken port is told, status 4', async () => {
  const first = await startEmulator({ ownProcess: true });
  try {
    const { code, stderr } = await run(['--port', new URL(first.url).port]);
    expect([code, stderr]).toEqual([
      4,
      expect.stringMatching(/^Error: .*in use.*\n {2}.*--port 0/),
    ]);
  } finally {
    await first.stop();
  }
});

test.each([
  ['/proc/trainyard', /^Error: The folder \/proc\/trainyard cannot be used.*\n {2}.*--dir/],
  ['a-file/below', /^Error: .*a file is in its place, or above it\.\n {2}.*--dir/],
])('a folder that cannot be made is told, status 4: %s', async (name, told) => {
  await writeFile(join(folder, 'a-file'), '');
  const { code, stderr } = await run(['--dir', resolve(folder, name)]);
  expect(code).toBe(4);
  expect(stderr).toMatch(told);
});

test('without a folder for temporary files it says so, status 4', async () => {
  const env = { ...process.env, TMPDIR: '/nowhere' };
  const { code, stderr } = await execute(process.execPath, [EMULATOR], { env });
  expect(code).toBe(4);
  expect(stderr).toMatch(/^Error: No folder can be made in \/nowhere \(ENOENT\).\n {2}Set TMPDIR/);
});

test('stdout is the four lines, in one write; SIGTERM ends it at once, with connections open', async () => {
  const own = join(folder, 'tmp');
  await execute('mkdir', ['-p', own]);
  const child = spawn(process.execPath, [EMULATOR], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, TMPDIR: own },
  });
  const writes: string[] = [];
  child.stdout.setEncoding('utf8').on('data', (text: string) => writes.push(text));
  await once(child.stdout, 'data');
  const port = /:(\d+)$/m.exec(writes.join(''))?.[1] ?? '';
  const origin = `http://127.0.0.1:${port}`;
  expect(writes).toEqual([
    [
      `export STORAGE_EMULATOR_HOST=${origin}`,
      `export TRAINYARD_OAUTH_ENDPOINT=${origin}/token`,
      `export TRAINYARD_STS_ENDPOINT=${origin}/v1/token`,
      `export TRAINYARD_RESOURCE_MANAGER_ENDPOINT=${origin}`,
      '',
    ].join('\n'),
  ]);
  expect(await readdir(own)).toHaveLength(1);
  const idle = connect(Number(port), '127.0.0.1');
  idle.on('error', () => undefined);
  await once(idle, 'connect');
  idle.write('GET /storage/v1/b HTTP/1.1\r\n');
  const from = Date.now();
  child.kill('SIGTERM');
  const [code] = (await once(child, 'exit')) as [number | null];
  expect([code, Date.now() - from < 3000]).toEqual([0, true]);
  expect(await readdir(own)).toEqual([]);
  idle.destroy();
});

test('it ends when the process that holds a channel to it goes away', async () => {
  const child = spawn(process.execPath, [EMULATOR], {
    stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
  });
  await once(child.stdout ?? child, 'data');
  child.disconnect();
  expect((await once(child, 'exit'))[0]).toBe(0);
});

test('a missing key file is written as Google writes one, mode 0600; an existing one is left as it is', async () => {
  const path = join(folder, 'maker.json');
  const options = {
    ownProcess: true,
    accounts: [{ name: 'maker', path }],
    flags: ['--project', 'other-project'],
  };
  const first = await startEmulator(options);
  const file = JSON.parse(await readFile(path, 'utf8')) as Record<string, string>;
  const { private_key: pem, ...rest } = file;
  expect(Object.keys(file)).toEqual([
    'type',
    'project_id',
    'private_key_id',
    'private_key',
    'client_email',
    'client_id',
    'auth_uri',
    'token_uri',
    'auth_provider_x509_cert_url',
    'client_x509_cert_url',
    'universe_domain',
  ]);
  expect(rest).toMatchObject({
    type: 'service_account',
    project_id: 'other-project',
    private_key_id: expect.stringMatching(/^[0-9a-f]{40}$/) as string,
    client_email: emailOf('maker', 'other-project'),
    client_id: expect.stringMatching(/^\d{21}$/) as string,
    token_uri: `${first.url}/token`,
    universe_domain: 'googleapis.com',
  });
  expect(pem).toMatch(/^-----BEGIN PRIVATE KEY-----\n[\s\S]+\n-----END PRIVATE KEY-----\n$/);
  expect((await stat(path)).mode & 0o777).toBe(0o600);
  await first.stop();
  const second = await startEmulator(options);
  expect(JSON.parse(await readFile(path, 'utf8'))).toEqual(file);
  expect(await mint(second, 'maker')).toMatch(/^ya29/);
  await second.stop();
});

test('with --dir buckets, objects and policies survive', async () => {
  const dir = join(folder, 'kept');
  const B = 'kept-bucket';
  const options = {
    open: true,
    dir,
    accounts: [{ name: 'trainer', path: join(folder, 'trainer.json') }],
    grants: [`${emailOf('trainer')}=storage.objects.get@${B}`],
  };
  const policy = {
    version: 3,
    bindings: [
      {
        role: 'roles/storage.objectCreator',
        members: [`serviceAccount:${emailOf('trainer')}`],
        condition: {
          title: 't',
          expression: `resource.name.startsWith("projects/_/buckets/${B}/objects/out/")`,
        },
      },
    ],
  };
  const first = await startEmulator(options);
  await makeBucket(first.url, B);
  await put(first.url, B, 'replaced', 'one');
  const object = (
    await put(first.url, B, 'replaced', 'two', { headers: { 'Content-Type': 'text/x-kept' } })
  ).json();
  await put(first.url, B, 'deleted', 'x');
  await ask(first.url, 'DELETE', objectPath(B, 'deleted'));
  await ask(first.url, 'PUT', `/storage/v1/b/${B}/iam`, { json: policy });
  // Killed: nothing is written at the end, and a line that was cut short does no harm.
  process.kill(first.pid, 'SIGKILL');
  await first.stop();
  const index = join(dir, 'index.jsonl');
  const written = await readFile(index, 'utf8');
  // As if the clock had been an hour ahead then: what comes is newer all the same.
  const generation = String(Number(object.generation) + 3_600_000_000);
  await rename(join(dir, 'content', object.generation), join(dir, 'content', generation));
  await writeFile(
    index,
    `${written.replaceAll(object.generation, generation)}{"kind":"object","obj`,
  );

  const second = await startEmulator(options);
  try {
    const there = (await ask(second.url, 'GET', objectPath(B, 'replaced'))).json();
    expect(there).toMatchObject({
      generation,
      contentType: 'text/x-kept',
      crc32c: object.crc32c,
    });
    expect((await ask(second.url, 'GET', `/${B}/replaced`)).text).toBe('two');
    expect((await ask(second.url, 'GET', objectPath(B, 'deleted'))).status).toBe(404);
    expect(await readdir(join(dir, 'content'))).toEqual([generation]);
    expect(await readdir(join(dir, 'incoming'))).toEqual([]);
    const token = await mint(second, 'trainer');
    expect((await put(second.url, B, 'out/x', 'x', { token })).status).toBe(200);
    expect((await put(second.url, B, 'other/x', 'x', { token })).status).toBe(403);
    // The grant of the command line is there again, beside the policy that was set.
    expect((await ask(second.url, 'GET', objectPath(B, 'replaced'), { token })).status).toBe(200);
    const newer = (await put(second.url, B, 'newer', 'x')).json();
    expect(Number(newer.generation)).toBeGreaterThan(Number(generation));
  } finally {
    await second.stop();
  }
});

test('the request log tells who asked for what, and no token', async () => {
  const emulator = await startEmulator({
    ownProcess: true,
    accounts: [{ name: 'trainer' }],
    admins: [emailOf('trainer')],
  });
  try {
    const token = await mint(emulator, 'trainer');
    const B = 'logged-bucket';
    await makeBucket(emulator.url, B, token);
    await put(emulator.url, B, 'dir/x', 'hello', { token });
    const { headers } = await ask(
      emulator.url,
      'POST',
      `/upload/storage/v1/b/${B}/o?uploadType=resumable`,
      {
        token,
        json: { name: 'dir/y' },
      },
    );
    await ask(emulator.url, 'PUT', headers['location'] ?? '', { body: 'resumed' });
    await ask(emulator.url, 'GET', `${objectPath(B, 'dir/x')}?alt=media`, {
      token,
      headers: { Range: 'bytes=1-2' },
    });
    await ask(emulator.url, 'GET', objectPath(B, 'dir/x'));
    const lines = await emulator.requestLog();
    const account = emailOf('trainer');
    expect(lines.slice(1)).toMatchObject([
      { method: 'POST', path: '/storage/v1/b', bucket: null, object: null, status: 200, account },
      { method: 'POST', bucket: B, object: 'dir/x', status: 200, bytes: 5, account },
      { method: 'POST', bucket: B, object: 'dir/y', status: 200, account },
      { method: 'PUT', bucket: B, object: 'dir/y', status: 200, bytes: 7, account: null },
      { method: 'GET', bucket: B, object: 'dir/x', status: 206, bytes: 2, account },
      { method: 'GET', bucket: B, object: 'dir/x', status: 401, account: null },
    ]);
    const text = JSON.stringify(lines);
    const key = await readKeyFile(emulator.keyFiles['trainer'] ?? '');
    const session = new URL(headers['location'] ?? '').searchParams.get('upload_id') ?? '-';
    for (const secret of [token, session, key.private_key.slice(40, 80)])
      expect(text).not.toContain(secret);
  } finally {
    await emulator.stop();
  }
});

test('with --linger it outlives the program that holds its channel until nothing was asked for so long', async () => {
  const child = spawn(process.execPath, [EMULATOR, '--open', '--linger', '2'], {
    stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
  });
  const ended = once(child, 'exit');
  const [text] = (await once(child.stdout!, 'data')) as [Buffer];
  const url = /STORAGE_EMULATOR_HOST=(\S+)/.exec(text.toString())?.[1] ?? '';
  child.disconnect();
  // Asked for something, it lives on: longer than the two seconds in all.
  const begin = performance.now();
  while (performance.now() - begin < 2_600) {
    expect((await fetch(`${url}/storage/v1/b?project=demo-project`)).status).toBe(200);
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  const [code] = (await ended) as [number | null];
  expect(code).toBe(0);
});
