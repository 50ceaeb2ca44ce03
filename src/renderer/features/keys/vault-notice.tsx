import { Button, Group, PasswordInput, Text } from '@mantine/core';
import { useState } from 'react';
import type { KeyVault } from '../../../shared/ipc/keys.ts';
import { ask, problemOf } from '../../client.ts';
import { ProblemAlert } from '../../common/problem-alert.tsx';
import { useKeyChange } from './use-keys.ts';

interface VaultNoticeProps {
  readonly vault: KeyVault;
  readonly onRetry: () => void;
}

/** Says what stands between the user and the vault, and offers the way out. Nothing where the vault is open. */
export function VaultNotice({ vault, onRetry }: VaultNoticeProps) {
  const [wants, setWants] = useState(false);
  if (vault.problem === null) return null;
  const asksPassphrase = vault.wantsPassphrase || wants;
  return (
    <section className="vault-notice" aria-label="The vault of the keys">
      <ProblemAlert
        color={vault.state === 'locked' || vault.wantsPassphrase ? 'yellow' : 'red'}
        message={vault.problem.message}
        hint={vault.problem.hint}
      />
      {!vault.wantsPassphrase && (
        <Group gap="xs">
          <Button size="compact-sm" variant="default" onClick={onRetry}>
            Try again
          </Button>
          {vault.offersPassphraseVault && !wants && (
            <Button size="compact-sm" variant="default" onClick={() => setWants(true)}>
              Use a passphrase vault instead…
            </Button>
          )}
        </Group>
      )}
      {asksPassphrase && (
        <PassphraseForm vault={vault} onCancel={wants ? () => setWants(false) : null} />
      )}
    </section>
  );
}

interface PassphraseFormProps {
  readonly vault: KeyVault;
  readonly onCancel: (() => void) | null;
}

function PassphraseForm({ vault, onCancel }: PassphraseFormProps) {
  const [passphrase, setPassphrase] = useState('');
  const [again, setAgain] = useState('');
  const isNew = !vault.passphraseFileExists;
  const open = useKeyChange(() => ask('keys-open-passphrase-vault', { passphrase }));
  const differs = isNew && again !== '' && again !== passphrase;
  const toggle = { 'aria-label': 'Show what is typed', tabIndex: 0 };
  return (
    <form
      className="passphrase-form"
      aria-label="Passphrase vault"
      onSubmit={(event) => {
        event.preventDefault();
        open.mutate(undefined);
      }}
    >
      <Text size="md" className="wrap">
        {isNew
          ? 'Keys are kept in one file, encrypted with your passphrase (scrypt, AES-256-GCM). Nobody can open it without the passphrase, and nobody can recover a forgotten one. Trainyard asks for it at each start and never writes it down.'
          : 'Trainyard holds the passphrase in memory until it is closed, and never writes it down.'}
      </Text>
      <Text size="sm" className="dimmed wrap">
        {vault.passphraseFile} · in a terminal the same vault opens with TRAINYARD_VAULT=passphrase
        and TRAINYARD_PASSPHRASE_FILE.
      </Text>
      <div className="passphrase-fields">
        <PasswordInput
          size="xs"
          label="Passphrase"
          autoComplete="off"
          value={passphrase}
          maxLength={4_096}
          visibilityToggleButtonProps={toggle}
          onChange={(event) => setPassphrase(event.currentTarget.value)}
        />
        {isNew && (
          <PasswordInput
            size="xs"
            label="Once more"
            autoComplete="off"
            value={again}
            maxLength={4_096}
            visibilityToggleButtonProps={toggle}
            error={differs ? 'The two differ.' : null}
            onChange={(event) => setAgain(event.currentTarget.value)}
          />
        )}
      </div>
      {open.error !== null && <ProblemAlert {...problemOf(open.error)} />}
      <Group gap="xs">
        <Button
          size="xs"
          type="submit"
          loading={open.isPending}
          disabled={passphrase === '' || (isNew && again !== passphrase)}
        >
          {isNew ? 'Make the vault' : 'Open the vault'}
        </Button>
        {onCancel !== null && (
          <Button size="xs" variant="default" onClick={onCancel}>
            Cancel
          </Button>
        )}
      </Group>
    </form>
  );
}
