import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { bytesReceived, dropBody } from './body.ts';
import type { Context, Emulator } from './context.ts';
import { answerControl, CONTROL_PATH } from './faults/control.ts';
import { refuseForeignPage } from './foreign-pages.ts';
import { FaultRun, type Grasp } from './faults/run.ts';
import { ConnectionCut } from './faults/stream.ts';
import { nameFromBody } from './faults/subject.ts';
import type { Principal } from './iam/evaluate.ts';
import { operationOf } from './operation.ts';
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

/** The one place that every request passes through: what goes wrong, who asks, what is answered, how it is written, the line in the log. */
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
  const foreign = refuseForeignPage(request.headers);
  if (path === CONTROL_PATH && emulator.faults.controllable) {
    const asked = { method, style: 'json', fields: null } as const;
    const reply = foreign ?? (await answerControl(request, emulator.faults));
    await new ReplyWriter(response, asked, () => undefined).write(reply);
    return;
  }
  const subject = subjectOf(target, query);
  // What tells which keys are known here is a question to the emulator, none to Google.
  const faults =
    emulator.faults.active && target.service !== 'key-set'
      ? await beginFaults(emulator, request, response, target, query, subject)
      : null;
  let caller: Principal | ErrorReply = { kind: 'anonymous' };
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
      ...(faults === null || faults.names.length === 0 ? {} : { faults: faults.names }),
    });
  };

  const writer = new ReplyWriter(
    response,
    { method, style: styleOf(target, query), fields: query.get('fields') },
    log,
  );
  try {
    const instead = (await faults?.before(graspOf(emulator, request, query))) ?? null;
    caller =
      (emulator.open ? foreign : null) ??
      (read === null ? invalid('The path is not UTF-8.') : identify(emulator, request, target));
    const reply =
      instead ??
      (caller.kind === 'error'
        ? caller
        : await route(
            {
              emulator,
              request,
              method,
              query,
              principal: caller,
              subject,
              clockOffset: faults?.clockOffset ?? 0,
            },
            target,
          ));
    if (faults === null || instead !== null) await writer.write(reply);
    else await finish(faults, writer, reply, log);
  } catch (error) {
    // The client went away in the middle of its request, or a fault rule sent it away: nobody is there to be answered.
    if (error instanceof ConnectionCut || request.destroyed || request.errored !== null) {
      log(499, 0);
      response.destroy();
      return;
    }
    if (!response.headersSent)
      await writer.write(refuse(500, 'internalError', 'The emulator failed.'));
    throw error;
  } finally {
    await dropBody(request);
  }
}

/** Writes a reply as the rules for answers will have it. */
async function finish(
  faults: FaultRun,
  writer: ReplyWriter,
  reply: Reply,
  log: (status: number, sent: number) => void,
): Promise<void> {
  let handedOn = false;
  try {
    const instead = await faults.after(reply.status);
    handedOn = instead === null;
    await writer.write(instead ?? reply, faults.shape);
  } catch (error) {
    // What was done is told in the log, though the client never hears of it.
    if (error instanceof ConnectionCut) log(reply.status, 0);
    throw error;
  } finally {
    if (!handedOn && reply.kind === 'media') await reply.file.close();
  }
}

/** Finds out what the request is about, as far as rules look at it. */
async function beginFaults(
  emulator: Emulator,
  request: IncomingMessage,
  response: ServerResponse,
  target: Target,
  query: URLSearchParams,
  subject: Context['subject'],
): Promise<FaultRun> {
  const method = request.method ?? 'GET';
  const operation = operationOf(method, target, query, request.headers['content-range']);
  const session = query.get('upload_id');
  let { object } = subject;
  if (session !== null) object = emulator.sessions.objectOf(session);
  else if (object === null && emulator.faults.namesMatter)
    object = await nameFromBody(request, operation).catch(() => null);
  const about = { method, operation, bucket: subject.bucket, object };
  return new FaultRun(emulator.faults, about, request, response);
}

/** What rules may take away from the caller of this request. */
function graspOf(emulator: Emulator, request: IncomingMessage, query: URLSearchParams): Grasp {
  const session = query.get('upload_id');
  const token = tokenOf(request);
  return {
    expireToken: () => token !== null && emulator.tokens.revoke(token),
    expireSession: async () => session !== null && (await emulator.sessions.expire(session)),
  };
}

/** The bearer token of a request; null where there is none. */
function tokenOf(request: IncomingMessage): string | null {
  return /^Bearer\s+(\S+)$/i.exec(request.headers.authorization ?? '')?.[1] ?? null;
}

/** Who asks. A token that is unknown or expired is refused, whatever is asked for; the token endpoints look at no header. */
function identify(
  emulator: Emulator,
  request: IncomingMessage,
  target: Target,
): Principal | ErrorReply {
  if (['token', 'security-token', 'key-set'].includes(target.service)) return { kind: 'anonymous' };
  const header = request.headers.authorization;
  if (header === undefined)
    return emulator.open ? { kind: 'everyone-allowed' } : { kind: 'anonymous' };
  const token = tokenOf(request);
  const access = token === null ? null : emulator.tokens.find(token);
  // What another made, or nobody: clients send something where they are told to send nothing. A token of its own that ended is refused all the same.
  if (access === null && emulator.open && (token === null || !emulator.tokens.hasEnded(token)))
    return { kind: 'everyone-allowed' };
  return access === null
    ? refuse(401, 'authError', 'Invalid Credentials', {
        'www-authenticate': 'Bearer realm="https://accounts.google.com/", error="invalid_token"',
      })
    : { kind: 'account', ...access };
}
