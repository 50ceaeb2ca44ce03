import type { KeyCard } from '../../shared/key.ts';
import type { Problem, Result } from '../../shared/problem.ts';

/** What a vault can do now. */
export type VaultStatus =
  /** Keys can be read and written. `empty`: it will be made by the first key. */
  | { readonly state: 'unlocked' | 'empty' }
  /** It is there, and its owner must open it first. Nothing is lost; nothing is written meanwhile. */
  | { readonly state: 'locked'; readonly problem: Problem }
  /** It cannot be used on this machine, or not as it is set up. */
  | { readonly state: 'unavailable'; readonly problem: Problem };

/** A card that lies beside its key, so that the store's row can be made again. */
export interface StoredCard {
  readonly card: KeyCard;
  /** Whether a Trainyard with this home folder put it there: several homes may share one keychain. */
  readonly ownHome: boolean;
}

/**
 * Keeps private keys. A key is PKCS#8 DER in base64, under the random id of its card.
 * Errors: `access.keychain-locked`, `access.keychain-unavailable`, `access.vault-passphrase`, `access.key-missing`, `input.passphrase-...`,
 * `host.vault-...`. Nothing that is in the vault is overwritten while it is locked.
 */
export interface Vault {
  readonly kind: KeyCard['vault'];
  state(): Promise<VaultStatus>;
  /** Stores a key and its card under a new id. Stores the whole or nothing. */
  put(card: KeyCard, privateKey: string): Promise<Result<void>>;
  get(id: string): Promise<Result<string>>;
  /** Puts another key, and its card, in the place of the one under the card's id. Where that fails the earlier one is still there. */
  replace(card: KeyCard, privateKey: string): Promise<Result<void>>;
  /** Replaces the card beside a key: after a rename. */
  updateCard(card: KeyCard): Promise<Result<void>>;
  /** Removing what is not there is done. */
  remove(id: string): Promise<Result<void>>;
  /** The cards of all keys. `complete` is false where a locked vault may hold more than it shows. */
  list(): Promise<Result<{ readonly cards: readonly StoredCard[]; readonly complete: boolean }>>;
}
