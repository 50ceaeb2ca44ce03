import { Button, Text } from '@mantine/core';
import { useMutation } from '@tanstack/react-query';
import { useEffect, useRef } from 'react';
import type { KeyCandidate } from '../../../shared/ipc/keys.ts';
import type { KeyCard } from '../../../shared/key.ts';
import { ask, problemOf } from '../../client.ts';
import { ProblemAlert } from '../../common/problem-alert.tsx';
import { Dismiss } from './dismiss.tsx';
import { VAULT_NAMES } from './key-words.ts';

interface KeptCardProps {
  readonly candidate: KeyCandidate;
  readonly card: KeyCard;
  readonly onDismiss: () => void;
}

/** After a key was taken in: what is left is the file, or the clipboard, that it came from. */
export function KeptCard({ candidate, card, onDismiss }: KeptCardProps) {
  const isFile = candidate.source === 'file';
  const clear = useMutation({
    mutationFn: () => ask('keys-clear-original', { handle: candidate.handle }),
  });
  // The button that was pressed is gone: the keyboard goes on from here.
  const section = useRef<HTMLElement>(null);
  useEffect(() => section.current?.focus(), []);
  return (
    <section
      ref={section}
      tabIndex={-1}
      className="arrival arrival-kept"
      aria-label={`Kept: ${card.name}`}
      role="status"
    >
      <div className="arrival-head">
        <span className="mark" data-mark="good" aria-hidden="true" />
        <h2 className="wrap">
          “{card.name}” is in the {VAULT_NAMES[card.vault]}
        </h2>
        <Dismiss onClick={onDismiss} />
      </div>
      {clear.isError && <ProblemAlert {...problemOf(clear.error)} />}
      {clear.isSuccess ? (
        <Text size="md" className="wrap">
          {isFile
            ? `${candidate.name} is in the trash. It can be read there until the trash is emptied.`
            : 'The clipboard holds the key no more.'}
        </Text>
      ) : (
        <div className="arrival-form">
          <Text size="md" className="wrap">
            {isFile
              ? `The key can still be read in ${candidate.name}. Trainyard does not need the file any more.`
              : 'The key can still be read in the clipboard.'}
          </Text>
          <Button
            size="xs"
            variant="default"
            loading={clear.isPending}
            onClick={() => clear.mutate()}
          >
            {isFile ? 'Move the original to the trash' : 'Clear the clipboard'}
          </Button>
        </div>
      )}
    </section>
  );
}
