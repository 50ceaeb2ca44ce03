import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ask, execute, makeBucket, mint, put } from './ask.ts';
import { emailOf, startEmulator, type RunningEmulator } from './start.ts';
import { EMULATOR } from '../support/programs.ts';
import { randomBytes } from '../support/random.ts';

const KIB256 = 256 * 1024;
const B = 'kept-bucket';
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'trainyard-emulator-restart-'));
});
afterAll(async () => rm(folder, { recursive: true, force: true }));

const sha256 = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');

const chunk = (emulator: RunningEmulator, session: string, body: Buffer | string, range: string) =>
  ask(emulator.url, 'PUT', session, { body, headers: { 'Content-Range': range } });

/** The session's address without the host: the next emulator has another port. */
async function startSession(
  emulator: RunningEmulator,
  name: string,
  more: { token?: string; query?: string } = {},
): Promise<string> {
  const started = await ask(
    emulator.url,
    'POST',
    `/upload/storage/v1/b/${B}/o?uploadType=resumable&${more.query ?? ''}`,
    { json: { name, contentType: 'text/x-kept' }, token: more.token },
  );
  const { pathname, search } = new URL(started.headers['location'] ?? '');
  return pathname + search;
}

async function kill(emulator: RunningEmulator): Promise<void> {
  process.kill(emulator.pid, 'SIGKILL');
  await emulator.stop();
}

test('resumable uploads go on after the emulator was killed; what ended stays so', async () => {
  const dir = join(folder, 'sessions');
  const options = { open: true, dir };
  const first = await startEmulator(options);
  await makeBucket(first.url, B);
  const content = randomBytes(3 * KIB256 + 1000);
  const total = content.length;

  const half = await startSession(first, 'half');
  const part = content.subarray(0, KIB256);
  expect((await chunk(first, half, part, `bytes 0-${KIB256 - 1}/${total}`)).status).toBe(308);
  const untouched = await startSession(first, 'untouched');
  const done = await startSession(first, 'done');
  const made = await chunk(first, done, 'done', 'bytes 0-3/4');
  expect(made.status).toBe(200);
  const cancelled = await startSession(first, 'cancelled');
  expect((await ask(first.url, 'DELETE', cancelled)).status).toBe(499);
  const expired = await startSession(first, 'expired');
  await first.setFaults([{ operation: 'upload-chunk', fault: { kind: 'expired-session' } }]);
  expect((await chunk(first, expired, 'x', 'bytes 0-0/1')).status).toBe(410);
  await first.setFaults([]);
  const createOnly = await startSession(first, 'done', { query: 'ifGenerationMatch=0' }).catch(
    () => null,
  );
  expect(createOnly).toBe(null);
  const clash = await startSession(first, 'clash', { query: 'ifGenerationMatch=0' });
  await put(first.url, B, 'clash', 'somebody was quicker');
  // Killed while a chunk is on its way: the bytes that came are there, but not all were acknowledged.
  const { port } = new URL(first.url);
  const socket = connect(Number(port), '127.0.0.1');
  socket.on('error', () => undefined);
  const cut = await startSession(first, 'cut');
  socket.write(
    `PUT ${cut} HTTP/1.1\r\nHost: x\r\nContent-Length: ${8 * 1024 * 1024}\r\nContent-Range: bytes 0-${8 * 1024 * 1024 - 1}/${8 * 1024 * 1024}\r\n\r\n`,
  );
  const big = randomBytes(8 * 1024 * 1024);
  socket.write(big.subarray(0, 3 * 1024 * 1024));
  await expect
    .poll(async () => {
      const sizes = await Promise.all(
        (await readdir(join(dir, 'sessions'))).map(async (name) =>
          stat(join(dir, 'sessions', name)),
        ),
      );
      return Math.max(0, ...sizes.map(({ size }) => size));
    })
    .toBeGreaterThan(1024 * 1024);
  await kill(first);
  socket.destroy();

  const second = await startEmulator(options);
  try {
    const asked = await chunk(second, half, '', `bytes */${total}`);
    expect([asked.status, asked.headers['range']]).toEqual([308, `bytes=0-${KIB256 - 1}`]);
    const rest = content.subarray(KIB256);
    const object = await chunk(second, half, rest, `bytes ${KIB256}-${total - 1}/${total}`);
    expect(object.json()).toMatchObject({
      name: 'half',
      contentType: 'text/x-kept',
      md5Hash: createHash('md5').update(content).digest('base64'),
    });
    const got = (await ask(second.url, 'GET', `/${B}/half`)).body;
    expect(sha256(got)).toBe(sha256(content));

    const nothing = await chunk(second, untouched, '', 'bytes */4');
    expect([nothing.status, nothing.headers['range']]).toEqual([308, undefined]);
    expect((await chunk(second, untouched, 'abcd', 'bytes 0-3/4')).status).toBe(200);
    const again = await chunk(second, done, '', 'bytes */4');
    expect([again.status, again.json().generation]).toEqual([200, made.json().generation]);
    expect((await chunk(second, cancelled, 'x', 'bytes 0-0/1')).status).toBe(410);
    expect((await chunk(second, expired, 'x', 'bytes 0-0/1')).status).toBe(410);
    expect((await chunk(second, clash, 'x', 'bytes 0-0/1')).status).toBe(412);
    expect((await ask(second.url, 'GET', `/${B}/clash`)).text).toBe('somebody was quicker');

    const offset = await chunk(second, cut, '', `bytes */${big.length}`);
    const kept = Number(/bytes=0-(\d+)/.exec(offset.headers['range'] ?? '')?.[1] ?? -1) + 1;
    expect([offset.status, kept > 0, kept % KIB256]).toEqual([308, true, 0]);
    const range = `bytes ${kept}-${big.length - 1}/${big.length}`;
    expect((await chunk(second, cut, big.subarray(kept), range)).status).toBe(200);
    expect(sha256((await ask(second.url, 'GET', `/${B}/cut`)).body)).toBe(sha256(big));
  } finally {
    await second.stop();
  }
  const third = await startEmulator(options);
  try {
    expect((await chunk(third, half, '', `bytes */${total}`)).status).toBe(200);
    expect(await readdir(join(dir, 'sessions'))).toEqual([]);
  } finally {
    await third.stop();
  }
});

