import { Button, CloseButton, Loader, TextInput } from '@mantine/core';
import { useMemo, useState, type SubmitEvent } from 'react';
import type { KeyCard } from '../../../shared/key.ts';
import { problemOf } from '../../client.ts';
import { formatCount } from '../../common/format.ts';
import { ProblemAlert } from '../../common/problem-alert.tsx';
import { useNow } from '../../common/use-now.ts';
import { Breadcrumb } from './breadcrumb.tsx';
import { FolderDetails, ObjectDetails } from './details.tsx';
import { DropUpload } from './drop-upload.tsx';
import type { Listing } from './listing.ts';
import { ObjectTable } from './object-table.tsx';
import { addressOf, parentOf, type Place } from './place.ts';
import { usePlace } from './place-store.ts';
import { isBucketOrder, sortRows, useObjectView } from './object-view.ts';
import { filterRows, type Row } from './rows.ts';
import { useListing, useObject } from './use-buckets.ts';
import { useWalk, type Walk } from './use-walk.ts';

interface BrowserProps {
  readonly place: Place;
  readonly keys: readonly KeyCard[];
  readonly onStarted: () => void;
}

/** One folder of a bucket: its table, and beside it what is chosen. */
export function Browser({ place, keys, onStarted }: BrowserProps) {
  const goTo = usePlace((store) => store.goTo);
  const listing = useListing(place);
  const [filter, setFilter] = useState('');
  const search = useWalk('buckets-search');
  const [selected, select] = useState<number | null>(null);
  const now = useNow(false);

  const state = listing.state();
  const nothing = listing.count() === 0 && (state.complete || state.error !== null);
  // What was asked for may be the name of an object: a key may be allowed to read it and not to list.
  const object = useObject(place, place.maybeObject, nothing);

  const found = useMemo(() => resultsOf(search.walk, place.prefix), [search.walk, place.prefix]);
  const held = filter === '' || found !== null ? null : listing.held();
  const filtered = held === null ? null : filterRows(held, filter);
  const single: readonly Row[] | null =
    object.data === undefined
      ? null
      : [{ kind: 'object', object: object.data, label: object.data.name }];
  const order = useObjectView((view) => view.order);
  const plain = single ?? found ?? filtered;
  // Only of what is known whole can be said what is first.
  const entries = listing.count();
  const sorts =
    !isBucketOrder(order) &&
    (plain !== null || (state.complete && listing.held().length === entries));
  const rows = useMemo(
    () => (sorts ? sortRows(plain ?? listing.held(), order) : plain),
    // What is held of a complete listing changes with its count alone.
    // eslint-disable-next-line react-hooks/exhaustive-deps -- as said above
    [sorts, plain, listing, order, entries],
  );
  const count = rows?.length ?? listing.count();
  const rowAt = (index: number): Row | null =>
    rows === null ? listing.rowAt(index) : (rows[index] ?? null);
  const at = single === null ? selected : 0;
  const chosen = at === null ? null : rowAt(at);

  const openRow = (row: Row): void => {
    if (row.kind === 'folder') goTo(row.prefix);
  };
  const up = (): void => {
    const parent = parentOf(place);
    if (parent !== null) goTo(parent);
  };
  const isAsking = nothing && place.maybeObject !== null && object.isPending;

  return (
    <div className="browser">
      <div className="browser-head">
        <Breadcrumb place={place} onGo={goTo} />
        <TextInput
          size="xs"
          aria-label="Filter this page"
          placeholder="Filter this page"
          value={filter}
          disabled={found !== null || single !== null}
          onChange={(event) => {
            setFilter(event.currentTarget.value);
            select(null);
          }}
          onKeyDown={(event) => {
            if (event.key === 'Escape') setFilter('');
          }}
        />
        <SearchBelow
          onSearch={(text) => {
            select(null);
            search.start({ address: addressOf(place, place.prefix), key: place.key, text });
          }}
        />
      </div>
      <p className="browser-note dimmed" role="status">
        {search.walk !== null ? (
          <SearchNote walk={search.walk} onStop={search.stop} onClose={search.clear} />
        ) : (
          <>
            {countNote(listing, filtered?.length ?? null, held?.length ?? 0, single !== null)}
            {!sorts &&
              !isBucketOrder(order) &&
              entries > 0 &&
              ' Sorted by name until all of it is loaded.'}
          </>
        )}
      </p>
      <div className="browser-panes">
        <DropUpload place={place} onStarted={onStarted}>
          <ObjectTable
            label="Objects"
            count={count}
            rowAt={rowAt}
            {...(rows === null ? { onShow: listing.show } : {})}
            selected={at}
            onSelect={select}
            onOpen={openRow}
            onUp={up}
            now={now}
          >
            {search.walk === null && filtered === null && (
              <NothingYet
                listing={listing}
                isAsking={isAsking}
                address={addressOf(place, place.prefix)}
              />
            )}
          </ObjectTable>
          {listing.count() > 0 && state.error !== null && (
            <ProblemAlert {...problemOf(state.error)} />
          )}
          {listing.count() > 0 && state.error !== null && (
            <Button size="xs" variant="default" onClick={listing.again}>
              Try again
            </Button>
          )}
        </DropUpload>
        {chosen?.kind === 'object' ? (
          <ObjectDetails place={place} keys={keys} object={chosen.object} onStarted={onStarted} />
        ) : (
          <FolderDetails
            place={place}
            keys={keys}
            prefix={chosen?.prefix ?? place.prefix}
            onStarted={onStarted}
          />
        )}
      </div>
    </div>
  );
}

