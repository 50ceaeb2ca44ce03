import { create } from 'zustand';
import type { Place } from './place.ts';

/** Where the screen is, kept while another one is shown. */
interface PlaceStore {
  readonly place: Place | null;
  /** The key chosen for the next address; undefined: the first one that is no administrator’s. */
  readonly key: string | null | undefined;
  /** Grows when what is shown is to be asked for again. */
  readonly look: number;
  readonly open: (place: Place) => void;
  /** Goes to a prefix at or below the root. */
  readonly goTo: (prefix: string) => void;
  readonly chooseKey: (key: string | null) => void;
  readonly lookAgain: () => void;
  readonly leave: () => void;
}

export const usePlace = create<PlaceStore>((set) => ({
  place: null,
  key: undefined,
  look: 0,
  open: (place) => set(({ look }) => ({ place, key: place.key, look: look + 1 })),
  goTo: (prefix) =>
    set(({ place }) =>
      place === null ? {} : { place: { ...place, prefix, maybeObject: null, object: null } },
    ),
  chooseKey: (key) =>
    set(({ place }) => ({ key, place: place === null ? null : { ...place, key } })),
  lookAgain: () => set(({ look }) => ({ look: look + 1 })),
  leave: () => set({ place: null }),
}));
