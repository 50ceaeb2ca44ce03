import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { keyTokenSource, type TokenSource } from '../google/access-token.ts';
import { agentBoundary } from '../google/agent-boundary.ts';
import { narrowedTokenSource } from '../google/downscope.ts';
import { tokensIn, type GrantedToken, type WholeAccess } from '../shared/agent-protocol.ts';
import type { SealKey } from '../google/sealed.ts';
import type { RunEventBody } from '../shared/events.ts';
import type { AccessPurpose, AccessToken, Account, ServiceAccountKey } from '../shared/key.ts';
import type { RunPlan } from '../shared/plan.ts';
import { fail, ok, problem, type Result } from '../shared/problem.ts';
import { RUN } from '../shared/run-directory.ts';
import { makeFolder, removeFile } from './files.ts';
import { watchFolder } from './stop-watch.ts';

/** Where transfers get their tokens: those that the application hands over, or keys held in memory (`unattended`). */
export interface AccessDesk {
  /**
   * The tokens of an account for a purpose; null for no account: no credential is sent. When the tokens ran out it waits for
   * fresh ones, and fails only when `signal` is aborted (`job.cancelled`).
   */
  source(account: Account | null, purpose: AccessPurpose, signal: AbortSignal): TokenSource | null;
  /** The tokens that the application grants to the workers. */
  forWorkers(account: Account): WorkerTokens;
  close(): void;
}

export interface WorkerTokens {
  /** A live token, waited for at most `patience` milliseconds. Errors: `access.awaited`, those of minting. */
  token(patience: number): Promise<Result<AccessToken>>;
}

interface Held {
  readonly access: AccessToken;
  /** Milliseconds since 1970: from here on it is not handed out. */
  readonly until: number;
}

/** A token is not handed out in the last eighth of its life, at most the last 30 seconds: fresh ones are due from the last quarter on. */
function lastUse(access: AccessToken, now: number): number {
  return access.expiresAt - Math.min(30_000, Math.max(0, access.expiresAt - now) / 8);
}

