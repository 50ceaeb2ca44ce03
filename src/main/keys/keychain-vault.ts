import { createHash } from 'node:crypto';
import * as z from 'zod';
import { keyCardSchema, type KeyCard } from '../../shared/key.ts';
import { fail, ok, problem, type Result } from '../../shared/problem.ts';
import type { Environment } from '../platform/paths.ts';
import { keychainLoader, type KeychainCalls } from './keychain-process.ts';
import {
  explainKeychain,
  keychainLeft,
  keychainLocked,
  keychainSilent,
  PATIENCE,
  type Keytar,
} from './keytar.ts';
import type { StoredCard, Vault, VaultStatus } from './vault.ts';

const SERVICE = 'Trainyard';
/** Its presence tells an open keychain from a locked one, which answers as if nothing were stored. */
const SENTINEL = 'sentinel';
/** Windows keeps at most 2,560 bytes an item; longer values are cut into parts. Characters. */
const PART = 1_190;
const MAX_PARTS = 16;

const storedCardSchema = z.object({ format: z.literal(1), home: z.string(), card: keyCardSchema });

const partName = (id: string, number: number): string => `${id}/${number}`;
const cardName = (id: string): string => `${id}/card`;

/** Tells the parts of one value from those of another: a write may be cut off between two parts. Pure. */
const tagOf = (value: string): string =>
  createHash('sha256').update(value).digest('hex').slice(0, 8);

/** Cuts a value into parts that each say how many there are, and of which value: `1/2 0a1b2c3d:...`. Pure. */
export function toParts(value: string): readonly string[] {
  const count = Math.max(1, Math.ceil(value.length / PART));
  const tag = tagOf(value);
  return Array.from(
    { length: count },
    (_, index) => `${index + 1}/${count} ${tag}:${value.slice(index * PART, (index + 1) * PART)}`,
  );
}

/** What a part tells; null when it is none of ours. The tag is empty in parts that the first versions wrote. Pure. */
export function readPart(
  part: string,
): { count: number; number: number; tag: string; content: string } | null {
  const match = /^(\d{1,2})\/(\d{1,2})(?: ([0-9a-f]{8}))?:/.exec(part);
  if (match === null) return null;
  return {
    number: Number(match[1]),
    count: Number(match[2]),
    tag: match[3] ?? '',
    content: part.slice(match[0].length),
  };
}

/** How long a keychain is waited for, and who is told. */
export interface KeychainPatience {
  /** Called once for each call that has said nothing for a few seconds: a keychain may ask for its password in a window. */
  readonly onSilence?: () => void;
  /** Nobody waits any longer. */
  readonly signal?: AbortSignal;
  /** Milliseconds. */
  readonly patience?: number;
}

export interface KeychainVaultOptions extends KeychainPatience {
  /** The home folder: keys of others in the same keychain are told apart by it. */
  readonly home: string;
  /** The Node.js program in which the library runs where this process is none; null: there is none. */
  readonly node?: string | null;
  /** The session that the keychain belongs to: its addresses. This process's where it is left out. */
  readonly env?: Environment;
  readonly load?: () => Result<Keytar & Partial<Pick<KeychainCalls, 'leave'>>>;
}

/** Milliseconds of silence after which it is told. */
const SILENCE = 3_000;
/** After it did not answer for a minute the same command does not wait for it again. Milliseconds. */
const REST = 10_000;

