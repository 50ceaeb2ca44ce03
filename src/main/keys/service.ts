import { randomUUID } from 'node:crypto';
import { basename } from 'node:path';
import { mintToken, type TokenSource } from '../../google/access-token.ts';
import { acceptedTokenUris } from '../../google/endpoints.ts';
import {
  describeKey,
  fingerprintOf,
  parseServiceAccountFile,
} from '../../google/service-account-file.ts';
import type { GoogleEndpoints } from '../../shared/endpoints.ts';
import type { AccessPurpose, AccessToken, KeyCard, ServiceAccountKey } from '../../shared/key.ts';
import type { KeyUsage, KeyUse } from '../../shared/key-use.ts';
import { areaOf, isOffline, ok, type Problem, type Result } from '../../shared/problem.ts';
import { isoTime, systemClock, type Clock } from '../platform/clock.ts';
import type { Log } from '../platform/log.ts';
import type { KeyUseReader, KeyUseWriter } from '../store/key-uses.ts';
import type { KeyReader, KeyWriter } from '../store/keys.ts';
import type { SettingsReader, SettingsWriter } from '../store/settings.ts';
import type { Vaults } from './choose-vault.ts';
import { readKeyFile } from './key-file.ts';
import { checkKeyName, findKey, freeKeyName, nameTaken } from './names.ts';
import { alreadyThere, otherAccount } from './refusals.ts';
import { tokenSources } from './token-sources.ts';
import { useLog } from './use-log.ts';
import type { Vault } from './vault.ts';
import { vaultChoice, type ChosenVault } from './vault-choice.ts';

/** What a check of a key says. Neither `offline` (nobody answered) nor `could-not-tell` (a busy server, a page of a proxy) is a failure of the key. */
export type KeyCheck =
  | { readonly card: KeyCard; readonly result: 'works'; readonly expiresAt: number }
  | {
      readonly card: KeyCard;
      readonly result: 'offline' | 'could-not-tell';
      readonly problem: Problem;
    };

/** How long a check waits for Google: with all else under five seconds. Milliseconds. */
const CHECK_TIME = 3_000;
const RECOVERED = 'keys.recovered.';

/** Keys and their cards. Adding, listing, finding, renaming and removing never touch the network. */
export interface KeyService {
  /** Reads and checks a key file, and keeps the key. Errors: `input.key-...`, those of the vault. */
  add(path: string, options?: { readonly name?: string }): Promise<Result<KeyCard>>;
  /** Reads and checks a key file and keeps nothing. Errors: `input.key-...`. */
  read(path: string): Promise<Result<ServiceAccountKey>>;
  /** The same for a key file's content that came another way; `source` names it in refusals. */
  readBytes(bytes: Uint8Array, source: string): Result<ServiceAccountKey>;
  /** Keeps a key that was read. Errors: `input.key-known`, `input.key-name...`, those of the vault. */
  addKey(
    key: ServiceAccountKey,
    options: { readonly name?: string; readonly source: string },
  ): Promise<Result<KeyCard>>;
  /** A name for a key that nobody has yet. */
  suggestName(key: ServiceAccountKey, source: string): Promise<Result<string>>;
  /**
   * Puts a newer key of the same account in the place of one: name and id stay, so that jobs go on with it.
   * Errors: `input.key-other-account`, `input.key-known`, those of the vault.
   */
  replace(wanted: string, key: ServiceAccountKey): Promise<Result<KeyCard>>;
  list(): Promise<Result<readonly KeyCard[]>>;
  /** By name, id or e-mail address. */
  find(wanted: string): Promise<Result<KeyCard>>;
  rename(wanted: string, name: string): Promise<Result<KeyCard>>;
  /** Removes the key from vault and list; what it was attached to stays. */
  remove(wanted: string): Promise<Result<KeyCard>>;
  /** The key itself, by the id of its card. For minting and for the agent; never for a screen. `use` is taken down. */
  load(id: string, use: KeyUsage): Promise<Result<ServiceAccountKey>>;
  /** Asks Google for a token, at most five seconds. */
  check(wanted: string, signal?: AbortSignal): Promise<Result<KeyCheck>>;
  /** Cached tokens of one key for one purpose. Each that is minted is taken down, for the reason of who asked last. */
  tokenSource(
    card: KeyCard,
    purpose: AccessPurpose,
    reason: KeyUsage['reason'],
  ): Promise<Result<TokenSource>>;
  /** A fresh token, past every cache, from the endpoints given. */
  mint(
    id: string,
    /** Or the scopes themselves. */
    purpose: AccessPurpose | readonly string[],
    endpoints: GoogleEndpoints,
    options: { readonly signal?: AbortSignal; readonly timeoutMs?: number; readonly use: KeyUsage },
  ): Promise<Result<AccessToken>>;
  /** Takes down one more use of a key that is in hand already, and what came of it where that can go wrong. */
  noteUse(card: KeyCard, use: KeyUsage, outcome?: Result<unknown>): void;
  /**
   * What a key was used for, the newest first, by its name, id or e-mail address; by the last name of one that was removed, too.
   * Errors: those of {@link find}.
   */
  uses(wanted: string, limit: number): Promise<Result<readonly KeyUse[]>>;
  /** The vault that new keys go to. */
  vaultStatus(): Promise<ChosenVault>;
  /**
   * Opens the passphrase vault, or makes ready to make it, with a passphrase that this process holds in memory; unless `TRAINYARD_VAULT`
   * says otherwise new keys go there from now on. Errors: `access.vault-passphrase`, `input.passphrase-short`, `input.vault`, `host.vault-...`.
   */
  openPassphraseVault(passphrase: string): Promise<Result<void>>;
  /** New keys go to the keychain from now on. Errors: `input.vault`. */
  useKeychain(): Result<void>;
  /** Keys in the vaults without a row: put there by a Trainyard with another home, or by one that was killed while it added them. */
  offered(): Promise<Result<readonly KeyCard[]>>;
  /** Takes one of {@link offered} into this home's list, under another name where one is given. */
  adopt(id: string, name?: string): Promise<Result<KeyCard>>;
}

