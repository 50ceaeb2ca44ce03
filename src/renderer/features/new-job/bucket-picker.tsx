import { Button, Group, Modal } from '@mantine/core';
import { useState } from 'react';
import type { KeyCard } from '../../../shared/key.ts';
import type { Problem } from '../../../shared/problem.ts';
import { problemOf } from '../../client.ts';
import { ProblemAlert } from '../../common/problem-alert.tsx';
import { useNow } from '../../common/use-now.ts';
import { AddressForm } from '../buckets/address-form.tsx';
import { BookmarkList } from '../buckets/bookmarks.tsx';
import { Breadcrumb } from '../buckets/breadcrumb.tsx';
import '../buckets/buckets.css';
import { keyOf } from '../buckets/key-of.ts';
import { Waiting } from '../buckets/nothing-yet.tsx';
import { ObjectTable } from '../buckets/object-table.tsx';
import { addressOf, openAddress, parentOf, type Place } from '../buckets/place.ts';
import { refusalOf } from '../buckets/refusal-words.ts';
import { nameOf } from '../buckets/rows.ts';
import { useKeyChoices, useListing } from '../buckets/use-buckets.ts';

interface BucketPickerProps {
  /** What the form has: nothing above it is listed. Where it is no address yet, one is asked for first. */
  readonly address: string;
  /** The name of a key; empty for none. */
  readonly keyName: string;
  /** Whether objects can be taken, too, and not folders alone. */
  readonly takesObjects: boolean;
  readonly label: string;
  /** `key`: the name of one that came with a bookmark, where the form has none. */
  readonly onPick: (address: string, key: string | null) => void;
}

/** Looks into the bucket from where the form stands, and takes what is chosen there into the form. */
export function BucketPicker(props: BucketPickerProps) {
  const { address, keyName, label, onPick, takesObjects } = props;
  const [isOpen, setOpen] = useState(false);
  const [place, setPlace] = useState<Place | null>(null);
  const keys = useKeyChoices().data ?? [];
  const open = () => {
    const opened = openAddress(address, keyName === '' ? null : keyName);
    setPlace(address.trim() !== '' && opened.ok ? opened.place : null);
    setOpen(true);
  };
  return (
    <>
      <Button
        size="compact-sm"
        h={28}
        variant="default"
        aria-label={label}
        aria-haspopup="dialog"
        onClick={open}
      >
        Browse
      </Button>
      <Modal
        opened={isOpen}
        onClose={() => setOpen(false)}
        title={label}
        size="lg"
        closeButtonProps={{ 'aria-label': 'Close' }}
        centered
      >
        {place === null ? (
          <WhereTo begin={address} keyName={keyName} keys={keys} onOpen={setPlace} />
        ) : (
          <Inside
            place={place}
            takesObjects={takesObjects}
            onGo={(prefix) => setPlace({ ...place, prefix })}
            onElsewhere={() => setPlace(null)}
            onPick={(chosen) => {
              onPick(chosen, keyName === '' ? (keyOf(place.key, keys)?.name ?? null) : null);
              setOpen(false);
            }}
          />
        )}
      </Modal>
    </>
  );
}

interface WhereToProps {
  readonly begin: string;
  readonly keyName: string;
  readonly keys: readonly KeyCard[];
  readonly onOpen: (place: Place) => void;
}

/** Asks for a place to begin from: an address, or one that was kept. */
function WhereTo({ begin, keyName, keys, onOpen }: WhereToProps) {
  const [text, setText] = useState(begin);
  const [refusal, refuse] = useState<Problem | null>(null);
  const go = (address: string, key: string | null): void => {
    const opened = openAddress(address, key);
    refuse(opened.ok ? null : opened.problem);
    if (opened.ok) onOpen(opened.place);
  };
  return (
    <>
      <AddressForm
        data-autofocus
        label="Address to begin from"
        text={text}
        onText={setText}
        onOpen={() => go(text, keyName === '' ? null : keyName)}
      />
      <p className="nj-about nj-where">
        Write it as deep as the key may see, with the key that the form has (
        {keyName === '' ? 'none' : keyName}), or begin from a bookmark.
      </p>
      {refusal !== null && <ProblemAlert {...refusal} />}
      <BookmarkList
        keys={keys}
        onChoose={({ address, key }) => go(address, keyName === '' ? key : keyName)}
      />
    </>
  );
}

interface InsideProps {
  readonly place: Place;
  readonly takesObjects: boolean;
  readonly onGo: (prefix: string) => void;
  readonly onElsewhere: () => void;
  readonly onPick: (address: string) => void;
}

function Inside({ place, takesObjects, onGo, onElsewhere, onPick }: InsideProps) {
  const listing = useListing(place);
  const now = useNow(false);
  const [selection, setSelection] = useState<{ readonly at: number; readonly in: string } | null>(
    null,
  );
  const selected = selection?.in === place.prefix ? selection.at : null;
  const row = selected === null ? null : listing.rowAt(selected);
  const { error, loading, retried } = listing.state();
  const taken =
    row !== null && (row.kind === 'folder' || takesObjects) ? nameOf(row) : place.prefix;
  const address = addressOf(place, taken);
  return (
    <>
      <div className="nj-line">
        <Breadcrumb place={place} onGo={onGo} />
        <Button size="compact-xs" variant="default" onClick={onElsewhere}>
          Elsewhere…
        </Button>
      </div>
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
              <div className="centre-box">
                <ProblemAlert {...refusalOf(problemOf(error))} />
                <Button size="xs" mt="sm" variant="default" onClick={listing.again}>
                  Try again
                </Button>
              </div>
            ) : loading ? (
              <Waiting retried={retried} onCancel={listing.stop} />
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