/** The operating system's keychain: Secret Service on Linux, Keychain on macOS, Credential Manager on Windows. */
export function keychainVault(options: KeychainVaultOptions): Vault {
  const { onSilence, signal, patience = PATIENCE } = options;
  const home = createHash('sha256').update(options.home).digest('hex').slice(0, 16);
  const load = options.load ?? keychainLoader(options.node ?? null, options.env ?? process.env);
  let restsUntil = 0;

  /** One call of the library; its errors and its silence become problems. */
  const call = async <T>(body: (keytar: Keytar) => Promise<T>): Promise<Result<T>> => {
    if (signal?.aborted === true) return fail(keychainLeft);
    if (performance.now() < restsUntil) return fail(keychainSilent);
    const loaded = load();
    if (!loaded.ok) return loaded;
    const keytar = loaded.value;
    const end = new AbortController();
    const late = new Promise<Result<T>>((resolve) => {
      const leave = (why: VaultProblem): void => {
        resolve(fail(why));
        keytar.leave?.();
      };
      const told = setTimeout(() => onSilence?.(), Math.min(SILENCE, patience));
      const timer = setTimeout(() => {
        restsUntil = performance.now() + REST;
        leave(keychainSilent);
      }, patience);
      const onAbort = (): void => leave(keychainLeft);
      signal?.addEventListener('abort', onAbort);
      end.signal.addEventListener('abort', () => {
        clearTimeout(told);
        clearTimeout(timer);
        signal?.removeEventListener('abort', onAbort);
      });
    });
    try {
      const answered = body(keytar).then(
        (value) => ok(value),
        (error: unknown) => {
          const why = explainKeychain(error);
          if (why === keychainSilent) restsUntil = performance.now() + REST;
          return fail(why);
        },
      );
      return await Promise.race([answered, late]);
    } finally {
      end.abort();
    }
  };

  const state = async (): Promise<VaultStatus> => {
    const sentinel = await call((keytar) => keytar.getPassword(SERVICE, SENTINEL));
    if (!sentinel.ok) return closed(sentinel);
    if (sentinel.value !== null) return { state: 'unlocked' };
    // Never used, or locked: only a new item tells. A locked keychain refuses it, and nothing is overwritten.
    const made = await call((keytar) => keytar.setPassword(SERVICE, SENTINEL, 'open'));
    return made.ok ? { state: 'unlocked' } : closed(made);
  };

  const opened = async (): Promise<Result<void>> => {
    const status = await state();
    return 'problem' in status ? fail(status.problem) : ok();
  };

  const remove = async (id: string): Promise<Result<void>> => {
    const open = await opened();
    if (!open.ok) return open;
    return call(async (keytar) => {
      await keytar.deletePassword(SERVICE, cardName(id));
      for (let number = 1; number <= MAX_PARTS; number += 1)
        if (!(await keytar.deletePassword(SERVICE, partName(id, number)))) break;
    });
  };

  const writeCard = (card: KeyCard): Promise<Result<void>> =>
    call((keytar) =>
      keytar.setPassword(SERVICE, cardName(card.id), JSON.stringify({ format: 1, home, card })),
    );

  const writeParts = (id: string, privateKey: string): Promise<Result<void>> =>
    call(async (keytar) => {
      const parts = toParts(privateKey);
      for (const [index, part] of parts.entries())
        await keytar.setPassword(SERVICE, partName(id, index + 1), part);
      // Those of a longer key that lay here before.
      for (let number = parts.length + 1; number <= MAX_PARTS; number += 1)
        if (!(await keytar.deletePassword(SERVICE, partName(id, number)))) break;
    });

  const get = async (id: string): Promise<Result<string>> => {
    const open = await opened();
    if (!open.ok) return open;
    const parts: string[] = [];
    let tag = '';
    for (let number = 1, count = 1; number <= count; number += 1) {
      const read = await call((keytar) => keytar.getPassword(SERVICE, partName(id, number)));
      if (!read.ok) return read;
      const part = read.value === null ? null : readPart(read.value);
      if (part?.number !== number || part.count > MAX_PARTS) return fail(missing(id));
      ({ count, tag } = part);
      parts.push(part.content);
    }
    const value = parts.join('');
    return tag === '' || tagOf(value) === tag ? ok(value) : fail(damaged(id));
  };

  return {
    kind: 'keychain',
    state,
    async put(card, privateKey) {
      const open = await opened();
      if (!open.ok) return open;
      const written = await writeParts(card.id, privateKey);
      const done = written.ok ? await writeCard(card) : written;
      if (!done.ok) await remove(card.id);
      return done;
    },
    get,
    async replace(card, privateKey) {
      const before = await get(card.id);
      if (!before.ok && !LOST.includes(before.problem.code)) return before;
      const written = await writeParts(card.id, privateKey);
      const done = written.ok ? await writeCard(card) : written;
      if (!done.ok && before.ok) await writeParts(card.id, before.value);
      return done;
    },
    async updateCard(card) {
      const open = await opened();
      return open.ok ? writeCard(card) : open;
    },
    remove,
    async list() {
      // Asked for all items of a locked keychain, libsecret 0.20 ends the process (seen). Without the sentinel it is locked or was never used.
      const sentinel = await call((keytar) => keytar.getPassword(SERVICE, SENTINEL));
      if (!sentinel.ok) return sentinel;
      if (sentinel.value === null) return ok({ cards: [], complete: false });
      const found = await call((keytar) => keytar.findCredentials(SERVICE));
      if (!found.ok) return found;
      const cards = found.value.flatMap(({ account, password }): StoredCard[] => {
        if (!account.endsWith('/card')) return [];
        const stored = parseStored(password);
        return stored === null ? [] : [{ card: stored.card, ownHome: stored.home === home }];
      });
      return ok({ cards, complete: true });
    },
  };
}

function closed(failed: { readonly ok: false; readonly problem: VaultProblem }): VaultStatus {
  return failed.problem.code === keychainLocked.code
    ? { state: 'locked', problem: failed.problem }
    : { state: 'unavailable', problem: failed.problem };
}
type VaultProblem = Extract<VaultStatus, { state: 'locked' }>['problem'];

function parseStored(text: string): z.infer<typeof storedCardSchema> | null {
  try {
    const parsed = storedCardSchema.safeParse(JSON.parse(text));
    return parsed.success ? parsed.data : null;
  } catch {
    return null;
  }
}

/** There is no key to be kept: another may be put there. */
const LOST: readonly string[] = ['access.key-missing', 'access.key-damaged'];

function damaged(id: string): VaultProblem {
  return problem({
    code: 'access.key-damaged',
    op: 'read the key',
    subject: id,
    message: 'The keychain holds parts of two keys here: writing the later one was cut off.',
    hint: 'Remove the key (`trainyard keys remove`) and add its file again.',
  });
}

function missing(id: string): VaultProblem {
  return problem({
    code: 'access.key-missing',
    op: 'read the key',
    subject: id,
    message: 'The keychain is open and does not hold this key.',
    hint: 'Remove the key (`trainyard keys remove`) and add its file again.',
  });
}
