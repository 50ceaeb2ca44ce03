import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import type { AccessToken } from '../../shared/key.ts';
import type { Result } from '../../shared/problem.ts';
import { pageAt, type Identity } from './pages.ts';
import { isOwnPeer } from './peer.ts';

const ADDRESS = '127.0.0.1';

/** Clients give up after three seconds, and come again after a 503. Milliseconds. */
const PATIENCE = 2_000;

export interface TokenServer {
  readonly port: number;
  close(): Promise<void>;
}

export interface TokenServerOptions {
  /** 0: a free one. */
  readonly port: number;
  readonly identity: Identity;
  /** A live token, waited for at most so many milliseconds. */
  readonly token: (patience: number) => Promise<Result<AccessToken>>;
}

interface Answer {
  readonly status: number;
  readonly type: 'text/plain' | 'application/json';
  readonly body: string;
  readonly headers?: Readonly<Record<string, string>>;
}

const say = (status: number, body: string): Answer => ({ status, type: 'text/plain', body });

/**
 * A metadata server as Google's virtual machines have it, on loopback: client libraries and gcloud get their tokens from it. It answers this
 * user alone, requests that carry `Metadata-Flavor: Google` and were not forwarded, addressed to loopback by name (a page in a browser can do none of
 * it). Rejects where the port is taken.
 */
export async function listenForTokens(options: TokenServerOptions): Promise<TokenServer> {
  const peers = new WeakMap<Socket, Promise<boolean>>();
  const isOwn = (socket: Socket): Promise<boolean> => {
    const known = peers.get(socket) ?? isOwnPeer(socket);
    peers.set(socket, known);
    return known;
  };
  const server = createServer({ maxHeaderSize: 16 * 1024 });
  server.on('request', (request, response) => {
    answer(request, options, isOwn)
      .catch(() => say(500, 'The server failed.'))
      .then((reply) => write(request, response, reply))
      .catch(() => response.destroy());
  });
  const port = await listen(server, options.port);
  return {
    port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function listen(server: Server, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, ADDRESS, () => {
      server.off('error', reject);
      resolve((server.address() as AddressInfo).port);
    });
  });
}

async function answer(
  request: IncomingMessage,
  options: TokenServerOptions,
  isOwn: (socket: Socket) => Promise<boolean>,
): Promise<Answer> {
  if (!(await isOwn(request.socket))) return say(403, 'This server serves another user.');
  const { host = '' } = request.headers;
  if (!/^(127\.0\.0\.1|localhost)(:\d+)?$/.test(host)) return say(403, 'Wrong Host header.');
  if (request.headers['x-forwarded-for'] !== undefined)
    return say(403, 'Forwarded requests are refused.');
  if (request.method !== 'GET' && request.method !== 'HEAD') return say(405, 'Use GET.');
  const [path = '/', search = ''] = (request.url ?? '/').split('?');
  if (path !== '/' && request.headers['metadata-flavor'] !== 'Google')
    return say(403, 'Missing Metadata-Flavor:Google header.');
  const recursive = new URLSearchParams(search).get('recursive')?.toLowerCase() === 'true';
  const page = pageAt(decode(path), recursive, options.identity);
  switch (page.kind) {
    case 'missing':
      return say(404, 'Not found.');
    case 'text':
      return say(200, page.text);
    case 'json':
      return { status: 200, type: 'application/json', body: JSON.stringify(page.value) };
    case 'token': {
      const access = await options.token(PATIENCE);
      if (!access.ok)
        return {
          ...say(503, `${access.problem.message} ${access.problem.hint}`),
          headers: { 'retry-after': '2' },
        };
      const { token, expiresAt } = access.value;
      const body = JSON.stringify({
        access_token: token,
        expires_in: Math.max(1, Math.floor((expiresAt - Date.now()) / 1_000)),
        token_type: 'Bearer',
      });
      return { status: 200, type: 'application/json', body };
    }
  }
}

function decode(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
}

function write(request: IncomingMessage, response: ServerResponse, reply: Answer): void {
  const body = Buffer.from(reply.body);
  response.writeHead(reply.status, {
    'metadata-flavor': 'Google',
    server: 'Metadata Server for VM',
    'cache-control': 'no-store',
    'content-type': reply.type,
    'content-length': body.length,
    ...reply.headers,
  });
  response.end(request.method === 'HEAD' ? undefined : body);
}
