import { Button } from '@mantine/core';
import { useEffect, useState } from 'react';
import type { Problem } from '../../../shared/problem.ts';
import { useNavigation } from '../../app/navigation.ts';
import { problemOf } from '../../client.ts';
import { ProblemAlert } from '../../common/problem-alert.tsx';
import { useFirstKey } from '../access/power.tsx';
import { AddressBar } from './address-bar.tsx';
import { BookmarkList, useOpenBookmark } from './bookmarks.tsx';
import { Browser } from './browser.tsx';
import './buckets.css';
import { openKept, openObject } from './place.ts';
import { usePlace } from './place-store.ts';
import { Transfers } from './transfers.tsx';
import { useKeyChoices } from './use-buckets.ts';

/** Buckets through the eyes of a key: where, what is there, and what goes to and fro. */
export function BucketsScreen() {
  const keys = useKeyChoices();
  const place = usePlace((store) => store.place);
  const look = usePlace((store) => store.look);
  const chosenKey = usePlace((store) => store.key);
  const go = useNavigation((navigation) => navigation.go);
  const [refusal, refuse] = useState<Problem | null>(null);
  const asked = useNavigation((navigation) => navigation.place);
  const asksTransfers = asked.screen === 'buckets' && asked.transfers === true;
  const [showsTransfers, showTransfers] = useState(asksTransfers);
  const [answered, answer] = useState(asked);
  if (answered !== asked) {
    answer(asked);
    if (asksTransfers) showTransfers(true);
  }
  const cards = keys.data ?? [];
  const firstKey = useFirstKey(cards);
  const chosen = chosenKey === undefined ? (firstKey?.id ?? null) : chosenKey;
  useAddressOfNavigation(chosen, refuse);
  const openBookmark = useOpenBookmark();

  return (
    <div className="buckets">
      <h1 className="hidden-heading">Buckets</h1>
      <AddressBar keys={cards} chosen={chosen} onRefuse={refuse} />
      {refusal !== null && <ProblemAlert {...refusal} />}
      {keys.isError && <ProblemAlert {...problemOf(keys.error)} />}
      <div className="buckets-main">
        {place === null ? (
          <div className="centre">
            <div className="centre-box">
              <h2>Open a place in a bucket</h2>
              <p className="dimmed">
                Write its address above, as deep as your key may see: nothing above it is looked at.
              </p>
              <BookmarkList keys={cards} onChoose={openBookmark} />
              {keys.isSuccess && cards.length === 0 && (
                <>
                  <p className="dimmed">
                    There is no key yet: without one, public buckets alone can be looked into.
                  </p>
                  <Button size="xs" variant="default" onClick={() => go({ screen: 'keys' })}>
                    Add a key in Keys
                  </Button>
                </>
              )}
            </div>
          </div>
        ) : (
          <Browser
            key={`${place.bucket}/${place.prefix} ${place.key ?? ''} ${look}`}
            place={place}
            keys={cards}
            onStarted={() => showTransfers(true)}
          />
        )}
      </div>
      <Transfers isOpen={showsTransfers} onToggle={() => showTransfers(!showsTransfers)} />
    </div>
  );
}

/** Opens the address that another screen led here with, once. */
function useAddressOfNavigation(
  chosen: string | null,
  refuse: (problem: Problem | null) => void,
): void {
  const asked = useNavigation((navigation) => navigation.place);
  const go = useNavigation((navigation) => navigation.go);
  const open = usePlace((store) => store.open);
  const address = asked.screen === 'buckets' ? asked.address : undefined;
  const below = asked.screen === 'buckets' ? asked.below : undefined;
  const asksFor = asked.screen === 'buckets' ? asked.key : undefined;
  const key = asksFor === undefined ? chosen : asksFor;
  useEffect(() => {
    if (address === undefined) return;
    const opened = below === undefined ? openKept(address, key) : openObject(address, below, key);
    refuse(opened.ok ? null : opened.problem);
    if (opened.ok) open(opened.place);
    go({ screen: 'buckets' });
  }, [address, below, key, open, go, refuse]);
}
