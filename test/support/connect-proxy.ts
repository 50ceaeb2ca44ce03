import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer, request as askHttp } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { connect, createServer as createTcpServer, type AddressInfo, type Socket } from 'node:net';
import { join } from 'node:path';

/** The variables that name proxies, in both spellings. */
export const PROXY_VARIABLES = [
  'HTTP_PROXY',
  'http_proxy',
  'HTTPS_PROXY',
  'https_proxy',
  'ALL_PROXY',
  'all_proxy',
  'NO_PROXY',
  'no_proxy',
] as const;

/** Certificates of a made-up issuer, and of `storage.`, `oauth2.` and `sts.googleapis.com` by it, valid until 2120. */
const TLS = join(import.meta.dirname, '../fixtures/tls');
export const ISSUER = join(TLS, 'issuer.pem');

export interface ConnectProxy {
  readonly url: string;
  /** What was asked for, `host:port`, since the last call of `forget`. */
  asked(): readonly string[];
  forget(): void;
  stop(): Promise<void>;
}

export interface ProxyOptions {
  /** Sent in place of a way onward. */
  readonly refusal?: {
    readonly status: number;
    readonly headers?: Readonly<Record<string, string>>;
  };
  /** `user:password` that must be sent. */
  readonly credentials?: string;
}

/** A proxy of the usual kind: CONNECT, then bytes both ways. Whatever host is asked for, the other end is `target`. */
export async function startConnectProxy(
  target: string,
  { refusal, credentials }: ProxyOptions = {},
): Promise<ConnectProxy> {
  const { port, hostname } = new URL(target);
  const sockets = new Set<Socket>();
  let asked: string[] = [];
  const server = createServer((_, answer) => answer.writeHead(405).end());
  const wanted =
    credentials === undefined ? null : `Basic ${Buffer.from(credentials).toString('base64')}`;
  server.on('connect', (request, socket: Socket) => {
    asked.push(request.url ?? '');
    sockets.add(socket);
    socket.on('error', () => undefined);
    const refused =
      refusal ??
      (wanted === null || request.headers['proxy-authorization'] === wanted
        ? null
        : { status: 407, headers: { 'Proxy-Authenticate': 'Basic realm="Office"' } });
    if (refused !== null) {
      const headers = Object.entries(refused.headers ?? {}).map(
        ([name, value]) => `${name}: ${value}\r\n`,
      );
      socket.end(`HTTP/1.1 ${refused.status} No\r\n${headers.join('')}Content-Length: 2\r\n\r\nno`);
      return;
    }
    const onward = connect(Number(port), hostname, () => {
      socket.write('HTTP/1.1 200 Connection established\r\n\r\n');
      onward.pipe(socket).pipe(onward);
    });
    sockets.add(onward);
    onward.on('error', () => undefined);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked: () => asked,
    forget: () => {
      asked = [];
    },
    async stop() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

/** A SOCKS5 proxy (RFC 1928, 1929): one that wants `user:password`, or none; `reply` other than 0 refuses. The other end is `target`. */
export async function startSocksProxy(
  target: string,
  { credentials, reply = 0 }: { readonly credentials?: string; readonly reply?: number } = {},
): Promise<ConnectProxy> {
  const { port, hostname } = new URL(target);
  const sockets = new Set<Socket>();
  let asked: string[] = [];
  const server = createTcpServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    let step: 'hello' | 'sign-in' | 'connect' = 'hello';
    const onData = (data: Buffer): void => {
      if (step === 'hello') {
        const method = credentials === undefined ? 0 : 2;
        const isOffered = data.subarray(2, 2 + (data[1] ?? 0)).includes(method);
        step = credentials === undefined ? 'connect' : 'sign-in';
        socket.write(Buffer.from([5, isOffered ? method : 0xff]));
        return;
      }
      if (step === 'sign-in') {
        const user = data.subarray(2, 2 + (data[1] ?? 0)).toString();
        const password = data.subarray(3 + user.length).toString();
        step = 'connect';
        socket.write(Buffer.from([1, `${user}:${password}` === credentials ? 0 : 1]));
        return;
      }
      socket.off('data', onData);
      const length = data[4] ?? 0;
      asked.push(`${data.subarray(5, 5 + length).toString()}:${data.readUInt16BE(5 + length)}`);
      const answer = Buffer.from([5, reply, 0, 1, 127, 0, 0, 1, 0, 80]);
      if (reply !== 0) {
        socket.end(answer);
        return;
      }
      const onward = connect(Number(port), hostname, () => {
        socket.write(answer);
        onward.pipe(socket).pipe(onward);
      });
      sockets.add(onward);
      onward.on('error', () => undefined);
    };
    socket.on('data', onData);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `socks5://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked: () => asked,
    forget: () => {
      asked = [];
    },
    async stop() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

/** An emulator behind Google's names: TLS with a certificate of {@link ISSUER}, requests handed on to `target`. Its url is for a proxy to lead to. */
export async function startGoogleFront(
  target: string,
): Promise<{ readonly url: string; stop(): Promise<void> }> {
  const pem = readFileSync(join(TLS, 'google.pem'));
  const server = createTlsServer({ key: pem, cert: pem }, (incoming, answer) => {
    const { method = 'GET', url = '/', headers } = incoming;
    const outgoing = askHttp(`${target}${url}`, { method, headers }, (upstream) => {
      answer.writeHead(upstream.statusCode ?? 500, upstream.headers);
      upstream.pipe(answer);
    });
    outgoing.on('error', () => answer.destroy());
    incoming.pipe(outgoing);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `https://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async stop() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}
