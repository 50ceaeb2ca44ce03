import { Button, Text } from '@mantine/core';
import { useState } from 'react';
import { USES_SHOWN } from '../../../shared/ipc/keys.ts';
import { KEY_OPERATIONS, wordsOfUse, type KeyUse } from '../../../shared/key-use.ts';
import type { KeyCard } from '../../../shared/key.ts';
import { useNavigation } from '../../app/navigation.ts';
import { problemOf } from '../../client.ts';
import { formatTime } from '../../common/format.ts';
import { ProblemAlert } from '../../common/problem-alert.tsx';
import { useKeyUses } from './use-keys.ts';

interface KeyUsesProps {
  readonly card: KeyCard;
  readonly now: number;
}

/** The use log of a key, read when it is opened. */
export function KeyUses({ card, now }: KeyUsesProps) {
  const [isOpen, setOpen] = useState(false);
  const uses = useKeyUses(card.id, isOpen);
  return (
    <section aria-label="What it was used for">
      <h2>What it was used for</h2>
      <Button
        size="compact-xs"
        variant="subtle"
        ps={0}
        aria-expanded={isOpen}
        onClick={() => setOpen(!isOpen)}
      >
        {isOpen ? 'Hide the log' : 'Show the log'}
      </Button>
      {isOpen &&
        (uses.isError ? (
          <ProblemAlert {...problemOf(uses.error)} />
        ) : uses.isPending ? (
          <Text size="md" className="dimmed">
            Looking…
          </Text>
        ) : uses.data.length === 0 ? (
          <Text size="md" className="dimmed">
            Nothing was taken down yet.
          </Text>
        ) : (
          <UseTable uses={uses.data} card={card} now={now} />
        ))}
    </section>
  );
}

function UseTable({ uses, card, now }: KeyUsesProps & { readonly uses: readonly KeyUse[] }) {
  return (
    <>
      <div className="key-uses-scroll" tabIndex={0} role="group" aria-label={`Log of ${card.name}`}>
        <table className="key-uses">
          <tbody>
            {uses.map((use) => (
              <UseRow key={JSON.stringify(use)} use={use} card={card} now={now} />
            ))}
          </tbody>
        </table>
      </div>
      <Text size="xs" className="dimmed" mt={4}>
        {uses.length === USES_SHOWN ? `The newest ${USES_SHOWN} lines. ` : ''}What this Trainyard
        did with the key; no secret is in it.
      </Text>
    </>
  );
}

function UseRow({ use, card, now }: KeyUsesProps & { readonly use: KeyUse }) {
  const go = useNavigation((navigation) => navigation.go);
  const { job, failed, times } = use;
  return (
    <tr>
      <td>
        {job === null ? wordsOfUse(use) : KEY_OPERATIONS[use.operation]}
        {job !== null && (
          <>
            {': '}
            <Button
              size="compact-xs"
              variant="subtle"
              onClick={() => go({ screen: 'jobs', job })}
              aria-label={`Show the job ${job}`}
            >
              {job}
            </Button>
          </>
        )}
        {failed !== null && <div className="dimmed">failed: {failed}</div>}
        {use.privateKeyId !== card.privateKeyId && (
          <div className="dimmed">with an earlier key</div>
        )}
      </td>
      <td title={use.lastAt}>
        {formatTime(use.lastAt, now)}
        {times > 1 && <div className="dimmed">{times} times</div>}
      </td>
    </tr>
  );
}
