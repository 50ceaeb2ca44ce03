import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import type { AccessToken } from '../../shared/key.ts';
import type { Result } from '../../shared/problem.ts';
import { pageAt, type Identity } from './pages.ts';
import { peers, type Peers } from './peer.ts';

const ADDRESS = '127.0.0.1';

/** Clients give up after three seconds, and come again after a 503. Milliseconds. */
const PATIENCE = 2_000;

/** Connections whose user is not known yet, and those of this user: more are closed at once. Each takes the agent a file of its own. */
const MOST_UNKNOWN = 256;
const MOST_OWN = 1_024;
/** A client asks at once, and nobody else gets to ask. Milliseconds. */
const HEADERS_TIME = 5_000;
const REQUEST_TIME = 10_000;
const IDLE_TIME = 15_000;

const ANOTHER_USER = 'This server serves another user.';
/** Written without reading what was asked: whoever is refused costs as little as can be. */
const REFUSAL = `HTTP/1.1 403 Forbidden\r\nmetadata-flavor: Google\r\ncontent-type: text/plain\r\ncontent-length: ${ANOTHER_USER.length}\r\nconnection: close\r\n\r\n${ANOTHER_USER}`;

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
export async function listenForTokens(
  options: TokenServerOptions,
  lookup: Peers = peers(),
): Promise<TokenServer> {
  const owners = new WeakMap<Socket, Promise<boolean>>();
  const server = createServer({
    maxHeaderSize: 16 * 1024,
    headersTimeout: HEADERS_TIME,
    requestTimeout: REQUEST_TIME,
    connectionsCheckingInterval: 1_000,
  });
  server.setTimeout(IDLE_TIME);
  server.on('connection', admitting(lookup, owners));
  server.on('request', (request, response) => {
    const { socket } = request;
    Promise.resolve(owners.get(socket) ?? false)
      .then(async (isOwn) => {
        // It was refused already.
        if (!isOwn) return;
        const reply = await answer(request, options).catch(() => say(500, 'The server failed.'));
        write(request, response, reply);
      })
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

/**
 * Decides about each connection as it comes, before anything is read of it: one of another user is answered and closed, so that it neither keeps a
 * file of this process nor makes those of this user wait. `owners` gets what was found.
 */
function admitting(lookup: Peers, owners: WeakMap<Socket, Promise<boolean>>) {
  let unknown = 0;
  let own = 0;
  return (socket: Socket): void => {
    if (unknown >= MOST_UNKNOWN) {
      socket.destroy();
      return;
    }
    unknown += 1;
    const isOwn = lookup
      .isOwn(socket)
      .catch(() => false)
      .then((found) => {
        unknown -= 1;
        if (!found) {
          socket.end(REFUSAL, () => socket.destroy());
          return false;
        }
        if (own >= MOST_OWN || socket.destroyed) {
          socket.destroy();
          return false;
        }
        own += 1;
        socket.once('close', () => (own -= 1));
        return true;
      });
    owners.set(socket, isOwn);
  };
}

async function answer(request: IncomingMessage, options: TokenServerOptions): Promise<Answer> {
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
