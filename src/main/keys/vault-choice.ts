import { fail, ok, problem, type Result } from '../../shared/problem.ts';
import type { SettingsReader, SettingsWriter } from '../store/settings.ts';
import type { VaultDecision, Vaults } from './choose-vault.ts';
import type { Vault, VaultStatus } from './vault.ts';

/** The vault that new keys go to, what decided that, and what it can do now. */
export type ChosenVault = {
  readonly kind: Vault['kind'];
  readonly decidedBy: VaultDecision;
} & VaultStatus;

/** Where the choice that was made in the window is kept. */
const SETTING = 'keys.vault';
/** Of a vault that is made with it; characters. */
export const SHORTEST_PASSPHRASE = 8;

/** What was chosen in the window, if anything. */
export function chosenVault(settings: SettingsReader): string | null {
  const chosen = settings.get(SETTING);
  return chosen.ok ? chosen.value : null;
}

/** The part of the key service that chooses and opens the vault for new keys. Every choice is the user's own. */
export function vaultChoice(vaults: Result<Vaults>, settings: SettingsWriter) {
  const choose = (kind: Vault['kind']): Result<void> => {
    if (!vaults.ok) return vaults;
    const { chosen, decidedBy } = vaults.value;
    if (decidedBy !== 'environment') return settings.set(SETTING, kind);
    return chosen.kind === kind ? ok() : fail(decided(chosen.kind));
  };
  return {
    async vaultStatus(): Promise<ChosenVault> {
      if (!vaults.ok)
        return {
          kind: 'keychain',
          decidedBy: 'environment',
          state: 'unavailable',
          problem: vaults.problem,
        };
      const { chosen, decidedBy } = vaults.value;
      return { kind: chosen.kind, decidedBy, ...(await chosen.state()) };
    },
    async openPassphraseVault(passphrase: string): Promise<Result<void>> {
      if (!vaults.ok) return vaults;
      vaults.value.typePassphrase(passphrase);
      const opened = await vaults.value.of('passphrase').state();
      const done =
        'problem' in opened
          ? fail(opened.problem)
          : opened.state === 'empty' && passphrase.length < SHORTEST_PASSPHRASE
            ? fail(tooShort)
            : choose('passphrase');
      if (!done.ok) vaults.value.typePassphrase(null);
      return done;
    },
    useKeychain: (): Result<void> => choose('keychain'),
  };
}

const tooShort = problem({
  code: 'input.passphrase-short',
  op: 'make the passphrase vault',
  subject: 'passphrase',
  message: `The passphrase is too short: it needs at least ${SHORTEST_PASSPHRASE} characters.`,
  hint: 'Several words that do not belong together are easy to keep in mind and hard to guess.',
});

function decided(kind: Vault['kind']) {
  return problem({
    code: 'input.vault',
    op: 'choose the vault',
    subject: 'TRAINYARD_VAULT',
    message: `The variable TRAINYARD_VAULT says ${kind}, and it decides.`,
    hint: 'Start Trainyard without it to choose here.',
  });
}