test('a session whose own line is missing, because a kill came first, is known as completed by its object', async () => {
  const dir = join(folder, 'between');
  const options = { open: true, dir };
  const first = await startEmulator(options);
  await makeBucket(first.url, B);
  const session = await startSession(first, 'x');
  const made = (await chunk(first, session, 'abc', 'bytes 0-2/3')).json();
  await kill(first);
  const index = join(dir, 'sessions.jsonl');
  const lines = (await readFile(index, 'utf8')).split('\n');
  expect(lines[1]).toContain('session-ended');
  await writeFile(index, `${lines[0] ?? ''}\n${(lines[1] ?? '').slice(0, 20)}`);
  const second = await startEmulator(options);
  try {
    const asked = await chunk(second, session, '', 'bytes */3');
    expect([asked.status, asked.json().generation]).toEqual([200, made.generation]);
  } finally {
    await second.stop();
  }
});

test('after a restart a session still writes only what its account may', async () => {
  const dir = join(folder, 'rights');
  const account = { name: 'trainer', path: join(folder, 'trainer.json') };
  const grant = `${emailOf('trainer')}=roles/storage.objectCreator@${B}`;
  const first = await startEmulator({ open: true, dir, accounts: [account], grants: [grant] });
  await makeBucket(first.url, B);
  const token = await mint(first, 'trainer');
  const one = await startSession(first, 'one', { token });
  await first.stop();
  await writeFile(join(dir, 'lock'), 'what a killed emulator left behind');
  // Started once more, now without the grant of the account, which the folder had kept in the bucket's policy.
  const second = await startEmulator({ open: true, dir, accounts: [account] });
  try {
    await ask(second.url, 'PUT', `/storage/v1/b/${B}/iam`, { json: { bindings: [] } });
    expect((await chunk(second, one, 'x', 'bytes 0-0/1')).status).toBe(403);
  } finally {
    await second.stop();
  }
});

test('two emulators on one folder: the second says so; a killed one leaves it free', async () => {
  const dir = join(folder, 'locked');
  const first = await startEmulator({ open: true, dir });
  await makeBucket(first.url, B);
  const tried = await execute(process.execPath, [EMULATOR, '--dir', dir]);
  expect([tried.code, tried.stdout.length, tried.stderr]).toEqual([
    4,
    0,
    expect.stringContaining(
      `The folder ${dir} is in use by another emulator (process ${first.pid}).\n`,
    ),
  ]);
  expect((await put(first.url, B, 'x', 'x')).status).toBe(200);
  await kill(first);
  // A pid alone proves nothing: this lock names a process that lives, but began at another time.
  const lock = JSON.parse(await readFile(join(dir, 'lock'), 'utf8')) as Record<string, unknown>;
  await writeFile(join(dir, 'lock'), JSON.stringify({ ...lock, pid: process.pid }));
  const starts = await Promise.allSettled([0, 1, 2].map(() => startEmulator({ open: true, dir })));
  const running = starts.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
  try {
    expect(running.length).toBe(1);
    expect((await ask(running[0]?.url ?? '', 'GET', `/${B}/x`)).text).toBe('x');
  } finally {
    await Promise.all(running.map((one) => one.stop()));
  }
  expect((await readdir(dir)).filter((name) => name.startsWith('lock'))).toEqual([]);
}, 40_000);

test('temporary folders of killed emulators are swept by the next start, and no others', async () => {
  const own = join(folder, 'tmp');
  const other = join(own, 'trainyard-emulator-other-abcdef');
  const abandoned = join(own, 'trainyard-emulator-aaaaaa');
  const notOurs = join(own, 'trainyard-emulator-bbbbbb');
  for (const path of [other, abandoned, notOurs]) await mkdir(path, { recursive: true });
  await writeFile(join(notOurs, 'file'), '');
  for (const path of [abandoned, notOurs]) await utimes(path, 1, 1);
  const start = async () => {
    const child = spawn(process.execPath, [EMULATOR, '--open'], {
      stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
      env: { ...process.env, TMPDIR: own },
    });
    await once(child.stdout ?? child, 'data');
    return child;
  };
  const temporary = async () =>
    (await readdir(own)).filter((name) => !/other|bbbbbb/.test(name)).sort();
  const killed = await start();
  const [left] = await temporary();
  killed.kill('SIGKILL');
  await once(killed, 'exit');
  expect(await temporary()).toEqual([left]);
  const alive = await start();
  const [living, ...more] = await temporary();
  expect([living === left, more]).toEqual([false, []]);
  const beside = await start();
  expect(await temporary()).toContain(living);
  for (const child of [alive, beside]) {
    child.kill('SIGTERM');
    await once(child, 'exit');
  }
  expect(await temporary()).toEqual([]);
  expect((await readdir(own)).length).toBe(2);
});
