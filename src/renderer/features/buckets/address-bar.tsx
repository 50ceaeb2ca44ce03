import { Button, NativeSelect } from '@mantine/core';
import { useState } from 'react';
import type { KeyCard } from '../../../shared/key.ts';
import type { Problem } from '../../../shared/problem.ts';
import { keyLabel } from '../../common/key-label.ts';
import { usePowers } from '../access/power.tsx';
import { AddressForm } from './address-form.tsx';
import { Bookmarks } from './bookmarks.tsx';
import { keyOf } from './key-of.ts';
import { addressOf, openAddress, type Place } from './place.ts';
import { usePlace } from './place-store.ts';

/** What stands for no key in the choice: no card has it as its id. */
const NO_KEY = '';

interface AddressBarProps {
  readonly keys: readonly KeyCard[];
  /** The key in force. */
  readonly chosen: string | null;
  readonly onRefuse: (problem: Problem | null) => void;
}

/** Which key looks, and where. */
export function AddressBar({ keys, chosen, onRefuse }: AddressBarProps) {
  const place = usePlace((store) => store.place);
  const chooseKey = usePlace((store) => store.chooseKey);
  const lookAgain = usePlace((store) => store.lookAgain);
  const shown = place === null ? '' : shownAddress(place);
  const powers = usePowers();
  const card = keyOf(chosen, keys);
  const isGone = chosen !== null && card === undefined;

  return (
    <div className="address-bar">
      <NativeSelect
        size="xs"
        aria-label="Key"
        value={card?.id ?? chosen ?? NO_KEY}
        onChange={(event) =>
          chooseKey(event.currentTarget.value === NO_KEY ? null : event.currentTarget.value)
        }
        data={[
          ...keys.map(({ id, name }) => ({
            value: id,
            label: keyLabel({ name, admin: powers.has(id) }),
          })),
          ...(isGone ? [{ value: chosen, label: `${chosen} (not there)` }] : []),
          { value: NO_KEY, label: 'No key (public)' },
        ]}
      />
      <AddressInput key={shown} shown={shown} chosen={chosen} onRefuse={onRefuse} />
      {place !== null && (
        <Button size="xs" variant="default" onClick={lookAgain}>
          Refresh
        </Button>
      )}
      <Bookmarks keys={keys} />
    </div>
  );
}

const shownAddress = (place: Place): string => addressOf(place, place.maybeObject ?? place.prefix);

interface AddressInputProps {
  readonly shown: string;
  readonly chosen: string | null;
  readonly onRefuse: (problem: Problem | null) => void;
}

function AddressInput({ shown, chosen, onRefuse }: AddressInputProps) {
  const [text, setText] = useState(shown);
  const open = usePlace((store) => store.open);
  return (
    <AddressForm
      label="Address"
      text={text}
      onText={setText}
      onOpen={() => {
        const opened = openAddress(text, chosen);
        onRefuse(opened.ok ? null : opened.problem);
        if (opened.ok) open(opened.place);
      }}
      autoFocus={shown === ''}
      onFocus={(event) => event.currentTarget.select()}
    />
  );
}
