import { once } from 'node:events';
import { createServer } from 'node:http';
import { connect, type AddressInfo, type Socket } from 'node:net';

/** The variables that name proxies, in both spellings. */
export const PROXY_VARIABLES = [
  'HTTP_PROXY',
  'http_proxy',
  'HTTPS_PROXY',
  'https_proxy',
  'NO_PROXY',
  'no_proxy',
] as const;

export interface ConnectProxy {
  readonly url: string;
  /** What was asked for, `host:port`, since the last call of `forget`. */
  asked(): readonly string[];
  forget(): void;
  stop(): Promise<void>;
}

/** A proxy of the usual kind: CONNECT, then bytes both ways. Whatever host is asked for, the other end is `target`. */
export async function startConnectProxy(target: string): Promise<ConnectProxy> {
  const { port, hostname } = new URL(target);
  const sockets = new Set<Socket>();
  let asked: string[] = [];
  const server = createServer((_, answer) => answer.writeHead(405).end());
  server.on('connect', (request, socket: Socket) => {
    asked.push(request.url ?? '');
    const onward = connect(Number(port), hostname, () => {
      socket.write('HTTP/1.1 200 Connection established\r\n\r\n');
      onward.pipe(socket).pipe(onward);
    });
    for (const one of [socket, onward]) {
      sockets.add(one);
      one.on('error', () => undefined);
    }
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