export function openAccessDesk(options: {
  readonly directory: string;
  readonly plan: RunPlan;
  readonly tokens: readonly GrantedToken[];
  /** Keys by id, for an unattended run; else empty. */
  readonly keys: ReadonlyMap<string, ServiceAccountKey>;
  /** What opens fresh tokens that were sealed to this agent. */
  readonly sealKey: SealKey;
  /** Tokens of those keys that cannot be narrowed. */
  readonly whole: readonly WholeAccess[];
  readonly tell: (event: RunEventBody) => void;
}): AccessDesk {
  const held = new Map<string, Held>();
  const waiting = new Set<() => void>();
  /** Accounts whose lack of access was told. */
  const awaited = new Set<string>();
  /** Ids of keys to their accounts: workers asked for their tokens in vain, which was told. */
  const missed = new Map<string, string>();
  const inbox = path.join(options.directory, RUN.inbox);

  const take = (tokens: readonly GrantedToken[]): void => {
    const now = Date.now();
    for (const { keyId, purpose, access } of tokens) {
      const known = held.get(`${keyId} ${purpose}`);
      if (known === undefined || known.access.expiresAt < access.expiresAt)
        held.set(`${keyId} ${purpose}`, { access, until: lastUse(access, now) });
      const account = purpose === 'worker' ? missed.get(keyId) : undefined;
      if (account !== undefined && access.expiresAt > now) {
        missed.delete(keyId);
        options.tell({ kind: 'access-renewed', account });
      }
    }
    for (const wake of [...waiting]) wake();
  };

  const readInbox = (): void => {
    for (const name of namesIn(inbox).filter((each) => /^[^.].*\.json$/.test(each))) {
      const file = path.join(inbox, name);
      const tokens = tokensIn(readAndRemove(file), (sealed) =>
        options.sealKey.open(sealed, options.plan.id),
      );
      if (tokens !== null) take(tokens);
    }
  };

  const find = (
    keyId: string,
    purpose: AccessPurpose,
    refused: string | undefined,
  ): AccessToken | null => {
    // Each is narrowed to what it is for: one that may write the output reads no input.
    const name = `${keyId} ${purpose}`;
    const entry = held.get(name);
    if (entry === undefined) return null;
    if (entry.access.token === refused) held.delete(name);
    else if (Date.now() < entry.until) return entry.access;
    return null;
  };

  const arrival = (signal: AbortSignal): Promise<void> =>
    new Promise((resolve) => {
      const done = (): void => {
        waiting.delete(done);
        signal.removeEventListener('abort', done);
        resolve();
      };
      waiting.add(done);
      signal.addEventListener('abort', done, { once: true });
    });

  const wait = async (
    account: Account,
    purpose: AccessPurpose,
    signal: AbortSignal,
    refused: string | undefined,
  ): Promise<Result<AccessToken>> => {
    for (;;) {
      if (signal.aborted) return fail(stopped(account.email));
      const access = find(account.keyId, purpose, refused);
      if (access !== null) {
        if (awaited.delete(account.email))
          options.tell({ kind: 'access-renewed', account: account.email });
        return ok(access);
      }
      if (!awaited.has(account.email)) {
        awaited.add(account.email);
        options.tell({
          kind: 'access-awaited',
          account: account.email,
          message: `The access of ${account.email} ran out, and nobody is there to renew it. Everything done so far is safe on the disk.`,
          hint: `Open Trainyard on the machine that has the key, or run: trainyard retry ${options.plan.id}`,
        });
      }
      await arrival(signal);
    }
  };

  const waitForWorkers = async (
    { keyId, email }: Account,
    patience: number,
  ): Promise<Result<AccessToken>> => {
    const end = Date.now() + patience;
    for (;;) {
      const entry = held.get(`${keyId} worker`);
      const now = Date.now();
      if (entry !== undefined && now < entry.until) return ok(entry.access);
      if (now >= end) {
        // The last of its life is better than nothing.
        if (entry !== undefined && now < entry.access.expiresAt) return ok(entry.access);
        break;
      }
      await arrival(AbortSignal.timeout(end - now));
    }
    const refusal = workersWait(email, options.plan.id);
    if (!missed.has(keyId)) {
      missed.set(keyId, email);
      const { message, hint } = refusal;
      options.tell({ kind: 'access-awaited', account: email, message, hint });
    }
    return fail(refusal);
  };

  /** Tokens of a key that this agent holds, narrowed as those are that are handed over. */
  const ownSource = (
    key: ServiceAccountKey,
    keyId: string,
    purpose: AccessPurpose,
  ): TokenSource => {
    const { plan, whole } = options;
    const narrowed = agentBoundary(plan, keyId, purpose);
    const asIs = whole.some((one) => one.keyId === keyId && one.purpose === purpose);
    return narrowed === null || asIs
      ? keyTokenSource(key, purpose, plan.endpoints)
      : narrowedTokenSource(key, narrowed.boundary, plan.endpoints);
  };

  makeFolder(inbox);
  take(options.tokens);
  readInbox();
  const timer = setInterval(readInbox, 1_000);
  const watcher = watchFolder(inbox, readInbox);

  return {
    source(account, purpose, signal) {
      if (account === null) return null;
      const key = options.keys.get(account.keyId);
      if (key !== undefined) return ownSource(key, account.keyId, purpose);
      return {
        email: account.email,
        token: ({ signal: own, refused } = {}) =>
          wait(
            account,
            purpose,
            own === undefined ? signal : AbortSignal.any([signal, own]),
            refused,
          ),
      };
    },
    forWorkers: (account) => ({ token: (patience) => waitForWorkers(account, patience) }),
    close() {
      clearInterval(timer);
      watcher?.close();
    },
  };
}

function workersWait(email: string, jobId: string) {
  return problem({
    code: 'access.awaited',
    op: 'hand a token to a worker',
    subject: email,
    message: `The workers ask for access as ${email}, and what they were given ran out: nobody is there to renew it.`,
    hint: `Open Trainyard on the machine that has the key, or run: trainyard retry ${jobId}. Until then their requests to Google fail.`,
    retryable: true,
  });
}

function stopped(email: string) {
  return problem({
    code: 'job.cancelled',
    op: 'get access',
    subject: email,
    message: 'It was stopped while it waited for access.',
  });
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

function readAndRemove(file: string): unknown {
  try {
    const text = readFileSync(file, 'utf8');
    removeFile(file);
    return JSON.parse(text) as unknown;
  } catch {
    return null;
  }
}
