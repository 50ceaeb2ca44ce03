import { Button, Group, Loader, Text } from '@mantine/core';
import { useMutation } from '@tanstack/react-query';
import type { KeyVault } from '../../../shared/ipc/keys.ts';
import { KEYS_FORBIDDEN, WHERE_KEYS_ARE_MADE } from '../../../shared/make-a-key.ts';
import { ask, problemOf } from '../../client.ts';
import { ProblemAlert } from '../../common/problem-alert.tsx';
import { useNow } from '../../common/use-now.ts';
import { ArrivalCard } from './arrival-card.tsx';
import { receiveClipboard, receivePicked, useArrivals } from './arrivals.ts';
import { KeyDetail } from './key-detail.tsx';
import { KeyTable } from './key-table.tsx';
import { VAULT_NAMES } from './key-words.ts';
import './keys.css';
import { OfferedKeys } from './offered-keys.tsx';
import { OldKeys } from './old-keys.tsx';
import { useKeyChange, useKeys, useOffered, useVault } from './use-keys.ts';
import { VaultNotice } from './vault-notice.tsx';

/** The keys, what just came in, and the state of their vault. All of it works without a network. */
export function KeysScreen() {
  const keys = useKeys();
  const vault = useVault();
  const offered = useOffered();
  const arrivals = useArrivals((state) => state.list);
  const chosen = useArrivals((state) => state.chosen);
  const choose = useArrivals((state) => state.choose);
  const now = useNow(false);
  const card = keys.data?.find(({ id }) => id === chosen) ?? keys.data?.[0];

  return (
    <div className="keys">
      <header className="detail-head">
        <h1>Keys</h1>
        {vault.data !== undefined && <VaultState vault={vault.data} />}
        <AddButtons />
      </header>
      <div
        className="keys-news"
        data-alone={keys.isSuccess && card === undefined ? true : undefined}
      >
        {vault.data !== undefined && (
          <VaultNotice vault={vault.data} onRetry={() => void vault.refetch()} />
        )}
        {offered.data !== undefined && keys.data !== undefined && (
          <OfferedKeys offered={offered.data} names={keys.data.map(({ name }) => name)} now={now} />
        )}
        {keys.data !== undefined && <OldKeys keys={keys.data} now={now} onChoose={choose} />}
        {arrivals.map((arrival) => (
          <ArrivalCard key={arrival.id} arrival={arrival} />
        ))}
      </div>
      {keys.isPending ? (
        <div className="centre">
          <Loader size="sm" aria-label="Keys are being read" />
        </div>
      ) : keys.isError ? (
        <div className="centre">
          <div className="centre-box">
            <ProblemAlert {...problemOf(keys.error)} />
            <Button size="xs" mt="sm" loading={keys.isFetching} onClick={() => void keys.refetch()}>
              Try again
            </Button>
          </div>
        </div>
      ) : card === undefined ? (
        arrivals.length === 0 && <NoKeys />
      ) : (
        <div className="key-panes">
          <KeyTable keys={keys.data} selected={card.id} onSelect={choose} now={now} />
          <KeyDetail key={card.id} card={card} now={now} />
        </div>
      )}
    </div>
  );
}

function AddButtons() {
  const pick = useMutation({ mutationFn: () => receivePicked() });
  const paste = useMutation({ mutationFn: receiveClipboard });
  return (
    <Group gap="xs" className="detail-actions">
      <Button
        size="compact-sm"
        variant="default"
        loading={paste.isPending}
        onClick={() => paste.mutate()}
      >
        Paste a key
      </Button>
      <Button size="compact-sm" loading={pick.isPending} onClick={() => pick.mutate()}>
        Add key files…
      </Button>
    </Group>
  );
}

/** Where new keys go. The window can go back to the keychain where it chose the passphrase vault itself. */
function VaultState({ vault }: { readonly vault: KeyVault }) {
  const change = useKeyChange(() => ask('keys-use-keychain', {}));
  if (vault.problem !== null && vault.kind === 'keychain') return null;
  return (
    <>
      <Text size="sm" className="dimmed">
        New keys go to the {VAULT_NAMES[vault.kind]}
      </Text>
      {vault.kind === 'passphrase' && vault.decidedBy === 'setting' && (
        <Button
          size="compact-sm"
          variant="subtle"
          loading={change.isPending}
          onClick={() => change.mutate(undefined)}
        >
          Use the keychain
        </Button>
      )}
    </>
  );
}

function NoKeys() {
  return (
    <div className="centre">
      <div className="centre-box">
        <h1>No keys yet</h1>
        <Text size="md" mb="xs">
          Drop the JSON file of a service-account key anywhere in this window, choose it, or paste
          its content. It is read and checked on this machine, and kept where only you can open it.
        </Text>
        <Text size="sm" className="dimmed">
          To make one: {WHERE_KEYS_ARE_MADE.charAt(0).toLowerCase() + WHERE_KEYS_ARE_MADE.slice(1)}.{' '}
          {KEYS_FORBIDDEN}
        </Text>
      </div>
    </div>
  );
}
