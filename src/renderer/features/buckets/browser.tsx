import { Button, TextInput } from '@mantine/core';
import { useMemo, useState, type SubmitEvent } from 'react';
import type { KeyCard } from '../../../shared/key.ts';
import type { ObjectInfo } from '../../../shared/object-info.ts';
import { problemOf } from '../../client.ts';
import { ProblemAlert } from '../../common/problem-alert.tsx';
import { useNow } from '../../common/use-now.ts';
import { Breadcrumb } from './breadcrumb.tsx';
import { countNote, SearchNote } from './browser-notes.tsx';
import { FolderDetails, ObjectDetails } from './details.tsx';
import { DropUpload } from './drop-upload.tsx';
import { keyOf } from './key-of.ts';
import { NothingYet, Refusal } from './nothing-yet.tsx';
import { ObjectTable } from './object-table.tsx';
import { addressOf, lastSegment, parentOf, type Place } from './place.ts';
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
  // What was asked for may be the name of an object: a key may be allowed to read it and not to list. Where nothing answers, it is not asked.
  const mayBeObject =
    nothing && (state.error === null || problemOf(state.error).code.startsWith('access.'));
  const object = useObject(place, place.object ?? place.maybeObject, {
    enabled: place.object !== null || mayBeObject,
  });

  const found = useMemo(() => resultsOf(search.walk, place.prefix), [search.walk, place.prefix]);
  const held = filter === '' || found !== null ? null : listing.held();
  const filtered = held === null ? null : filterRows(held, filter);
  const single: readonly Row[] | null =
    nothing && object.data !== undefined ? [rowOf(object.data)] : null;
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
  // What a link leads to is chosen until something else is.
  const linked = useMemo(
    () => (place.object === null ? -1 : (rows ?? listing.held()).findIndex(isObject(place.object))),
    // What is held of a listing changes with its count.
    // eslint-disable-next-line react-hooks/exhaustive-deps -- as said above
    [place.object, rows, listing, entries],
  );
  const at = single !== null ? 0 : (selected ?? (linked < 0 ? null : linked));
  const row = at === null ? null : rowAt(at);
  const isLinkShown = selected === null && place.object !== null && found === null;
  // It may lie further below than the table has come.
  const chosen: Row | null =
    row ?? (isLinkShown && object.data !== undefined ? rowOf(object.data) : null);
  const isLinkRefused = isLinkShown && row === null && object.isError;

  const openRow = (row: Row): void => {
    if (row.kind === 'folder') goTo(row.prefix);
  };
  const up = (): void => {
    const parent = parentOf(place);
    if (parent !== null) goTo(parent);
  };
  const keyName = keyOf(place.key, keys)?.name;
  const again = (): void => {
    listing.again();
    if (object.isError) void object.refetch();
  };

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
            reveal={selected === null ? at : null}
            onSelect={select}
            onOpen={openRow}
            onUp={up}
            now={now}
          >
            {search.walk === null && filtered === null && (
              <NothingYet
                listing={listing}
                object={object}
                place={place}
                keyName={keyName}
                onAgain={again}
              />
            )}
          </ObjectTable>
          {listing.count() > 0 && state.error !== null && (
            <div className="browser-failed">
              <ProblemAlert {...problemOf(state.error)} />
              <Button size="xs" variant="default" onClick={listing.again}>
                Try again
              </Button>
            </div>
          )}
        </DropUpload>
        {chosen?.kind === 'object' ? (
          <ObjectDetails place={place} keys={keys} object={chosen.object} onStarted={onStarted} />
        ) : isLinkRefused && !nothing ? (
          <aside className="object-detail" aria-label="Details">
            <Refusal error={object.error} place={place} keyName={keyName} />
          </aside>
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

/** An object as a line of its own. */
const rowOf = (object: ObjectInfo): Row => ({
  kind: 'object',
  object,
  label: lastSegment(object.name) ?? object.name,
});

const isObject =
  (name: string) =>
  (row: Row): boolean =>
    row.kind === 'object' && row.object.name === name;

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
