import { Button, Group, Modal, Text } from '@mantine/core';
import { useState } from 'react';
import { hasEnded } from '../../../shared/job-status.ts';
import type { KeyJob } from '../../../shared/ipc/keys.ts';
import type { KeyCard } from '../../../shared/key.ts';
import { ask, problemOf } from '../../client.ts';
import { ProblemAlert } from '../../common/problem-alert.tsx';
import { VAULT_NAMES } from './key-words.ts';
import { useKeyChange, useKeyDependents } from './use-keys.ts';

interface RemoveKeyProps {
  readonly card: KeyCard;
  /** Those that name the key. */
  readonly jobs: readonly KeyJob[];
}

/** Asks before a key is removed, and says what would break. */
export function RemoveKey({ card, jobs }: RemoveKeyProps) {
  const [asks, setAsks] = useState(false);
  const remove = useKeyChange(() => ask('keys-remove', { id: card.id }));
  const dependents = useKeyDependents(card.id, asks);
  const { holding = [], bookmarks = [], templates = [] } = dependents.data ?? {};
  const goesOn = jobs.filter(({ state }) => !hasEnded(state));
  const live = goesOn.filter(({ id }) => !holding.includes(id));
  const held = goesOn.filter(({ id }) => holding.includes(id));
  const ended = jobs.filter(({ state }) => hasEnded(state) && state !== 'finished');
  const finished = jobs.length - goesOn.length - ended.length;
  return (
    <>
      <Button size="compact-sm" color="red" variant="outline" onClick={() => setAsks(true)}>
        Remove…
      </Button>
      <Modal
        opened={asks}
        onClose={() => setAsks(false)}
        title={`Remove ${card.name}?`}
        closeButtonProps={{ 'aria-label': 'Close' }}
        centered
      >
        <Text size="md" mb="xs">
          The key leaves the {VAULT_NAMES[card.vault]}. Without its file it cannot be brought back;
          Google then gives a new key for the account.
        </Text>
        {live.length > 0 && (
          <ProblemAlert
            color="yellow"
            message={`${countOf(live)} would lose access when the present token runs out, within an hour:`}
            hint={namesOf(live)}
          />
        )}
        {ended.length > 0 && (
          <Text size="md" mt="xs" className="wrap">
            {countOf(ended)} could not be retried: {namesOf(ended)}
          </Text>
        )}
        {held.length > 0 && (
          <Text size="md" mt="xs" className="wrap">
            {countOf(held)} {held.length === 1 ? 'was' : 'were'} handed the key itself and{' '}
            {held.length === 1 ? 'goes' : 'go'} on with it: {namesOf(held)}
          </Text>
        )}
        {bookmarks.length > 0 && (
          <Text size="md" mt="xs" className="wrap">
            {bookmarks.length === 1 ? 'One bookmark opens' : `${bookmarks.length} bookmarks open`}{' '}
            with it: {listOf(bookmarks)}
          </Text>
        )}
        {templates.length > 0 && (
          <Text size="md" mt="xs" className="wrap">
            {templates.length === 1 ? 'One template names' : `${templates.length} templates name`}{' '}
            it: {listOf(templates)}
          </Text>
        )}
        {goesOn.length + ended.length > 0 && (
          <Text size="md" mt="xs" className="wrap">
            They go on once a key of the same account is here under the name {card.name} again.
          </Text>
        )}
        {goesOn.length + ended.length === 0 && (
          <Text size="md" className="dimmed">
            No job that is not finished uses it.
          </Text>
        )}
        {finished > 0 && (
          <Text size="md" mt="xs" className="dimmed">
            {finished === 1 ? 'One finished job' : `${finished} finished jobs`} used it: what they
            uploaded stays, and they can be run again with another key.
          </Text>
        )}
        {remove.error !== null && <ProblemAlert {...problemOf(remove.error)} />}
        <Group justify="flex-end" gap="xs" mt="md">
          <Button size="xs" variant="default" onClick={() => setAsks(false)}>
            Keep it
          </Button>
          <Button
            size="xs"
            color="red"
            loading={remove.isPending}
            onClick={() => remove.mutate(undefined)}
          >
            Remove the key
          </Button>
        </Group>
      </Modal>
    </>
  );
}

const SHOWN = 5;

const countOf = (jobs: readonly KeyJob[]): string =>
  jobs.length === 1 ? 'One job' : `${jobs.length} jobs`;

const namesOf = (jobs: readonly KeyJob[]): string => listOf(jobs.map(({ name }) => name));

function listOf(names: readonly string[]): string {
  const more = names.length - SHOWN;
  return `${names.slice(0, SHOWN).join(', ')}${more > 0 ? ` and ${more} more` : ''}.`;
}
