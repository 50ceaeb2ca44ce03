import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { createConnection, type Socket } from 'node:net';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { peers, type Peers } from '../../src/agent/token-server/peer.ts';
import { listenForTokens, type TokenServer } from '../../src/agent/token-server/server.ts';
import { ok } from '../../src/shared/problem.ts';
import { AS_NOBODY, cannotDropPrivileges } from '../support/without-privileges.ts';

const TOKEN = '/computeMetadata/v1/instance/service-accounts/default/token';
const open: TokenServer[] = [];
const children: ChildProcess[] = [];
const sockets: Socket[] = [];
afterEach(async () => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
  for (const socket of sockets.splice(0)) socket.destroy();
  for (const server of open.splice(0)) await server.close();
});

async function serve(lookup?: Peers): Promise<TokenServer> {
  const server = await listenForTokens(
    {
      port: 0,
      identity: { email: 'e', projectId: 'p', scopes: [] },
      token: () => Promise.resolve(ok({ token: 'ya29.t', expiresAt: Date.now() + 60_000 })),
    },
    lookup,
  );
  open.push(server);
  return server;
}

async function ask({ port }: TokenServer): Promise<number> {
  const headers = { 'Metadata-Flavor': 'Google', connection: 'close' };
  const answer = await fetch(`http://127.0.0.1:${port}${TOKEN}`, { headers });
  await answer.arrayBuffer();
  return answer.status;
}

const openFiles = (): number => readdirSync('/proc/self/fd').length;

/** Keeps so many connections open, and opens each anew that is closed; tells on stdout what it was answered, and how often it was closed. */
const FLOOD = (port: number): string => `
import { createConnection } from 'node:net';
let closed = 0;
const connect = () => {
  const socket = createConnection(${port}, '127.0.0.1');
  socket.on('data', (part) => { if (closed === 0) console.log(String(part).split('\\r\\n')[0]); });
  socket.on('error', () => {});
  socket.on('close', () => {
    closed += 1;
    if (closed === 500) console.log('500 closed');
    setImmediate(connect);
  });
};
for (let n = 0; n < 200; n += 1) connect();
`;

describe('another user', () => {
  test.skipIf(cannotDropPrivileges() !== null)(
    'who opens connections without end takes no files of the agent, and keeps nobody of this user waiting (skipped where privileges cannot be dropped)',
    async () => {
      const server = await serve();
      const before = openFiles();
      const flood = spawn(
        'setpriv',
        [...AS_NOBODY, process.execPath, '--input-type=module', '-e', FLOOD(server.port)],
        { cwd: '/', stdio: ['ignore', 'pipe', 'inherit'] },
      );
      children.push(flood);
      let said = '';
      flood.stdout.on('data', (part: Buffer) => (said += part.toString()));
      await vi.waitFor(() => expect(said).toContain('500 closed'), 30_000);
      expect(said).toContain('HTTP/1.1 403 Forbidden');
      for (let asked = 0; asked < 20; asked += 1) expect(await ask(server)).toBe(200);
      expect(openFiles()).toBeLessThan(before + 350);
      flood.kill('SIGKILL');
      await once(flood, 'exit');
      await vi.waitFor(() => expect(openFiles()).toBeLessThan(before + 20), 10_000);
    },
    60_000,
  );
});

describe('connections', () => {
  const connect = async ({ port }: TokenServer): Promise<Socket> => {
    const socket = createConnection({ port, host: '127.0.0.1' });
    sockets.push(socket);
    socket.on('error', () => undefined).resume();
    await once(socket, 'connect');
    return socket;
  };

  test('whose user is not known yet are bounded, and those who come later are served once it is known', async () => {
    let tell: (isOwn: boolean) => void = () => undefined;
    const known = new Promise<boolean>((resolve) => (tell = resolve));
    const server = await serve({ uidOf: () => Promise.resolve(null), isOwn: () => known });
    let refused = 0;
    const many = await Promise.all(Array.from({ length: 300 }, () => connect(server)));
    for (const socket of many) socket.once('close', () => (refused += 1));
    await vi.waitFor(() => expect(refused).toBe(44));
    tell(false);
    await vi.waitFor(() => expect(refused).toBe(300));
  });

  test('that ask for one table at a time are told by one reading of it', async () => {
    let readings = 0;
    const lookup = peers(async () => {
      readings += 1;
      await new Promise((resolve) => setTimeout(resolve, 20));
      return new Map();
    });
    const socket = {
      remoteAddress: '127.0.0.1',
      localAddress: '127.0.0.1',
      localPort: 1,
      destroyed: false,
    };
    const found = await Promise.all(
      Array.from({ length: 500 }, (_, index) => lookup.uidOf({ ...socket, remotePort: index + 2 })),
    );
    expect(new Set(found)).toEqual(new Set([null]));
    // Each is looked for three times, which would be 1,500.
    expect(readings).toBeLessThan(20);
  });
});
