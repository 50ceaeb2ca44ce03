import { createPrivateKey, randomUUID } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { fingerprintOf } from '../../google/service-account-file.ts';
import { CANDIDATE_MINUTES, type KeyCandidate } from '../../shared/ipc/keys.ts';
import type { KeyCard, ServiceAccountKey } from '../../shared/key.ts';
import { fail, ok, problem, type Problem, type Result } from '../../shared/problem.ts';
import { systemClock, type Clock } from '../platform/clock.ts';
import type { KeyService } from './service.ts';

/** More than anybody looks at at once; the oldest goes first. */
const HELD_AT_MOST = 50;
const CLIPBOARD = 'the clipboard';

/** Where a key came from, so that the original can be cleared away once the key is kept. */
export type Original =
  | { readonly source: 'file'; readonly path: string }
  /** `text` is what was read: only that is cleared. */
  | { readonly source: 'clipboard'; readonly text: string };

/** Keys that were read and wait for their owner's word. They live in this process's memory, and the window knows them by handles. */
export interface KeyCandidates {
  readFile(path: string): Promise<Result<KeyCandidate>>;
  readText(text: string): Promise<Result<KeyCandidate>>;
  take(handle: string, name: string): Promise<Result<KeyCard>>;
  replace(handle: string, id: string): Promise<Result<KeyCard>>;
  discard(handle: string): void;
  /** The key itself, for a question to Google. Errors: `input.key-handle`, also once it is kept. */
  key(handle: string): Result<ServiceAccountKey>;
  /** Where a key that is kept now came from. Errors: `input.key-original` where the file is another by now, `input.key-handle`. */
  original(handle: string): Promise<Result<Original>>;
}

interface Held {
  readonly until: number;
  /** Null once it is kept: the memory holds no secret longer than it must. */
  readonly key: ServiceAccountKey | null;
  readonly source: string;
  readonly original: Original;
  /** Of the file when it was read. */
  readonly identity: string | null;
}

export function keyCandidates(keys: KeyService, clock: Clock = systemClock): KeyCandidates {
  const held = new Map<string, Held>();

  const sweep = (): void => {
    for (const [handle, { until }] of held) if (until < clock.now()) held.delete(handle);
    for (const handle of held.keys()) if (held.size > HELD_AT_MOST) held.delete(handle);
  };

  const hold = (held_: Omit<Held, 'until'>): string => {
    const handle = randomUUID();
    held.set(handle, { ...held_, until: clock.now() + CANDIDATE_MINUTES * 60_000 });
    const timer = setTimeout(sweep, CANDIDATE_MINUTES * 60_000 + 1_000);
    timer.unref();
    sweep();
    return handle;
  };

  const find = (handle: string): Result<Held> => {
    sweep();
    const found = held.get(handle);
    return found === undefined ? fail(GONE) : ok(found);
  };

  const describe = async (
    key: ServiceAccountKey,
    found: Omit<Held, 'until' | 'key'>,
    place: Pick<KeyCandidate, 'folder' | 'readableByOthers'>,
  ): Promise<Result<KeyCandidate>> => {
    const cards = await keys.list();
    if (!cards.ok) return cards;
    const suggestedName = await keys.suggestName(key, found.source);
    if (!suggestedName.ok) return suggestedName;
    const fingerprint = fingerprintOf(key);
    const known = cards.value.find((card) => card.fingerprint === fingerprint);
    return ok({
      handle: hold({ ...found, key }),
      source: found.original.source,
      name: found.original.source === 'file' ? basename(found.source) : CLIPBOARD,
      ...place,
      email: key.clientEmail,
      projectId: key.projectId,
      privateKeyId: key.privateKeyId,
      fingerprint,
      bits: bitsOf(key),
      tokenUri: key.tokenUri,
      suggestedName: suggestedName.value,
      known: known === undefined ? null : { id: known.id, name: known.name },
      sameAccount: cards.value
        .filter((card) => card.email === key.clientEmail && card !== known)
        .map(({ id, name }) => ({ id, name })),
    });
  };

  /** The key is in the vault: what is left is where it came from. */
  const kept = (handle: string, found: Held, card: Result<KeyCard>): Result<KeyCard> => {
    if (card.ok) held.set(handle, { ...found, key: null });
    return card;
  };

  return {
    async readFile(path) {
      const before = await identify(path);
      const key = await keys.read(path);
      if (!key.ok) return key;
      return describe(
        key.value,
        { source: path, original: { source: 'file', path }, identity: before?.identity ?? null },
        { folder: dirname(path), readableByOthers: before?.readableByOthers ?? false },
      );
    },
    async readText(text) {
      if (text.trim() === '') return fail(EMPTY_CLIPBOARD);
      const key = keys.readBytes(Buffer.from(text), CLIPBOARD);
      if (!key.ok) return key;
      return describe(
        key.value,
        { source: CLIPBOARD, original: { source: 'clipboard', text }, identity: null },
        { folder: null, readableByOthers: false },
      );
    },
    async take(handle, name) {
      const found = find(handle);
      if (!found.ok) return found;
      const { key, source } = found.value;
      if (key === null) return fail(GONE);
      return kept(handle, found.value, await keys.addKey(key, { name, source }));
    },
    async replace(handle, id) {
      const found = find(handle);
      if (!found.ok) return found;
      if (found.value.key === null) return fail(GONE);
      return kept(handle, found.value, await keys.replace(id, found.value.key));
    },
    discard(handle) {
      held.delete(handle);
    },
    key(handle) {
      const found = find(handle);
      if (!found.ok) return found;
      return found.value.key === null ? fail(GONE) : ok(found.value.key);
    },
    async original(handle) {
      const found = find(handle);
      if (!found.ok) return found;
      // What is not kept must not lose its only copy.
      if (found.value.key !== null) return fail(GONE);
      const { original, identity } = found.value;
      if (original.source === 'clipboard') return ok(original);
      const now = await identify(original.path);
      return now !== null && now.identity === identity
        ? ok(original)
        : fail(otherFile(original.path));
    },
  };
}

/** What tells a file from another that took its place; null where there is none. */
async function identify(
  path: string,
): Promise<{ readonly identity: string; readonly readableByOthers: boolean } | null> {
  try {
    const found = await stat(path, { bigint: true });
    return {
      identity: [found.dev, found.ino, found.size, found.mtimeNs].join(' '),
      // Windows has other rights than these bits.
      readableByOthers: process.platform !== 'win32' && (found.mode & 0o044n) !== 0n,
    };
  } catch {
    return null;
  }
}

function bitsOf(key: ServiceAccountKey): number {
  const der = Buffer.from(key.privateKey, 'base64');
  const read = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' });
  return read.asymmetricKeyDetails?.modulusLength ?? 0;
}

const GONE: Problem = problem({
  code: 'input.key-handle',
  op: 'take in the key',
  subject: 'the key',
  message: 'Trainyard does not hold this key any more.',
  hint: `What was read is forgotten after ${CANDIDATE_MINUTES} minutes. Give the file again.`,
});

const EMPTY_CLIPBOARD: Problem = problem({
  code: 'input.key-clipboard',
  op: 'read the clipboard',
  subject: CLIPBOARD,
  message: 'The clipboard holds no text.',
  hint: 'Copy the whole content of the key file, from "{" to "}", then paste again.',
});

function otherFile(path: string): Problem {
  return problem({
    code: 'input.key-original',
    op: 'move the file to the trash',
    subject: path,
    message: `${path} is not the file any more that the key was read from.`,
    hint: 'It was left alone. The key itself is kept.',
  });
}
