import { appendFileSync, rmSync } from 'node:fs';
import { mkdtemp, readFile } from 'node:fs/promises';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { ENDPOINT_VARIABLES } from '../shared/endpoints.ts';
import { exitStatusOf, type Problem } from '../shared/problem.ts';
import type { Emulator } from './context.ts';
import { FaultRegister } from './faults/register.ts';
import { parseFaults } from './faults/rules.ts';
import { AccountRegister, registerAccount } from './oauth/accounts.ts';
import { TokenRegister, type TokenKind } from './oauth/token.ts';
import { parseOptions, USAGE, type Options } from './options.ts';
import {
  faultsRefused,
  folderInUse,
  folderRefused,
  portTaken,
  temporaryRefused,
} from './refusals.ts';
import { listen, serve } from './server.ts';
import { releaseLock, sweepTemporary, takeLock, TEMPORARY_PREFIX } from './state/lock.ts';
import { openFolder } from './state/persistence.ts';
import { ManagedFolders } from './state/managed-folders.ts';
import { Store } from './state/store.ts';
import { Sessions } from './storage/sessions.ts';
import { makeFolders } from './state/make-folders.ts';

/**
 * The emulator: `node src/emulator/main.ts [options]`. Prints the four addresses as `export NAME=VALUE` lines once it listens, nothing else on
 * stdout; ends with 0 on SIGTERM, SIGINT, and when a parent that holds a channel to it goes away (with `--linger` some time after that). Exit status 2: an option or a key file is wrong;
 * 4: the port or the folder cannot be used.
 */
async function main(argv: readonly string[]): Promise<void> {
  // Until it listens there is nothing to end in order.
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => process.exit(0));
  const options = parseOptions(argv);
  if (!options.ok) {
    end(options.problem);
    return;
  }
  if (options.value === 'help') {
    process.stdout.write(USAGE);
    return;
  }
  await run(options.value);
}

async function run(options: Options): Promise<void> {
  const faults = await readFaults(options);
  if (faults === null) return;
  let server;
  try {
    server = await listen(options.port);
  } catch (error) {
    end(portTaken(options.port, codeOf(error)));
    return;
  }
  let temporary: string | null = null;
  try {
    if (options.dir === null) {
      sweepTemporary(tmpdir());
      temporary = await mkdtemp(join(tmpdir(), TEMPORARY_PREFIX));
    }
  } catch (error) {
    end(temporaryRefused(tmpdir(), codeOf(error)));
    return;
  }
  const root = resolve(options.dir ?? temporary ?? '.');
  process.once('exit', () => {
    if (temporary !== null) rmSync(temporary, { recursive: true, force: true });
    else releaseLock(root);
  });
  const stop = (): void => {
    server.close();
    server.closeAllConnections();
    process.exit(0);
  };
  process.once('SIGTERM', stop);
  process.once('SIGINT', stop);
  if (process.connected) {
    const { lingerSeconds } = options;
    process.once(
      'disconnect',
      lingerSeconds === 0 ? stop : () => linger(server, lingerSeconds, stop),
    );
  }

  const { port } = server.address() as AddressInfo;
  const origin = `http://127.0.0.1:${port}`;
  const accounts = new AccountRegister();
  for (const path of options.accounts) {
    const registered = await registerAccount(
      accounts,
      resolve(path),
      options.project,
      `${origin}/token`,
    );
    if (!registered.ok) {
      end(registered.problem);
      return;
    }
  }

  const keep = options.dir !== null;
  let store: Store;
  let sessions: Sessions;
  let folders: ManagedFolders;
  try {
    makeFolders(root);
    const holder = takeLock(root);
    if (holder !== null) {
      end(folderInUse(root, holder));
      return;
    }
    const folder = await openFolder(root);
    store = await Store.open({
      folder,
      keep,
      standing: options.grants,
      roles: options.roles,
    });
    folders = await ManagedFolders.open(root, keep, options.roles);
    sessions = await Sessions.open(folder, keep, store.fromSessions());
    for (const [bucket, count] of options.fill) store.fill(bucket, count, options.project);
  } catch (error) {
    end(folderRefused(root, codeOf(error)));
    return;
  }
  const emulator: Emulator = {
    origin,
    project: options.project,
    open: options.open,
    overwriteAnswers403: options.overwriteAnswers403,
    narrowedTokensTellExpiry: options.narrowedTokensTellExpiry,
    store,
    folders,
    rules: {
      admins: options.admins,
      roles: options.roles,
      evaluateListPrefix: options.evaluateListPrefix,
      projectPolicy: { bindings: options.grants.get('') ?? [] },
      bucketPolicy: (bucket) => store.policy(bucket),
      folderPolicies: (bucket, path) => folders.policiesFor(bucket, path),
      hasUniformAccess: (bucket) => store.bucket(bucket)?.uniformAccess === true,
    },
    accounts,
    tokens: new TokenRegister(options.tokenLifetimeSeconds, tokenNotes(options.tokenLog)),
    sessions,
    faults,
  };
  serve(server, emulator, options.requestLog, (error) => {
    process.stderr.write(`${error instanceof Error ? String(error.stack) : String(error)}\n`);
  });
  const addresses = {
    [ENDPOINT_VARIABLES.storage]: origin,
    [ENDPOINT_VARIABLES.oauthToken]: `${origin}/token`,
    [ENDPOINT_VARIABLES.securityTokenService]: `${origin}/v1/token`,
    [ENDPOINT_VARIABLES.resourceManager]: origin,
  };
  process.stdout.write(
    Object.entries(addresses)
      .map(([name, value]) => `export ${name}=${value}\n`)
      .join(''),
  );
}

/** Writes down every token, where that is asked for: its lines are credentials of this emulator, and of nothing else. */
function tokenNotes(file: string | null): (kind: TokenKind, token: string) => void {
  if (file === null) return () => undefined;
  return (kind, token) =>
    appendFileSync(file, `${JSON.stringify({ kind, token })}\n`, { mode: 0o600 });
}

/** Nobody holds a channel any more: ends once nothing was asked for some time. */
function linger(server: Server, seconds: number, stop: () => void): void {
  // Whoever read what it says is gone.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined);
  const timer = setTimeout(stop, seconds * 1_000);
  server.on('request', () => timer.refresh());
}

/** The rules that the emulator begins with; null: the file is wrong, which was said. */
async function readFaults(options: Options): Promise<FaultRegister | null> {
  const { faults: file, allowFaults } = options;
  if (file === null) return new FaultRegister(allowFaults, []);
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    end(faultsRefused(file, `cannot be read (${codeOf(error)}).`));
    return null;
  }
  const parsed = parseFaults(text);
  if (parsed.ok) return new FaultRegister(true, parsed.rules);
  end(faultsRefused(file, `is wrong: ${parsed.message}`));
  return null;
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error
    ? String(error.code)
    : error instanceof Error
      ? error.name
      : 'unknown';
}

/** Says what happened and what to do about it on stderr, and ends. */
function end(found: Problem): void {
  process.stderr.write(`Error: ${found.message}\n  ${found.hint}\n`);
  process.exit(exitStatusOf(found));
}

await main(process.argv.slice(2));
