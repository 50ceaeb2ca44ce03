import { Button, Group, Loader, Modal } from '@mantine/core';
import { useState } from 'react';
import { problemOf } from '../../client.ts';
import { ProblemAlert } from '../../common/problem-alert.tsx';
import { useNow } from '../../common/use-now.ts';
import { Breadcrumb } from '../buckets/breadcrumb.tsx';
import { ObjectTable } from '../buckets/object-table.tsx';
import { addressOf, openAddress, parentOf, type Place } from '../buckets/place.ts';
import { nameOf } from '../buckets/rows.ts';
import { useListing } from '../buckets/use-buckets.ts';

interface BucketPickerProps {
  /** What the form has: nothing above it is listed. */
  readonly address: string;
  /** The name of a key; empty for none. */
  readonly keyName: string;
  /** Whether objects can be taken, too, and not folders alone. */
  readonly takesObjects: boolean;
  readonly label: string;
  readonly onPick: (address: string) => void;
}

/** Looks into the bucket from where the form stands, and takes what is chosen there into the form. */
export function BucketPicker(props: BucketPickerProps) {
  const { address, keyName, label, onPick, takesObjects } = props;
  const [place, setPlace] = useState<Place | null>(null);
  const opened = openAddress(address, keyName === '' ? null : keyName);
  if (address === '' || !opened.ok) return null;
  return (
    <>
      <Button
        size="compact-sm"
        h={28}
        style={{ flex: 'none' }}
        variant="default"
        aria-label={label}
        onClick={() => setPlace(opened.place)}
      >
        Browse
      </Button>
      <Modal
        opened={place !== null}
        onClose={() => setPlace(null)}
        title={label}
        size="lg"
        closeButtonProps={{ 'aria-label': 'Close' }}
        centered
      >
        {place !== null && (
          <Inside
            place={place}
            takesObjects={takesObjects}
            onGo={(prefix) => setPlace({ ...place, prefix })}
            onPick={(chosen) => {
              onPick(chosen);
              setPlace(null);
            }}
          />
        )}
      </Modal>
    </>
  );
}

interface InsideProps {
  readonly place: Place;
  readonly takesObjects: boolean;
  readonly onGo: (prefix: string) => void;
  readonly onPick: (address: string) => void;
}

function Inside({ place, takesObjects, onGo, onPick }: InsideProps) {
  const listing = useListing(place);
  const now = useNow(false);
  const [selection, setSelection] = useState<{ readonly at: number; readonly in: string } | null>(
    null,
  );
  const selected = selection?.in === place.prefix ? selection.at : null;
  const row = selected === null ? null : listing.rowAt(selected);
  const { error, loading } = listing.state();
  const taken =
    row !== null && (row.kind === 'folder' || takesObjects) ? nameOf(row) : place.prefix;
  const address = addressOf(place, taken);
  return (
    <>
      <Breadcrumb place={place} onGo={onGo} />
      <div className="nj-picker">
        <ObjectTable
          label="Objects"
          count={listing.count()}
          rowAt={listing.rowAt}
          onShow={listing.show}
          selected={selected}
          onSelect={(at) => setSelection({ at, in: place.prefix })}
          onOpen={(one) => {
            if (one.kind === 'folder') onGo(one.prefix);
            else if (takesObjects) onPick(addressOf(place, one.object.name));
          }}
          onUp={() => {
            const parent = parentOf(place);
            if (parent !== null) onGo(parent);
          }}
          now={now}
        >
          <div className="centre">
            {error !== null ? (
              <ProblemAlert {...problemOf(error)} />
            ) : loading ? (
              <Loader size="sm" aria-label="Looking" />
            ) : (
              <p className="nj-about">Nothing lies here yet.</p>
            )}
          </div>
        </ObjectTable>
      </div>
      <Group justify="space-between" gap="xs" wrap="nowrap" mt="xs">
        <code className="nj-address" title={address}>
          {address}
        </code>
        <Button size="xs" style={{ flex: 'none' }} onClick={() => onPick(address)}>
          Use this
        </Button>
      </Group>
    </>
  );
}
