import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { bytesReceived } from './body.ts';
import type { Emulator } from './context.ts';
import type { Principal } from './iam/evaluate.ts';
import { invalid, refuse, type ErrorReply, type Reply } from './reply.ts';
import { appendLog, openQuery } from './request-log.ts';
import { readTarget, route, styleOf, subjectOf, type Target } from './router.ts';
import { ReplyWriter } from './write-reply.ts';

/** Starts the server on loopback. Rejects when the port is taken. */
export function listen(port: number): Promise<Server> {
  const server = createServer({ maxHeaderSize: 64 * 1024, requestTimeout: 0 });
  server.keepAliveTimeout = 60_000;
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', () => {
      server.off('error', reject);
      resolve(server);
    });
  });
}

/** Answers the server's requests. `report` hears of bugs. */
export function serve(
  server: Server,
  emulator: Emulator,
  requestLog: string | null,
  report: (error: unknown) => void,
): void {
  server.on('request', (request, response) => {
    handle(emulator, request, response, requestLog).catch((error: unknown) => {
      // A connection that the client cut ends every read and write with an error of its own.
      if (!response.destroyed && !request.destroyed) report(error);
      response.destroy();
    });
  });
}

/** The one place that every request passes through: who asks, what is answered, how it is written, the line in the log. */
async function handle(
  emulator: Emulator,
  request: IncomingMessage,
  response: ServerResponse,
  requestLog: string | null,
): Promise<void> {
  const method = request.method ?? 'GET';
  const [path = '/', ...search] = (request.url ?? '/').split('?');
  const query = new URLSearchParams(search.join('?'));
  const read = readTarget(path);
  const target = read ?? { service: 'nothing', below: [] };
  const caller =
    read === null ? invalid('The path is not UTF-8.') : identify(emulator, request, target);
  const subject = subjectOf(target, query);
  let logged = false;
  const log = (status: number, sent: number): void => {
    if (logged) return;
    logged = true;
    appendLog(requestLog, {
      time: new Date().toISOString(),
      method,
      path,
      query: openQuery(query),
      range: request.headers.range ?? request.headers['content-range'] ?? null,
      ...subject,
      status,
      bytes: method === 'GET' || method === 'HEAD' ? sent : bytesReceived(request),
      account: caller.kind === 'account' ? caller.email : null,
    });
  };

  const writer = new ReplyWriter(
    response,
    { method, style: styleOf(target, query), fields: query.get('fields') },
    log,
  );
  let reply: Reply;
  try {
    reply =
      caller.kind === 'error'
        ? caller
        : await route({ emulator, request, method, query, principal: caller, subject }, target);
  } catch (error) {
    // The client went away in the middle of its request: nobody is there to be answered.
    if (request.destroyed || request.errored !== null) {
      log(499, 0);
      response.destroy();
      return;
    }
    await writer.write(refuse(500, 'internalError', 'The emulator failed.'));
    throw error;
  }
  await writer.write(reply);
}

/** Who asks. A token that is unknown or expired is refused, whatever is asked for; the token endpoints look at no header. */
function identify(
  emulator: Emulator,
  request: IncomingMessage,
  target: Target,
): Principal | ErrorReply {
  if (target.service === 'token' || target.service === 'security-token')
    return { kind: 'anonymous' };
  const header = request.headers.authorization;
  if (header === undefined)
    return emulator.open ? { kind: 'everyone-allowed' } : { kind: 'anonymous' };
  const token = /^Bearer\s+(\S+)$/i.exec(header)?.[1];
  const access = token === undefined ? null : emulator.tokens.find(token);
  return access === null
    ? refuse(401, 'authError', 'Invalid Credentials', {
        'www-authenticate': 'Bearer realm="https://accounts.google.com/", error="invalid_token"',
      })
    : { kind: 'account', ...access };
}
