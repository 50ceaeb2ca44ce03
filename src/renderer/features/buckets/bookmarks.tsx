import { Button, CloseButton, Popover } from '@mantine/core';
import { useState } from 'react';
import type { BucketBookmark } from '../../../shared/ipc/buckets.ts';
import type { KeyCard } from '../../../shared/key.ts';
import { problemOf } from '../../client.ts';
import { ProblemAlert } from '../../common/problem-alert.tsx';
import { keyOf } from './key-of.ts';
import { addressOf, openKept } from './place.ts';
import { usePlace } from './place-store.ts';
import { useBookmarkChanges, useBookmarks } from './use-buckets.ts';

/** Opens a bookmark in the screen of buckets: its prefix becomes the root, above which nothing is looked at. */
export function useOpenBookmark() {
  const open = usePlace((store) => store.open);
  return ({ address, key }: BucketBookmark): void => {
    const opened = openKept(address, key);
    if (opened.ok) open(opened.place);
  };
}

/** The places kept, and a button that keeps this one. */
export function Bookmarks({ keys }: { readonly keys: readonly KeyCard[] }) {
  const [isOpen, setOpen] = useState(false);
  const place = usePlace((store) => store.place);
  const bookmarks = useBookmarks();
  const openBookmark = useOpenBookmark();
  const { add } = useBookmarkChanges();
  const here = place === null ? null : addressOf(place, place.prefix);
  const isKept = bookmarks.data?.some(({ address, key }) => address === here && key === place?.key);

  return (
    <Popover
      opened={isOpen}
      onChange={setOpen}
      position="bottom-end"
      width={420}
      trapFocus
      returnFocus
    >
      <Popover.Target>
        <Button size="xs" variant="default" aria-expanded={isOpen} onClick={() => setOpen(!isOpen)}>
          Bookmarks
        </Button>
      </Popover.Target>
      <Popover.Dropdown p="xs" aria-label="Bookmarks">
        <BookmarkList
          keys={keys}
          onChoose={(bookmark) => {
            openBookmark(bookmark);
            setOpen(false);
          }}
        />
        {place !== null && here !== null && isKept !== true && (
          <Button
            size="xs"
            variant="light"
            fullWidth
            mt={6}
            loading={add.isPending}
            onClick={() => add.mutate({ address: here, key: place.key })}
          >
            Keep this place
          </Button>
        )}
        {add.isError && <ProblemAlert {...problemOf(add.error)} />}
      </Popover.Dropdown>
    </Popover>
  );
}

interface BookmarkListProps {
  readonly keys: readonly KeyCard[];
  readonly onChoose: (bookmark: BucketBookmark) => void;
}

/** Every bookmark: its address, the key that opens it, and a button that forgets it. */
export function BookmarkList({ keys, onChoose }: BookmarkListProps) {
  const bookmarks = useBookmarks();
  const { remove } = useBookmarkChanges();
  if (bookmarks.isError) return <ProblemAlert {...problemOf(bookmarks.error)} />;
  const list = bookmarks.data ?? [];
  if (list.length === 0)
    return (
      <p className="bookmark-none dimmed">
        No bookmarks yet. Open a place in Buckets, then keep it there.
      </p>
    );
  return (
    <ul className="bookmark-list" aria-label="Bookmarks">
      {list.map((bookmark) => (
        <li key={bookmark.id}>
          <button type="button" className="bookmark" onClick={() => onChoose(bookmark)}>
            <span className="code wrap">{bookmark.address}</span>
            <span className="dimmed">{keyName(bookmark.key, keys)}</span>
          </button>
          <CloseButton
            size="sm"
            aria-label={`Forget the bookmark ${bookmark.address}`}
            onClick={() => remove.mutate(bookmark.id)}
          />
        </li>
      ))}
    </ul>
  );
}

function keyName(key: string | null, keys: readonly KeyCard[]): string {
  if (key === null) return 'no key';
  return keyOf(key, keys)?.name ?? 'a key that was removed';
}
