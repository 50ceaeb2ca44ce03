import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { mintToken } from '../../src/google/access-token.ts';
import { askStorage } from '../../src/google/client.ts';
import { listenersIn } from '../../src/google/listener.ts';
import { parseServiceAccountFile } from '../../src/google/service-account-file.ts';
import {
  ENDED_EMULATOR,
  GOOGLE_ENDPOINTS,
  variablesLeftOut,
  type GoogleEndpoints,
} from '../../src/shared/endpoints.ts';
import { COMMAND_LINE } from '../support/programs.ts';
import { AS_NOBODY, cannotDropPrivileges } from '../support/without-privileges.ts';
import { makeQuickVault } from '../support/quick-vault.ts';
import { keyFileFields, rsaKey } from './keys.ts';
import { answerJson, emulatedAt, knowing, readAssertion, serve } from './token-server.ts';

const privateKey = rsaKey();
const genuine = parseServiceAccountFile(Buffer.from(JSON.stringify(keyFileFields(privateKey))), {
  fileName: 'key.json',
});
if (!genuine.ok) throw new Error(genuine.problem.message);
const key = genuine.value;
const signal = new AbortController().signal;

const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

/** Somebody who took a port, and keeps what is sent there. */
async function eavesdropper(): Promise<{ readonly url: string; readonly heard: () => string }> {
  let heard = '';
  const server: Server = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.on('data', (data) => {
      heard += data.toString('latin1');
      socket.end('HTTP/1.1 404 Not Found\r\ncontent-length: 2\r\n\r\n{}');
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  closing.push(() => server.close());
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    heard: () => heard,
  };
}

const mint = (endpoints: GoogleEndpoints) =>
  mintToken(key, 'read', endpoints, { signal, timeoutMs: 5_000 });
const list = (endpoints: GoogleEndpoints) =>
  askStorage(
    { endpoints, tokens: null, signal, deadlineMs: 3_000 },
    { op: 'list objects', bucket: 'bucket', permission: 'storage.objects.list' },
    async (storage) => (await storage.bucket('bucket').getFiles({ autoPaginate: false }))[0],
  );

describe('a genuine key where Google is emulated', () => {
  it('is not signed with for whoever listens there and does not know it', async () => {
    const { url, heard } = await eavesdropper();
    expect(await mint(emulatedAt(url))).toMatchObject({
      problem: {
        code: 'access.key-not-emulated',
        message: expect.stringContaining(key.clientEmail) as string,
      },
    });
    expect(heard()).toMatch(/^GET \/service_accounts\/v1\/jwk\//);
    expect(heard()).not.toMatch(/POST|eyJ|assertion/);
  });

  it.each([
    ['another key under its number', (kid: string) => ({ kid, other: true })],
    ['its public half under another number', () => ({ kid: '0'.repeat(40), other: false })],
  ])('is not known by %s', async (_what, claims) => {
    const { kid, other } = claims(key.privateKeyId);
    const posted: string[] = [];
    const server = await serve(
      knowing(other ? rsaKey() : privateKey, kid, (_request, response, body) => {
        posted.push(body);
        answerJson(response, 200, { access_token: 't', expires_in: 60 });
      }),
    );
    closing.push(() => server.stop());
    expect(await mint(emulatedAt(server.url))).toMatchObject({
      problem: { code: 'access.key-not-emulated' },
    });
    expect(posted).toEqual([]);
  });

  it('signs, for one that claims to know it, what is worth nothing at Google', async () => {
    const audiences: unknown[] = [];
    const server = await serve(
      knowing(privateKey, key.privateKeyId, (_request, response, body) => {
        audiences.push(readAssertion(body, privateKey).claims['aud']);
        answerJson(response, 200, { access_token: 't', expires_in: 60 });
      }),
    );
    closing.push(() => server.stop());
    expect(await mint(emulatedAt(server.url))).toMatchObject({ ok: true });
    expect(audiences).toEqual([`${server.url}/token`]);
  });

  it.each([
    ['storage alone', ['storage']],
    ['all but the token endpoint', ['storage', 'securityTokenService', 'resourceManager']],
    ['the token endpoint alone', ['oauthToken']],
    ['all but the security token service', ['storage', 'oauthToken', 'resourceManager']],
  ] as const)('is not used where %s is emulated', async (_what, names) => {
    const { url, heard } = await eavesdropper();
    const all = emulatedAt(url);
    const moved = Object.fromEntries(names.map((name) => [name, all[name]]));
    const endpoints = { ...GOOGLE_ENDPOINTS, ...moved, emulated: true };
    const minted = await mint(endpoints);
    expect(minted).toMatchObject({ problem: { code: 'input.partly-emulated' } });
    for (const variable of variablesLeftOut(endpoints))
      expect(minted.ok ? '' : minted.problem.message).toContain(variable);
    expect(heard()).toBe('');
    // Without a key an emulator of storage alone is asked.
    if (!('storage' in moved)) return;
    expect(await list(endpoints)).toMatchObject({ problem: { code: 'input.bucket-not-found' } });
    expect(heard()).toMatch(/^GET \/storage\/v1\/b\/bucket\/o/);
    expect(heard()).not.toMatch(/authorization/i);
  });

  it('goes nowhere once the emulated Google has ended', async () => {
    for (const asked of [await mint(ENDED_EMULATOR), await list(ENDED_EMULATOR)])
      expect(asked).toMatchObject({ problem: { code: 'network.emulator-ended' } });
  });
});

describe('who listens', () => {
  const head =
    '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n';
  const line = (local: string, state: string, uid: number): string =>
    `   0: ${local} 00000000:0000 ${state} 00000000:00000000 00:00000000 00000000  ${String(uid)}        0 1 1\n`;
  const V6 = '0'.repeat(32);

  it.each([
    ['127.0.0.1', '0100007F:1F90', [7]],
    ['any address', '00000000:1F90', [7]],
    ['127.0.0.2, which answers for itself', '0200007F:1F90', [7]],
    ['::1', `${'0'.repeat(24)}01000000:1F90`, [7]],
    ['::', `${V6}:1F90`, [7]],
    ['::ffff:127.0.0.1', `${'0'.repeat(16)}FFFF00000100007F:1F90`, [7]],
    ['another machine’s side', '0A00000A:1F90', []],
    ['another port', '0100007F:1F91', []],
  ])('at %s', (_where, local, users) => {
    expect(listenersIn(head + line(local, '0A', 7), 8_080)).toEqual(users);
    // A connection that is open is no listener.
    expect(listenersIn(head + line(local, '01', 7), 8_080)).toEqual([]);
  });
});

const noUser = cannotDropPrivileges();
describe.skipIf(noUser !== null)(
  `an emulated address at which another user listens${noUser === null ? '' : ` (skipped: ${noUser})`}`,
  () => {
    /** What the other user hears is told on its stdout. */
    const LISTENS = `
      const server = require('node:net').createServer((socket) => {
        socket.on('error', () => {});
        socket.on('data', (data) => { process.stdout.write('heard ' + data.length + '\\n'); socket.end(); });
      });
      server.listen(0, '127.0.0.1', () => process.stdout.write('port ' + server.address().port + '\\n'));
    `;
    async function otherUser(): Promise<{ readonly url: string; readonly said: () => string }> {
      const child: ChildProcess = spawn(
        'setpriv',
        [...AS_NOBODY, process.execPath, '-e', LISTENS],
        {
          cwd: '/',
          stdio: ['ignore', 'pipe', 'inherit'],
        },
      );
      let said = '';
      child.stdout?.setEncoding('utf8').on('data', (text: string) => (said += text));
      closing.push(async () => {
        const ended = once(child, 'exit');
        child.kill('SIGKILL');
        await ended;
      });
      await expect.poll(() => said).toMatch(/^port \d+\n/);
      return { url: `http://127.0.0.1:${said.trim().slice(5)}`, said: () => said };
    }

    it('gets no signature, no question and no byte', async () => {
      const { url, said } = await otherUser();
      for (const asked of [await mint(emulatedAt(url)), await list(emulatedAt(url))])
        expect(asked).toMatchObject({
          problem: { code: 'network.stranger-listens', retryable: false },
        });
      expect(said()).not.toContain('heard');
    });

    it('ends every command that would ask, with the reason', async () => {
      const { url, said } = await otherUser();
      const folder = mkdtempSync(path.join(tmpdir(), 'trainyard-stranger-'));
      closing.push(() => rmSync(folder, { recursive: true, force: true }));
      await makeQuickVault(path.join(folder, 'home'), 'x');
      const { storage, oauthToken, securityTokenService, resourceManager } = emulatedAt(url);
      const env = {
        PATH: process.env['PATH'] ?? '',
        HOME: folder,
        TRAINYARD_HOME: path.join(folder, 'home'),
        STORAGE_EMULATOR_HOST: storage,
        TRAINYARD_OAUTH_ENDPOINT: oauthToken,
        TRAINYARD_STS_ENDPOINT: securityTokenService,
        TRAINYARD_RESOURCE_MANAGER_ENDPOINT: resourceManager,
      };
      const run = async (args: readonly string[]) => {
        const child = spawn(process.execPath, [COMMAND_LINE, ...args], { env, cwd: folder });
        let stderr = '';
        child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
        const [status] = (await once(child, 'close')) as [number | null];
        return { status, stderr };
      };
      for (const args of [
        ['ls', 'gs://bucket/', '--no-key'],
        ['cp', 'gs://bucket/data', './data', '--no-key'],
        ['cp', './home', 'gs://bucket/data', '--no-key'],
      ]) {
        const { status, stderr } = await run(args);
        expect(stderr).toMatch(/^Note: Google is emulated at 127\.0\.0\.1:\d+/);
        expect(stderr, args.join(' ')).toContain('another user');
        expect(status, args.join(' ')).not.toBe(0);
      }
      expect(said()).not.toContain('heard');
    });
  },
);
