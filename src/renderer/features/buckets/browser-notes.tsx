import { Button, CloseButton } from '@mantine/core';
import { formatCount } from '../../common/format.ts';
import type { Listing } from './listing.ts';
import type { Walk } from './use-walk.ts';

const entries = (count: number): string =>
  `${formatCount(count)} ${count === 1 ? 'entry' : 'entries'}`;

/** What is said of a listing: how much of it is known, how much of that is shown. */
export function countNote(
  listing: Listing,
  matching: number | null,
  held: number,
  isSingle: boolean,
): string {
  const { complete, full, loading } = listing.state();
  const odd = listing.odd();
  const left =
    odd.length === 0
      ? ''
      : ` Left out: ${odd[0] ?? ''}${odd.length === 1 ? '.' : `, and ${formatCount(odd.length - 1)} more.`}`;
  if (isSingle) return 'One object.';
  if (matching !== null) {
    const all = complete && held === listing.count();
    return `${formatCount(matching)} of ${entries(held)} match${all ? '.' : '; the rest of the folder was not looked at: search below here does that.'}`;
  }
  if (listing.count() === 0) return loading ? 'Looking…' : left === '' ? ' ' : left.trim();
  if (full) return `The first ${entries(listing.count())}; there are more than a table can hold.`;
  return complete
    ? `${entries(listing.count())}.${left}`
    : `${entries(listing.count())} so far, more below.${left}`;
}

interface SearchNoteProps {
  readonly walk: Walk;
  readonly onStop: () => void;
  readonly onClose: () => void;
}

/** How far a search is. */
export function SearchNote({ walk, onStop, onClose }: SearchNoteProps) {
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
