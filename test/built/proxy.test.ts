import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { COMMAND_LINE } from '../support/programs.ts';
import {
  ISSUER,
  startConnectProxy,
  startGoogleFront,
  startSocksProxy,
  type ConnectProxy,
} from '../support/connect-proxy.ts';
import { startEmulator, type RunningEmulator } from '../emulator/start.ts';

const PASSWORD = 'hunter2@:/';
const CREDENTIALS = `user:${encodeURIComponent(PASSWORD)}@`;

let folder: string;
let emulator: RunningEmulator;
let front: Awaited<ReturnType<typeof startGoogleFront>>;
let proxy: ConnectProxy;
let closed: ConnectProxy;
let socks: ConnectProxy;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'trainyard-built-proxy-'));
  emulator = await startEmulator({ open: true });
  await fetch(`${emulator.url}/storage/v1/b?project=p`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ name: 'the-bucket' }),
  });
  await fetch(`${emulator.url}/upload/storage/v1/b/the-bucket/o?uploadType=media&name=a.txt`, {
    method: 'POST',
    body: 'alpha',
  });
  front = await startGoogleFront(emulator.url);
  proxy = await startConnectProxy(front.url);
  closed = await startConnectProxy(front.url, { credentials: `user:${PASSWORD}` });
  socks = await startSocksProxy(front.url, { credentials: `user:${PASSWORD}` });
});
beforeEach(() => {
  for (const one of [proxy, closed, socks]) one.forget();
});
afterAll(async () => {
  for (const one of [proxy, closed, socks]) await one.stop();
  await front.stop();
  await emulator.stop();
  rmSync(folder, { recursive: true, force: true });
});

async function trainyard(args: readonly string[], env: Record<string, string>) {
  const child = spawn(process.execPath, [COMMAND_LINE, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      PATH: process.env['PATH'] ?? '',
      HOME: folder,
      TRAINYARD_HOME: join(folder, 'home'),
      ...env,
    },
  });
  const said = { stdout: '', stderr: '' };
  child.stdout.setEncoding('utf8').on('data', (text: string) => (said.stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (said.stderr += text));
  const [status] = (await once(child, 'close')) as [number];
  return { ...said, status };
}
const ls = (env: Record<string, string>) =>
  trainyard(['ls', 'gs://the-bucket/', '--no-key', '--json'], env);
const through = (one: ConnectProxy): string => one.url.replace('://', `://${CREDENTIALS}`);

describe('the built command line asks Google', { timeout: 60_000 }, () => {
  it.each([
    ['that HTTPS_PROXY names', () => ({ HTTPS_PROXY: proxy.url }), () => proxy],
    ['that wants a password', () => ({ HTTPS_PROXY: through(closed) }), () => closed],
    ['of SOCKS that wants a password', () => ({ ALL_PROXY: through(socks) }), () => socks],
  ])('through a proxy %s, and trusts the system’s issuers', async (_, env, which) => {
    const listed = await ls({ ...env(), SSL_CERT_FILE: ISSUER });
    expect(listed.stderr).toBe('');
    expect(listed.status).toBe(0);
    expect(listed.stdout).toContain('gs://the-bucket/a.txt');
    expect(new Set(which().asked())).toEqual(new Set(['storage.googleapis.com:443']));
  });

  it('and copies through a SOCKS proxy what it lists', async () => {
    const env = { ALL_PROXY: through(socks), NODE_EXTRA_CA_CERTS: ISSUER };
    const to = join(folder, 'copied.txt');
    const copied = await trainyard(['cp', 'gs://the-bucket/a.txt', to, '--no-key'], env);
    expect(copied.status, copied.stderr).toBe(0);
    expect(copied.stderr).not.toContain('Warning');
  });

  it('and says what a company proxy asks for where it does not know an issuer', async () => {
    const unchecked = { NODE_TLS_REJECT_UNAUTHORIZED: '0' };
    const { status, stderr } = await ls({ HTTPS_PROXY: proxy.url, ...unchecked });
    expect(status).toBe(4);
    expect(stderr).toContain('NODE_TLS_REJECT_UNAUTHORIZED=0 does not count');
    expect(stderr).toMatch(/storage\.googleapis\.com is not trusted.*company proxy/s);
    expect(stderr).toContain('NODE_EXTRA_CA_CERTS');
    expect(stderr).not.toMatch(/trying again|Tried/);
  });

  it.each([
    ['wants to know who asks', () => ({ HTTPS_PROXY: closed.url }), /user name and a password/],
    [
      'does not know who asks',
      () => ({ HTTPS_PROXY: closed.url.replace('://', '://user:hunter2@') }),
      /does not accept/,
    ],
    ['is of an unknown kind', () => ({ ALL_PROXY: 'socks4://user:hunter2@h:1' }), /socks4:\/\//],
  ])('once where a proxy %s, and exits with 4', async (_, env, words) => {
    const { status, stderr, stdout } = await ls(env());
    expect(status).toBe(4);
    expect(stderr).toMatch(words);
    expect(stderr).not.toMatch(/trying again|Tried/);
    expect(stderr + stdout).not.toContain('hunter2');
    expect(closed.asked().length).toBeLessThan(2);
  });

  it('at no port that web programs refuse, and says so once', async () => {
    const { status, stderr } = await ls({ STORAGE_EMULATOR_HOST: 'http://127.0.0.1:9' });
    expect(status).toBe(4);
    expect(stderr).toContain('127.0.0.1:9 was not asked');
    expect(stderr).not.toMatch(/trying again|Tried|broke/);
  });
});
