import { Button, Text } from '@mantine/core';
import { useState } from 'react';
import type { KeyCard } from '../../../shared/key.ts';
import { ask, problemOf } from '../../client.ts';
import { formatTime } from '../../common/format.ts';
import { ProblemAlert } from '../../common/problem-alert.tsx';
import { freeName, VAULT_NAMES } from './key-words.ts';
import { useKeyChange } from './use-keys.ts';

interface OfferedKeysProps {
  readonly offered: readonly KeyCard[];
  /** Names in the list already. */
  readonly names: readonly string[];
  readonly now: number;
}

/** Keys that lie in the vault and not in this list: of another home folder, or left by a program that was killed. */
export function OfferedKeys({ offered, names, now }: OfferedKeysProps) {
  const [isOpen, setOpen] = useState(false);
  const adopt = useKeyChange(({ id, name }: KeyCard) =>
    ask('keys-adopt', { id, name: freeName(name, names) }),
  );
  const [first] = offered;
  if (first === undefined) return null;
  return (
    <section className="offered" aria-label="Keys found in the vault">
      <div className="offered-head">
        <Text size="md">
          {offered.length === 1 ? 'One more key lies' : `${offered.length} more keys lie`} in the{' '}
          {VAULT_NAMES[first.vault]} and not in this list.
        </Text>
        <Button
          size="compact-sm"
          variant="default"
          aria-expanded={isOpen}
          onClick={() => setOpen(!isOpen)}
        >
          {isOpen ? 'Hide' : 'Show'}
        </Button>
      </div>
      {isOpen && (
        <ul>
          {offered.map((card) => (
            <li key={card.id}>
              <span className="wrap">
                <strong>{card.name}</strong> {card.email}{' '}
                <span className="dimmed">added {formatTime(card.addedAt, now)}</span>
              </span>
              <Button
                size="compact-sm"
                loading={adopt.isPending && adopt.variables.id === card.id}
                onClick={() => adopt.mutate(card)}
                aria-label={`Add ${card.name} to the list`}
              >
                Add to the list
              </Button>
            </li>
          ))}
        </ul>
      )}
      {adopt.error !== null && <ProblemAlert {...problemOf(adopt.error)} />}
    </section>
  );
}
