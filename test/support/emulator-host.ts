/**
 * A process that holds many emulators, each with a port, accounts and buckets of its own: a test worker has one, and starts in milliseconds what
 * takes a process of its own half a second. Started by test/support/set-up.ts; it ends with the channel to its parent.
 *
 *     node emulator-host.ts SOCKET
 *     POST /open  { "argv": [...] } -> { "id", "pid", "environment" } or 400 { "message" }
 *     POST /close { "id" }          -> {}
 */
import { generateKeyPair } from 'node:crypto';
import { createServer, type IncomingMessage } from 'node:http';
import { promisify } from 'node:util';
import type { OpenEmulator } from '../../src/emulator/open.ts';

const emulators = new Map<number, OpenEmulator>();
let count = 0;

/** Making a key takes a tenth of a second of a processor: accounts of one name share theirs, under a key id of their own each. */
const keys = new Map<string, Promise<string>>();
const makeKey = (name: string): Promise<string> => {
  const made =
    keys.get(name) ??
    promisify(generateKeyPair)('rsa', {
      modulusLength: 2048,
      publicKeyEncoding: { type: 'spki', format: 'pem' },
      privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
    }).then(({ privateKey }) => privateKey);
  keys.set(name, made);
  return made;
};

async function open(argv: readonly string[]): Promise<object> {
  const { openEmulator } = await import('../../src/emulator/open.ts');
  const { parseOptions } = await import('../../src/emulator/options.ts');
  const options = parseOptions(argv);
  if (!options.ok) throw new Error(options.problem.message);
  if (options.value === 'help') throw new Error('Help is given by the program itself.');
  const opened = await openEmulator(options.value, {
    makeKey,
    report: (error) => process.stderr.write(`emulator: ${String(error)}\n`),
  });
  if (!opened.ok) throw new Error(opened.problem.message);
  count += 1;
  emulators.set(count, opened.value);
  return { id: count, pid: process.pid, environment: opened.value.addresses };
}

async function answer(path: string, body: unknown): Promise<object> {
  if (path === '/open') return open((body as { argv: string[] }).argv);
  const { id } = body as { id: number };
  emulators.get(id)?.close();
  emulators.delete(id);
  return {};
}

async function bodyOf(request: IncomingMessage): Promise<unknown> {
  let text = '';
  for await (const piece of request.setEncoding('utf8')) text += piece as string;
  return JSON.parse(text);
}

const server = createServer((request, response) => {
  bodyOf(request)
    .then((body) => answer(request.url ?? '', body))
    .then(
      (value) => response.end(JSON.stringify(value)),
      (error: unknown) => {
        response.statusCode = 400;
        response.end(JSON.stringify({ message: String(error) }));
      },
    );
});
server.listen(process.argv[2], () => process.send?.('listening'));
process.once('disconnect', () => process.exit(0));
process.once('SIGTERM', () => process.exit(0));
