import { Button, Loader } from '@mantine/core';
import { useQueryClient, type UseQueryResult } from '@tanstack/react-query';
import { useEffect, useState } from 'react';
import type { ObjectInfo } from '../../../shared/object-info.ts';
import { useNavigation } from '../../app/navigation.ts';
import { problemOf } from '../../client.ts';
import { ProblemAlert } from '../../common/problem-alert.tsx';
import type { Listing, Retried } from './listing.ts';
import { addressOf, type Place } from './place.ts';
import { isMissingGrant, refusalOf } from './refusal-words.ts';

interface NothingYetProps {
  readonly listing: Listing;
  /** What a link leads to, or what an address without a slash may be. */
  readonly object: UseQueryResult<ObjectInfo>;
  readonly place: Place;
  /** The name of the key; left out where it has none. */
  readonly keyName: string | undefined;
  readonly onAgain: () => void;
}

/** What stands in place of a table without lines: it is asked for, was refused, or there is nothing. */
export function NothingYet({ listing, object, place, keyName, onAgain }: NothingYetProps) {
  const client = useQueryClient();
  const { error, complete, retried } = listing.state();
  if (object.isFetching || (error === null && !complete))
    return (
      <div className="centre">
        <Waiting
          retried={retried}
          onCancel={() => {
            listing.stop();
            void client.cancelQueries({ queryKey: ['buckets', 'object'] });
          }}
        />
      </div>
    );
  const refused = place.object !== null && object.isError ? object.error : error;
  if (refused !== null)
    return (
      <div className="centre">
        <div className="centre-box">
          <Refusal error={refused} place={place} keyName={keyName} onAgain={onAgain} />
        </div>
      </div>
    );
  return (
    <div className="centre">
      <div className="centre-box">
        <h2>Nothing here</h2>
        <p className="dimmed wrap">
          There is no object below <span className="code">{addressOf(place, place.prefix)}</span>.
          Upper and lower case matter. Drop files here to upload them.
        </p>
      </div>
    </div>
  );
}

/** After this long there is something to say, and to call off. Milliseconds. */
const SAYS_AFTER = 800;

interface WaitingProps {
  readonly retried: Retried | null;
  readonly onCancel: () => void;
}

/** A bucket is being asked: how it goes where it takes a while, and a way to call it off. */
export function Waiting({ retried, onCancel }: WaitingProps) {
  const [says, say] = useState(false);
  useEffect(() => {
    const timer = setTimeout(() => say(true), SAYS_AFTER);
    return () => clearTimeout(timer);
  }, []);
  return (
    <div className="waiting">
      <Loader size="sm" aria-label="The bucket is being asked" />
      {says && (
        <>
          <p className="dimmed wrap" role="status">
            {retried === null
              ? 'Looking…'
              : `No answer, attempt ${retried.failed + 1}. ${retried.message}`}
          </p>
          <Button size="compact-sm" variant="default" onClick={onCancel}>
            Cancel
          </Button>
        </>
      )}
    </div>
  );
}

interface RefusalProps {
  readonly error: unknown;
  readonly place: Place;
  readonly keyName: string | undefined;
  readonly onAgain?: () => void;
}

/** Why a bucket shows nothing, and the ways on from there. */
export function Refusal({ error, place, keyName, onAgain }: RefusalProps) {
  const go = useNavigation((navigation) => navigation.go);
  const problem = problemOf(error);
  return (
    <>
      <ProblemAlert {...refusalOf(problem)} />
      <div className="refusal-ways">
        {onAgain !== undefined && (
          <Button size="xs" variant="default" onClick={onAgain}>
            Try again
          </Button>
        )}
        {isMissingGrant(problem) && (
          <Button
            size="xs"
            variant="default"
            onClick={() =>
              go({
                screen: 'access',
                // With an object the others of its output are wanted, too.
                input: addressOf(place, place.object === null ? place.prefix : place.root),
                ...(keyName === undefined ? {} : { key: keyName }),
              })
            }
          >
            Ask for access…
          </Button>
        )}
      </div>
    </>
  );
}