export interface KeyServiceParts {
  readonly rows: KeyReader & KeyWriter;
  readonly uses: KeyUseReader & KeyUseWriter;
  readonly settings: SettingsReader & SettingsWriter;
  readonly vaults: Result<Vaults>;
  readonly endpoints: GoogleEndpoints;
  readonly log: Log;
  readonly clock?: Clock;
}

const life = (operation: 'added' | 'replaced' | 'removed'): KeyUsage => ({
  operation,
  reason: null,
  job: null,
});

export function keyService(parts: KeyServiceParts): KeyService {
  const { rows, settings, vaults, endpoints, log } = parts;
  const clock = parts.clock ?? systemClock;
  const uses = useLog(parts.uses, clock, log);

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

  const take = async (card: KeyCard): Promise<Result<ServiceAccountKey>> => {
    if (!vaults.ok) return vaults;
    const secret = await vaults.value.of(card.vault).get(card.id);
    if (!secret.ok) return secret;
    rows.touch(card.id, isoTime(clock));
    return ok({
      projectId: card.projectId,
      privateKeyId: card.privateKeyId,
      privateKey: secret.value,
      clientEmail: card.email,
      clientId: card.clientId,
      tokenUri: card.tokenUri,
    });
  };

  const sources = tokenSources({ endpoints, uses, take });

  const load: KeyService['load'] = async (id, use) => {
    const card = await find(id);
    if (!card.ok) return card;
    const key = await take(card.value);
    uses.note(card.value, use, key);
    return key;
  };

  const mint: KeyService['mint'] = async (id, purpose, at, options) => {
    const card = await find(id);
    if (!card.ok) return card;
    const key = await take(card.value);
    const signal = options.signal ?? new AbortController().signal;
    const { timeoutMs, use } = options;
    const token = key.ok
      ? await mintToken(key.value, purpose, at, {
          signal,
          ...(timeoutMs === undefined ? {} : { timeoutMs }),
        })
      : key;
    uses.note(card.value, use, token);
    return token;
  };

  const readBytes = (bytes: Uint8Array, source: string): Result<ServiceAccountKey> =>
    parseServiceAccountFile(bytes, {
      fileName: basename(source),
      acceptedTokenUris: acceptedTokenUris(endpoints),
    });

  const read = async (path: string): Promise<Result<ServiceAccountKey>> => {
    const bytes = await readKeyFile(path);
    return bytes.ok ? readBytes(bytes.value, path) : bytes;
  };

  const addKey: KeyService['addKey'] = async (key, options) => {
    const given = options.name === undefined ? ok(null) : checkKeyName(options.name);
    if (!given.ok) return given;
    if (!vaults.ok) return vaults;
    const cards = await list();
    if (!cards.ok) return cards;
    const fingerprint = fingerprintOf(key);
    const same = cards.value.find((card) => card.fingerprint === fingerprint);
    if (same !== undefined) return alreadyThere(options.source, same);
    const taken = new Set(cards.value.map(({ name }) => name));
    const name = given.value ?? freeKeyName(key.clientEmail, options.source, taken);
    if (taken.has(name))
      return nameTaken(
        name,
        cards.value.find((card) => card.name === name),
      );
    const vault = vaults.value.chosen;
    const card: KeyCard = {
      id: randomUUID(),
      name,
      email: key.clientEmail,
      projectId: key.projectId,
      privateKeyId: key.privateKeyId,
      clientId: key.clientId,
      tokenUri: key.tokenUri,
      fingerprint,
      addedAt: isoTime(clock),
      lastUsedAt: null,
      vault: vault.kind,
    };
    const kept = await vault.put(card, key.privateKey);
    if (!kept.ok) return kept;
    const written = rows.insert(card);
    if (written.ok && written.value === 'written') {
      uses.note(card, life('added'));
      return ok(card);
    }
    // Without its row the key would lie in the vault unseen.
    await vault.remove(card.id);
    if (!written.ok) return written;
    // Another process was a moment faster, with the same key or with the name.
    const now = await list();
    if (!now.ok) return now;
    const twin = now.value.find((one) => one.fingerprint === fingerprint);
    return twin === undefined
      ? nameTaken(
          name,
          now.value.find((one) => one.name === name),
        )
      : alreadyThere(options.source, twin);
  };

  return {
    list,
    find,
    load,
    mint,
    read,
    readBytes,
    addKey,
    async add(path, options = {}) {
      const given = options.name === undefined ? ok(null) : checkKeyName(options.name);
      if (!given.ok) return given;
      const key = await read(path);
      return key.ok ? addKey(key.value, { ...options, source: path }) : key;
    },
    async suggestName(key, source) {
      const cards = await list();
      if (!cards.ok) return cards;
      return ok(freeKeyName(key.clientEmail, source, new Set(cards.value.map(({ name }) => name))));
    },
    async replace(wanted, key) {
      const cards = await list();
      if (!cards.ok) return cards;
      const found = findKey(cards.value, wanted);
      if (!found.ok) return found;
      if (!vaults.ok) return vaults;
      const earlier = found.value;
      if (earlier.email !== key.clientEmail) return otherAccount(earlier, key.clientEmail);
      const described = describeKey(key);
      const same = cards.value.find(({ fingerprint }) => fingerprint === described.fingerprint);
      if (same !== undefined) return alreadyThere(key.clientEmail, same);
      const card: KeyCard = { ...earlier, ...described, addedAt: isoTime(clock) };
      const vault = vaults.value.of(card.vault);
      const before = await vault.get(card.id);
      const kept = await vault.replace(card, key.privateKey);
      if (!kept.ok) return kept;
      sources.forget(card.id);
      const written = rows.replace(card);
      if (written.ok && written.value === 'written') {
        uses.note(card, life('replaced'));
        return ok(card);
      }
      // Row and vault must tell of one key.
      if (before.ok) await vault.replace(earlier, before.value);
      return written.ok ? alreadyThere(key.clientEmail, card) : written;
    },
    async rename(wanted, name) {
      const checked = checkKeyName(name);
      if (!checked.ok) return checked;
      const card = await find(wanted);
      if (!card.ok || card.value.name === name) return card;
      if (!vaults.ok) return vaults;
      const written = rows.rename(card.value.id, name);
      if (!written.ok) return written;
      if (written.value === 'taken') return nameTaken(name, undefined, true);
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
      sources.forget(card.value.id);
      const removed = rows.remove(card.value.id);
      uses.note(card.value, life('removed'));
      return removed.ok ? card : removed;
    },
    async check(wanted, signal) {
      const card = await find(wanted);
      if (!card.ok) return card;
      const token = await mint(card.value.id, 'read', endpoints, {
        timeoutMs: CHECK_TIME,
        use: { operation: 'check', reason: 'check', job: null },
        ...(signal === undefined ? {} : { signal }),
      });
      if (token.ok)
        return ok({ card: card.value, result: 'works', expiresAt: token.value.expiresAt });
      if (areaOf(token.problem) !== 'network') return token;
      const result = isOffline(token.problem) ? 'offline' : 'could-not-tell';
      return ok({ card: card.value, result, problem: token.problem });
    },
    tokenSource: (card, purpose, reason) => sources.get(card, purpose, reason),
    noteUse: (card, use, outcome) => uses.note(card, use, outcome),
    async uses(wanted, limit) {
      const card = await find(wanted);
      if (card.ok) return uses.list(card.value.id, limit);
      const gone = card.problem.code === 'input.key-unknown' ? uses.lastNamed(wanted) : card;
      return gone.ok && gone.value !== null ? uses.list(gone.value, limit) : card;
    },
    ...vaultChoice(vaults, settings),
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
    async adopt(id, name) {
      const given = name === undefined ? ok(null) : checkKeyName(name);
      if (!given.ok) return given;
      const stored = await storedCards();
      if (!stored.ok) return stored;
      const found = findKey(stored.value, id);
      if (!found.ok || !vaults.ok) return found;
      const card = { ...found.value, name: given.value ?? found.value.name };
      const written = rows.insert(card);
      if (!written.ok) return written;
      if (written.value === 'taken') return nameTaken(card.name, undefined);
      uses.note(card, life('added'));
      if (card.name !== found.value.name) await vaults.value.of(card.vault).updateCard(card);
      return ok(card);
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
