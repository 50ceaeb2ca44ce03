import type { KeyCard } from '../../shared/key.ts';
import { fail, ok, problem, type Result } from '../../shared/problem.ts';
import type { Environment, HomePaths } from '../platform/paths.ts';
import { keychainVault, type KeychainVaultOptions } from './keychain-vault.ts';
import { passphraseVault } from './passphrase-vault.ts';
import type { Vault } from './vault.ts';

/** What decided which vault new keys go to. */
export type VaultDecision = 'environment' | 'setting' | 'default';

/** Both vaults, and which of them new keys go to. A key stays in the vault that it was added to. */
export interface Vaults {
  /** What `TRAINYARD_VAULT` says; else what was chosen in the window; else the keychain. Never another than the chosen one. */
  readonly chosen: Vault;
  readonly decidedBy: VaultDecision;
  readonly of: (kind: KeyCard['vault']) => Vault;
  /** Holds a typed passphrase in this process's memory, in place of the passphrase file; null forgets it. */
  readonly typePassphrase: (passphrase: string | null) => void;
}

const isKind = (word: string | null): word is KeyCard['vault'] =>
  word === 'keychain' || word === 'passphrase';

/**
 * `setting` is asked anew at each use: the window, or another process, may change it.
 * Errors: `input.vault` for another word in `TRAINYARD_VAULT`. Opens nothing.
 */
export function chooseVaults(
  env: Environment,
  paths: Pick<HomePaths, 'home' | 'vaultFile'>,
  setting: () => string | null = () => null,
  keychainOptions: Omit<KeychainVaultOptions, 'home'> = {},
): Result<Vaults> {
  const word = env['TRAINYARD_VAULT'] ?? '';
  if (word !== '' && !isKind(word))
    return fail(
      problem({
        code: 'input.vault',
        op: 'choose the vault',
        subject: 'TRAINYARD_VAULT',
        message: `TRAINYARD_VAULT is "${word}".`,
        hint: 'It may be keychain (what is taken without it) or passphrase.',
      }),
    );
  let typed: string | null = null;
  const keychain = keychainVault({ home: paths.home, env, ...keychainOptions });
  const passphrase = passphraseVault(paths.vaultFile, env, () => typed);
  const of = (kind: KeyCard['vault']) => (kind === 'passphrase' ? passphrase : keychain);
  const decide = (): readonly [VaultDecision, KeyCard['vault']] => {
    if (word !== '') return ['environment', word];
    const chosen = setting();
    return isKind(chosen) ? ['setting', chosen] : ['default', 'keychain'];
  };
  return ok({
    get chosen() {
      return of(decide()[1]);
    },
    get decidedBy() {
      return decide()[0];
    },
    of,
    typePassphrase: (given) => {
      typed = given;
    },
  });
}
