import { randomUUID } from 'node:crypto';
import { basename } from 'node:path';
import { keyTokenSource, mintToken, type TokenSource } from '../../google/access-token.ts';
import { acceptedTokenUris } from '../../google/endpoints.ts';
import { fingerprintOf, parseServiceAccountFile } from '../../google/service-account-file.ts';
import type { GoogleEndpoints } from '../../shared/endpoints.ts';
import type { AccessPurpose, AccessToken, KeyCard, ServiceAccountKey } from '../../shared/key.ts';
import { areaOf, fail, ok, problem, type Problem, type Result } from '../../shared/problem.ts';
import { isoTime, systemClock, type Clock } from '../platform/clock.ts';
import type { Log } from '../platform/log.ts';
import type { KeyReader, KeyWriter } from '../store/keys.ts';
import type { SettingsReader, SettingsWriter } from '../store/settings.ts';
import type { Vaults } from './choose-vault.ts';
import { readKeyFile } from './key-file.ts';
import { checkKeyName, findKey, freeKeyName, nameTaken } from './names.ts';
import type { Vault, VaultStatus } from './vault.ts';

/** What a check of a key says. `offline` is no failure of the key: nothing could be asked. */
export type KeyCheck =
  | { readonly card: KeyCard; readonly result: 'works'; readonly expiresAt: number }
  | { readonly card: KeyCard; readonly result: 'offline'; readonly problem: Problem };

/** How long a check waits for Google: with all else under five seconds. Milliseconds. */
const CHECK_TIME = 4_000;
const RECOVERED = 'keys.recovered.';

/** Keys and their cards. Adding, listing, finding, renaming and removing never touch the network. */
export interface KeyService {
  /** Reads and checks a key file, and keeps the key. Errors: `input.key-...`, those of the vault. */
  add(path: string, options?: { readonly name?: string }): Promise<Result<KeyCard>>;
  list(): Promise<Result<readonly KeyCard[]>>;
  /** By name, id or e-mail address. */
  find(wanted: string): Promise<Result<KeyCard>>;
  rename(wanted: string, name: string): Promise<Result<KeyCard>>;
  /** Removes the key from vault and list; what it was attached to stays. */
  remove(wanted: string): Promise<Result<KeyCard>>;
  /** The key itself, by the id of its card. For minting and for the agent; never for a screen. */
  load(id: string): Promise<Result<ServiceAccountKey>>;
  /** Asks Google for a token, at most five seconds. */
  check(wanted: string, signal?: AbortSignal): Promise<Result<KeyCheck>>;
  /** Cached tokens of one key for one purpose. */
  tokenSource(card: KeyCard, purpose: AccessPurpose): Promise<Result<TokenSource>>;
  /** A fresh token, past every cache, from the endpoints given. */
  mint(
    id: string,
    purpose: AccessPurpose,
    endpoints: GoogleEndpoints,
    options: { readonly signal?: AbortSignal; readonly timeoutMs?: number },
  ): Promise<Result<AccessToken>>;
  /** The vault that new keys go to. */
  vaultStatus(): Promise<{ readonly kind: Vault['kind'] } & VaultStatus>;
  /** Keys in the vaults without a row: put there by a Trainyard with another home, or by one that was killed while it added them. */
  offered(): Promise<Result<readonly KeyCard[]>>;
  /** Takes one of {@link offered} into this home's list. */
  adopt(id: string): Promise<Result<KeyCard>>;
}

export interface KeyServiceParts {
  readonly rows: KeyReader & KeyWriter;
  readonly settings: SettingsReader & SettingsWriter;
  readonly vaults: Result<Vaults>;
  readonly endpoints: GoogleEndpoints;
  readonly log: Log;
  readonly clock?: Clock;
}

