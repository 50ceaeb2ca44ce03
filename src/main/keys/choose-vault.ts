import type { KeyCard } from '../../shared/key.ts';
import { fail, ok, problem, type Result } from '../../shared/problem.ts';
import type { Environment, HomePaths } from '../platform/paths.ts';
import { keychainVault } from './keychain-vault.ts';
import { passphraseVault } from './passphrase-vault.ts';
import type { Vault } from './vault.ts';

/** Both vaults, and which of them new keys go to. A key stays in the vault that it was added to. */
export interface Vaults {
  /** What `TRAINYARD_VAULT` says; the keychain when it says nothing. Never another than the chosen one. */
  readonly chosen: Vault;
  readonly of: (kind: KeyCard['vault']) => Vault;
}

/** Errors: `input.vault` for another word in `TRAINYARD_VAULT`. Opens nothing. */
export function chooseVaults(
  env: Environment,
  paths: Pick<HomePaths, 'home' | 'vaultFile'>,
): Result<Vaults> {
  const word = env['TRAINYARD_VAULT'] ?? '';
  if (word !== '' && word !== 'keychain' && word !== 'passphrase')
    return fail(
      problem({
        code: 'input.vault',
        op: 'choose the vault',
        subject: 'TRAINYARD_VAULT',
        message: `TRAINYARD_VAULT is "${word}".`,
        hint: 'It may be keychain (what is taken without it) or passphrase.',
      }),
    );
  const keychain = keychainVault({ home: paths.home });
  const passphrase = passphraseVault(paths.vaultFile, env);
  return ok({
    chosen: word === 'passphrase' ? passphrase : keychain,
    of: (kind) => (kind === 'passphrase' ? passphrase : keychain),
  });
}
