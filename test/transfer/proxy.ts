import { createServer, request, type IncomingMessage, type ServerResponse } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';

/** What a faulty network does to one request. */
export type Fault =
  | 'pass'
  /** The request reaches the service; its answer does not come back. */
  | 'lose-answer'
  /** The connection ends after so many bytes of the answer. */
  | { readonly cutAnswerAfter: number }
  /** The connection ends after so many bytes of the request. */
  | { readonly cutRequestAfter: number }
  /** The answer stops after so many bytes, and the connection stays. */
  | { readonly stallAfter: number }
  /** One byte of the answer is another. */
  | 'flip-byte'
  /** The whole answer, as text, is another. */
  | { readonly rewrite: (text: string) => string }
  /** The service answers so, and is not asked. */
  | { readonly status: number };

export interface Proxy {
  readonly url: string;
  stop(): Promise<void>;
}

/** A network between client and emulator whose faults a rule decides, request by request. */
export async function startProxy(
  target: string,
  rule: (seen: {
    method: string;
    path: string;
    headers: IncomingMessage['headers'];
  }) => Fault | Promise<Fault>,
): Promise<Proxy> {
  const server = createServer((incoming, answer) => {
    void handle(incoming, answer);
  });
  const handle = async (incoming: IncomingMessage, answer: ServerResponse): Promise<void> => {
    const { method = '', url = '', headers } = incoming;
    incoming.on('error', () => undefined);
    const fault = await rule({ method, path: url, headers });
    if (typeof fault === 'object' && 'status' in fault) {
      incoming.resume().on('end', () => answer.writeHead(fault.status).end('{}'));
      return;
    }
    const outgoing = request(`${target}${url}`, { method, headers }, (upstream) => {
      upstream.on('error', () => answer.destroy());
      if (fault === 'lose-answer') {
        upstream.resume().on('end', () => incoming.socket.destroy());
        return;
      }
      if (typeof fault === 'object' && 'rewrite' in fault) {
        const parts: Buffer[] = [];
        upstream.on('data', (part: Buffer) => parts.push(part));
        upstream.on('end', () => {
          const text = fault.rewrite(Buffer.concat(parts).toString());
          answer.writeHead(upstream.statusCode ?? 502, { 'content-type': 'application/json' });
          answer.end(text);
        });
        return;
      }
      const { location } = upstream.headers;
      answer.writeHead(upstream.statusCode ?? 502, {
        ...upstream.headers,
        ...(location === undefined
          ? {}
          : { location: location.replace(target, `http://${headers.host ?? ''}`) }),
      });
      let passed = 0;
      upstream.on('data', (part: Buffer) => {
        if (fault === 'flip-byte' && passed === 0) part[0] = (part[0] ?? 0) ^ 1;
        const limit =
          typeof fault === 'object' && 'cutAnswerAfter' in fault ? fault.cutAnswerAfter : Infinity;
        if (typeof fault === 'object' && 'stallAfter' in fault) {
          answer.write(part.subarray(0, Math.max(0, fault.stallAfter - passed)));
          passed += part.length;
          return;
        }
        answer.write(part.subarray(0, Math.max(0, limit - passed)), () => {
          if (passed >= limit) incoming.socket.destroy();
        });
        passed += part.length;
      });
      upstream.on('end', () => {
        if (!(typeof fault === 'object' && 'stallAfter' in fault)) answer.end();
      });
    });
    outgoing.on('error', () => answer.destroy());
    let sent = 0;
    incoming.on('data', (part: Buffer) => {
      sent += part.length;
      outgoing.write(part);
      if (typeof fault === 'object' && 'cutRequestAfter' in fault && sent > fault.cutRequestAfter) {
        outgoing.destroy();
        incoming.socket.destroy();
      }
    });
    incoming.on('end', () => outgoing.end());
  };
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async stop() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}