export function keyService(parts: KeyServiceParts): KeyService {
  const { rows, settings, vaults, endpoints, log } = parts;
  const clock = parts.clock ?? systemClock;
  const sources = new Map<string, TokenSource>();

  /** After a lost database: makes the rows again from the cards that lie beside the keys. Failing that, tries again next time. */
  const recover = async (): Promise<void> => {
    if (!vaults.ok) return;
    const kinds = new Set<Vault['kind']>(['passphrase', vaults.value.chosen.kind]);
    for (const kind of kinds) {
      const done = settings.get(`${RECOVERED}${kind}`);
      if (!done.ok || done.value !== null) continue;
      const stored = await vaults.value.of(kind).list();
      if (!stored.ok) continue;
      for (const { card, ownHome } of stored.value.cards)
        if (ownHome) {
          const written = rows.insert(card);
          if (written.ok && written.value === 'written')
            log.info(`found the key "${card.name}" again in the ${kind} vault`);
        }
      if (stored.value.complete) settings.set(`${RECOVERED}${kind}`, isoTime(clock));
    }
  };

  const list = async (): Promise<Result<readonly KeyCard[]>> => {
    await recover();
    return rows.list();
  };

  const find = async (wanted: string): Promise<Result<KeyCard>> => {
    const cards = await list();
    return cards.ok ? findKey(cards.value, wanted) : cards;
  };

  const load = async (id: string): Promise<Result<ServiceAccountKey>> => {
    const card = await find(id);
    if (!card.ok) return card;
    if (!vaults.ok) return vaults;
    const secret = await vaults.value.of(card.value.vault).get(card.value.id);
    if (!secret.ok) return secret;
    rows.touch(card.value.id, isoTime(clock));
    return ok({
      projectId: card.value.projectId,
      privateKeyId: card.value.privateKeyId,
      privateKey: secret.value,
      clientEmail: card.value.email,
      clientId: card.value.clientId,
      tokenUri: card.value.tokenUri,
    });
  };

  const mint: KeyService['mint'] = async (id, purpose, at, options) => {
    const key = await load(id);
    if (!key.ok) return key;
    const signal = options.signal ?? new AbortController().signal;
    const { timeoutMs } = options;
    return mintToken(key.value, purpose, at, {
      signal,
      ...(timeoutMs === undefined ? {} : { timeoutMs }),
    });
  };

  return {
    list,
    find,
    load,
    mint,
    async add(path, options = {}) {
      const given = options.name === undefined ? ok(null) : checkKeyName(options.name);
      if (!given.ok) return given;
      const bytes = await readKeyFile(path);
      if (!bytes.ok) return bytes;
      const key = parseServiceAccountFile(bytes.value, {
        fileName: basename(path),
        acceptedTokenUris: acceptedTokenUris(endpoints),
      });
      if (!key.ok) return key;
      if (!vaults.ok) return vaults;
      const cards = await list();
      if (!cards.ok) return cards;
      const fingerprint = fingerprintOf(key.value);
      const same = cards.value.find((card) => card.fingerprint === fingerprint);
      if (same !== undefined) return fail(alreadyThere(path, same));
      const taken = new Set(cards.value.map(({ name }) => name));
      const name = given.value ?? freeKeyName(key.value.clientEmail, path, taken);
      if (taken.has(name))
        return nameTaken(
          name,
          cards.value.find((card) => card.name === name),
        );
      const vault = vaults.value.chosen;
      const card: KeyCard = {
        id: randomUUID(),
        name,
        email: key.value.clientEmail,
        projectId: key.value.projectId,
        privateKeyId: key.value.privateKeyId,
        clientId: key.value.clientId,
        tokenUri: key.value.tokenUri,
        fingerprint,
        addedAt: isoTime(clock),
        lastUsedAt: null,
        vault: vault.kind,
      };
      const kept = await vault.put(card, key.value.privateKey);
      if (!kept.ok) return kept;
      const written = rows.insert(card);
      if (written.ok && written.value === 'written') return ok(card);
      // Without its row the key would lie in the vault unseen. Another process may have added the same a moment ago.
      await vault.remove(card.id);
      return written.ok ? nameTaken(name, undefined) : written;
    },
    async rename(wanted, name) {
      const checked = checkKeyName(name);
      if (!checked.ok) return checked;
      const card = await find(wanted);
      if (!card.ok || card.value.name === name) return card;
      if (!vaults.ok) return vaults;
      const written = rows.rename(card.value.id, name);
      if (!written.ok) return written;
      if (written.value === 'taken') return nameTaken(name, undefined);
      const renamed = { ...card.value, name };
      const stored = await vaults.value.of(renamed.vault).updateCard(renamed);
      // The row has the name; the copy beside the key only serves after a lost database.
      if (!stored.ok) log.warn(`the vault keeps the old name of "${name}"`, stored.problem);
      return ok(renamed);
    },
    async remove(wanted) {
      const card = await find(wanted);
      if (!card.ok) return card;
      if (!vaults.ok) return vaults;
      const gone = await vaults.value.of(card.value.vault).remove(card.value.id);
      if (!gone.ok) return gone;
      for (const name of sources.keys()) if (name.startsWith(card.value.id)) sources.delete(name);
      const removed = rows.remove(card.value.id);
      return removed.ok ? card : removed;
    },
    async check(wanted, signal) {
      const card = await find(wanted);
      if (!card.ok) return card;
      const token = await mint(card.value.id, 'read', endpoints, {
        timeoutMs: CHECK_TIME,
        ...(signal === undefined ? {} : { signal }),
      });
      if (token.ok)
        return ok({ card: card.value, result: 'works', expiresAt: token.value.expiresAt });
      return areaOf(token.problem) === 'network'
        ? ok({ card: card.value, result: 'offline', problem: token.problem })
        : token;
    },
    async tokenSource(card, purpose) {
      const name = `${card.id} ${purpose}`;
      const known = sources.get(name);
      if (known !== undefined) return ok(known);
      const key = await load(card.id);
      if (!key.ok) return key;
      const source = keyTokenSource(key.value, purpose, endpoints);
      sources.set(name, source);
      return ok(source);
    },
    async vaultStatus() {
      if (!vaults.ok) return { kind: 'keychain', state: 'unavailable', problem: vaults.problem };
      const vault = vaults.value.chosen;
      return { kind: vault.kind, ...(await vault.state()) };
    },
    async offered() {
      const stored = await storedCards();
      if (!stored.ok) return stored;
      const cards = await list();
      if (!cards.ok) return cards;
      const known = new Set(cards.value.flatMap(({ id, fingerprint }) => [id, fingerprint]));
      return ok(
        stored.value.filter(({ id, fingerprint }) => !known.has(id) && !known.has(fingerprint)),
      );
    },
    async adopt(id) {
      const stored = await storedCards();
      if (!stored.ok) return stored;
      const card = findKey(stored.value, id);
      if (!card.ok) return card;
      const written = rows.insert(card.value);
      if (!written.ok) return written;
      return written.value === 'taken' ? nameTaken(card.value.name, undefined) : card;
    },
  };

  /** What lies in the vaults that can be read. */
  async function storedCards(): Promise<Result<readonly KeyCard[]>> {
    if (!vaults.ok) return vaults;
    const cards: KeyCard[] = [];
    for (const kind of ['keychain', 'passphrase'] as const) {
      const stored = await vaults.value.of(kind).list();
      if (stored.ok) cards.push(...stored.value.cards.map(({ card }) => card));
      else if (kind === vaults.value.chosen.kind) return stored;
    }
    return ok(cards);
  }
}

function alreadyThere(path: string, card: KeyCard): Problem {
  return problem({
    code: 'input.key-known',
    op: 'add the key',
    subject: path,
    message: `This key is there already, as "${card.name}" (${card.email}, added ${card.addedAt.slice(0, 10)}).`,
    hint: `Use it under that name, or rename it: trainyard keys rename ${card.name} NEW-NAME.`,
  });
}
