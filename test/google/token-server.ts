import { createPublicKey, verify, type KeyObject } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { GOOGLE_ENDPOINTS, type GoogleEndpoints } from '../../src/shared/endpoints.ts';

export interface LocalServer {
  /** `http://127.0.0.1:PORT`. */
  readonly url: string;
  /** How many requests came, those after the keys it knows left out. */
  count(): number;
  stop(): Promise<void>;
}

/** All of Google's addresses led to one server. */
export const emulatedAt = (url: string): GoogleEndpoints => ({
  ...GOOGLE_ENDPOINTS,
  storage: url,
  oauthToken: `${url}/token`,
  securityTokenService: `${url}/v1/token`,
  resourceManager: url,
  emulated: true,
});

/** Lets a server answer, as an emulator does, that it knows a key; whatever else is asked goes on to `handle`. */
export const knowing =
  (
    key: KeyObject,
    kid: string,
    handle: (request: IncomingMessage, response: ServerResponse, body: string) => void,
  ): typeof handle =>
  (request, response, body) =>
    request.url?.startsWith('/service_accounts/v1/jwk/') === true
      ? answerJson(response, 200, {
          keys: [{ ...createPublicKey(key).export({ format: 'jwk' }), kid }],
        })
      : handle(request, response, body);

/** An HTTP server on loopback that answers with `handle`; `body` is the whole request body. */
export async function serve(
  handle: (request: IncomingMessage, response: ServerResponse, body: string) => void,
): Promise<LocalServer> {
  let requests = 0;
  const server = createServer((request, response) => {
    if (request.url?.startsWith('/service_accounts/') !== true) requests += 1;
    let body = '';
    request.setEncoding('utf8').on('data', (text: string) => {
      body += text;
    });
    request.on('end', () => handle(request, response, body));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    count: () => requests,
    stop: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

export function answerJson(
  response: ServerResponse,
  status: number,
  value: unknown,
  headers: Record<string, string> = {},
): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers });
  response.end(JSON.stringify(value));
}

/** The header and claims of an assertion whose signature is right; throws otherwise. */
export function readAssertion(
  body: string,
  key: KeyObject,
): { header: Record<string, unknown>; claims: Record<string, unknown> } {
  const form = new URLSearchParams(body);
  if (form.get('grant_type') !== 'urn:ietf:params:oauth:grant-type:jwt-bearer')
    throw new Error('not the JWT-bearer grant');
  const [header = '', claims = '', signature = ''] = (form.get('assertion') ?? '').split('.');
  if (
    !verify(
      'sha256',
      Buffer.from(`${header}.${claims}`),
      createPublicKey(key),
      Buffer.from(signature, 'base64url'),
    )
  )
    throw new Error('the signature is wrong');
  const decode = (part: string) =>
    JSON.parse(Buffer.from(part, 'base64url').toString()) as Record<string, unknown>;
  return { header: decode(header), claims: decode(claims) };
}
