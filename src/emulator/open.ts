import { appendFileSync, rmSync } from 'node:fs';
import { mkdtemp, readFile } from 'node:fs/promises';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { ENDPOINT_VARIABLES } from '../shared/endpoints.ts';
import { fail, ok, type Result } from '../shared/problem.ts';
import type { Emulator } from './context.ts';
import { FaultRegister } from './faults/register.ts';
import { parseFaults } from './faults/rules.ts';
import { AccountRegister, registerAccount, type MakeKey } from './oauth/accounts.ts';
import { TokenRegister, type TokenKind } from './oauth/token.ts';
import type { Options } from './options.ts';
import {
  faultsRefused,
  folderInUse,
  folderRefused,
  portTaken,
  temporaryRefused,
} from './refusals.ts';
import { listen, serve } from './server.ts';
import { makeFolders } from './state/make-folders.ts';
import { releaseLock, sweepTemporary, takeLock, TEMPORARY_PREFIX } from './state/lock.ts';
import { ManagedFolders } from './state/managed-folders.ts';
import { openFolder } from './state/persistence.ts';
import { Store } from './state/store.ts';
import { Sessions } from './storage/sessions.ts';

/** An emulator that answers. */
export interface OpenEmulator {
  readonly server: Server;
  /** The variables that lead Google's clients and Trainyard to it, with their values. */
  readonly addresses: Readonly<Record<string, string>>;
  /** Ends its connections and lets go of its folder; a temporary one is removed. Happens by itself when the process exits. */
  readonly close: () => void;
}

export interface OpenSettings {
  /** Hears of bugs. */
  readonly report: (error: unknown) => void;
  /** How the keys of new accounts are made; by default each is a fresh one. */
  readonly makeKey?: MakeKey;
}

/** Starts an emulator in this process. Errors: `input.*` where an option's file is wrong, `host.*` where the port or the folder cannot be used. */
export async function openEmulator(
  options: Options,
  { report, makeKey }: OpenSettings,
): Promise<Result<OpenEmulator>> {
  const faults = await readFaults(options);
  if (!faults.ok) return faults;
  let server: Server;
  try {
    server = await listen(options.port);
  } catch (error) {
    return fail(portTaken(options.port, codeOf(error)));
  }
  let temporary: string | null = null;
  try {
    if (options.dir === null) {
      sweepTemporary(tmpdir());
      temporary = await mkdtemp(join(tmpdir(), TEMPORARY_PREFIX));
    }
  } catch (error) {
    server.close();
    return fail(temporaryRefused(tmpdir(), codeOf(error)));
  }
  const root = resolve(options.dir ?? temporary ?? '.');
  let holdsFolder = false;
  const close = (): void => {
    process.off('exit', close);
    server.close();
    server.closeAllConnections();
    if (temporary !== null) rmSync(temporary, { recursive: true, force: true });
    else if (holdsFolder) releaseLock(root);
    holdsFolder = false;
  };
  process.once('exit', close);
  const refuse = (problem: Parameters<typeof fail>[0]): ReturnType<typeof fail> => {
    close();
    return fail(problem);
  };

  const { port } = server.address() as AddressInfo;
  const origin = `http://127.0.0.1:${port}`;
  const accounts = new AccountRegister();
  for (const path of options.accounts) {
    const tokenUri = `${origin}/token`;
    const registered = await registerAccount(
      accounts,
      resolve(path),
      options.project,
      tokenUri,
      makeKey,
    );
    if (!registered.ok) return refuse(registered.problem);
  }

  const keep = options.dir !== null;
  let store: Store;
  let sessions: Sessions;
  let folders: ManagedFolders;
  try {
    makeFolders(root);
    const holder = takeLock(root);
    if (holder !== null) return refuse(folderInUse(root, holder));
    holdsFolder = true;
    const folder = await openFolder(root);
    store = await Store.open({ folder, keep, standing: options.grants, roles: options.roles });
    folders = await ManagedFolders.open(root, keep, options.roles);
    sessions = await Sessions.open(folder, keep, store.fromSessions());
    for (const [bucket, count] of options.fill) store.fill(bucket, count, options.project);
  } catch (error) {
    return refuse(folderRefused(root, codeOf(error)));
  }
  const emulator: Emulator = {
    origin,
    project: options.project,
    open: options.open,
    overwriteAnswers403: options.overwriteAnswers403,
    hierarchical: options.hierarchical,
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
    faults: faults.value,
  };
  serve(server, emulator, options.requestLog, report);
  const addresses = {
    [ENDPOINT_VARIABLES.storage]: origin,
    [ENDPOINT_VARIABLES.oauthToken]: `${origin}/token`,
    [ENDPOINT_VARIABLES.securityTokenService]: `${origin}/v1/token`,
    [ENDPOINT_VARIABLES.resourceManager]: origin,
  };
  return ok({ server, addresses, close });
}

/** Writes down every token, where that is asked for: its lines are credentials of this emulator, and of nothing else. */
function tokenNotes(file: string | null): (kind: TokenKind, token: string) => void {
  if (file === null) return () => undefined;
  return (kind, token) =>
    appendFileSync(file, `${JSON.stringify({ kind, token })}\n`, { mode: 0o600 });
}

/** The rules that the emulator begins with. */
async function readFaults({ faults: file, allowFaults }: Options): Promise<Result<FaultRegister>> {
  if (file === null) return ok(new FaultRegister(allowFaults, []));
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    return fail(faultsRefused(file, `cannot be read (${codeOf(error)}).`));
  }
  const parsed = parseFaults(text);
  if (parsed.ok) return ok(new FaultRegister(true, parsed.rules));
  return fail(faultsRefused(file, `is wrong: ${parsed.message}`));
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error
    ? String(error.code)
    : error instanceof Error
      ? error.name
      : 'unknown';
}