/** Matches as lines; null while there is no search. */
function resultsOf(walk: Walk | null, prefix: string): readonly Row[] | null {
  return (
    walk?.matches.map((object) => ({
      kind: 'object',
      object,
      label: object.name.slice(prefix.length),
    })) ?? null
  );
}

const entries = (count: number): string =>
  `${formatCount(count)} ${count === 1 ? 'entry' : 'entries'}`;

function countNote(
  listing: Listing,
  matching: number | null,
  held: number,
  isSingle: boolean,
): string {
  const { complete, full, loading } = listing.state();
  if (isSingle) return 'One object.';
  if (matching !== null) {
    const all = complete && held === listing.count();
    return `${formatCount(matching)} of ${entries(held)} match${all ? '.' : '; the rest of the folder was not looked at: search below here does that.'}`;
  }
  if (listing.count() === 0) return loading ? 'Looking…' : ' ';
  if (full) return `The first ${entries(listing.count())}; there are more than a table can hold.`;
  return complete
    ? `${entries(listing.count())}.`
    : `${entries(listing.count())} so far, more below.`;
}

function SearchBelow({ onSearch }: { readonly onSearch: (text: string) => void }) {
  const [text, setText] = useState('');
  const submit = (event: SubmitEvent): void => {
    event.preventDefault();
    if (text.trim() !== '') onSearch(text.trim());
  };
  return (
    <form className="search-below" onSubmit={submit}>
      <TextInput
        size="xs"
        aria-label="Search below here"
        placeholder="Search below here"
        value={text}
        maxLength={1_024}
        onChange={(event) => setText(event.currentTarget.value)}
      />
      <Button size="xs" variant="default" type="submit" disabled={text.trim() === ''}>
        Search
      </Button>
    </form>
  );
}

interface SearchNoteProps {
  readonly walk: Walk;
  readonly onStop: () => void;
  readonly onClose: () => void;
}

function SearchNote({ walk, onStop, onClose }: SearchNoteProps) {
  const looked = `${formatCount(walk.matches.length)} found in ${formatCount(walk.objects)} objects`;
  const words: Readonly<Record<Walk['state'], string>> = {
    running: `${looked} so far…`,
    done: walk.more
      ? `The first ${looked}; there may be more: search for something longer.`
      : `${looked}.`,
    stopped: `${looked}; stopped.`,
    failed: `${looked}; ${walk.problem?.message ?? 'it failed.'} ${walk.problem?.hint ?? ''}`,
  };
  return (
    <>
      {words[walk.state]}
      {walk.state === 'running' && (
        <Button size="compact-xs" variant="default" onClick={onStop}>
          Stop
        </Button>
      )}
      <CloseButton size="sm" aria-label="Leave the search" onClick={onClose} />
    </>
  );
}

interface NothingYetProps {
  readonly listing: Listing;
  readonly isAsking: boolean;
  readonly address: string;
}

function NothingYet({ listing, isAsking, address }: NothingYetProps) {
  const { error, complete } = listing.state();
  if (isAsking || (error === null && !complete))
    return (
      <div className="centre">
        <Loader size="sm" aria-label="The bucket is being asked" />
      </div>
    );
  if (error !== null)
    return (
      <div className="centre">
        <div className="centre-box">
          <ProblemAlert {...problemOf(error)} />
          <Button size="xs" mt="sm" variant="default" onClick={listing.again}>
            Try again
          </Button>
        </div>
      </div>
    );
  return (
    <div className="centre">
      <div className="centre-box">
        <h2>Nothing here</h2>
        <p className="dimmed wrap">
          There is no object below <span className="code">{address}</span>. Upper and lower case
          matter. Drop files here to upload them.
        </p>
      </div>
    </div>
  );
}
