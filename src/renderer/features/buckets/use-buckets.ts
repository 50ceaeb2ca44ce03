import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useEffect, useMemo, useSyncExternalStore } from 'react';
import type { ObjectInfo } from '../../../shared/object-info.ts';
import { ask } from '../../client.ts';
import { askBucket } from './ask-bucket.ts';
import { openListing, type Listing } from './listing.ts';
import { addressOf, type Place } from './place.ts';
import { bytesToAsk, previewOf } from './preview-kind.ts';

/** The keys that can be chosen: the same answer that the screen of keys keeps. */
export function useKeyChoices() {
  return useQuery({ queryKey: ['keys', 'list'], queryFn: () => ask('keys-list', {}) });
}

/** What lies directly below the shown prefix. */
export function useListing(place: Place): Listing {
  const { bucket, prefix, key } = place;
  const listing = useMemo(() => {
    return openListing({
      prefix,
      fetchPage: ({ token: pageToken, ...waiting }) =>
        askBucket(
          'buckets-list',
          { address: addressOf({ bucket }, prefix), key, pageToken },
          waiting,
        ),
    });
  }, [bucket, prefix, key]);
  useSyncExternalStore(listing.subscribe, listing.version);
  useEffect(() => {
    listing.show(0, 0);
    return listing.leave;
  }, [listing]);
  return listing;
}

/** The object of exactly this name, asked for only while `enabled`. */
export function useObject(
  place: Place,
  name: string | null,
  { enabled }: { readonly enabled: boolean },
) {
  const address = addressOf(place, name ?? '');
  return useQuery({
    queryKey: ['buckets', 'object', address, place.key],
    queryFn: ({ signal }) => askBucket('buckets-object', { address, key: place.key }, { signal }),
    enabled: enabled && name !== null,
    gcTime: 0,
  });
}

/** What the first bytes of an object show. */
export function usePreview(place: Pick<Place, 'bucket' | 'key'>, object: ObjectInfo) {
  const address = addressOf(place, object.name);
  const { generation } = object;
  return useQuery({
    queryKey: ['buckets', 'preview', address, generation, place.key],
    queryFn: async ({ signal }) => {
      const request = { address, key: place.key, generation, maxBytes: bytesToAsk(object) };
      const { bytes, complete } = await askBucket('buckets-preview', request, { signal });
      return { shown: previewOf(object, bytes, complete), complete };
    },
    staleTime: Infinity,
    gcTime: 60_000,
  });
}

const BOOKMARKS = ['buckets', 'bookmarks'] as const;

export function useBookmarks() {
  return useQuery({ queryKey: BOOKMARKS, queryFn: () => ask('buckets-bookmarks', {}) });
}

export function useBookmarkChanges() {
  const client = useQueryClient();
  const onSettled = () => client.invalidateQueries({ queryKey: BOOKMARKS });
  const add = useMutation({
    mutationFn: (place: { readonly address: string; readonly key: string | null }) =>
      ask('buckets-add-bookmark', place),
    onSettled,
  });
  const remove = useMutation({
    mutationFn: (id: string) => ask('buckets-remove-bookmark', { id }),
    onSettled,
  });
  return { add, remove };
}
