import { create } from 'zustand';

/** Where the user is. A screen may be opened with something to begin from. */
export type Place =
  | { readonly screen: 'jobs'; readonly job?: string }
  /** `specYaml`: a job file to fill the form with. `use`: an address to put into the form as it stands. */
  | {
      readonly screen: 'new-job';
      readonly specYaml?: string;
      readonly use?: {
        readonly as: 'input' | 'output';
        readonly address: string;
        /** The name of its key. */
        readonly key?: string;
      };
    }
  /**
   * `address`: a prefix, or whatever the user calls so. `below`: the prefix that is as far up as it goes, where the address is an object's.
   * `key`: the id or the name of a key, null for none; the one that was used last where it is left out. `transfers`: with their list open.
   */
  | {
      readonly screen: 'buckets';
      readonly address?: string;
      readonly below?: string;
      readonly key?: string | null;
      readonly transfers?: true;
    }
  | { readonly screen: 'keys' }
  /** What to ask an administrator for. `key`: the name or the account of a key. */
  | {
      readonly screen: 'access';
      readonly key?: string;
      readonly input?: string;
      readonly output?: string;
    }
  | { readonly screen: 'hosts' }
  | { readonly screen: 'settings' };

export type ScreenName = Place['screen'];

interface Navigation {
  /** The screens that are there: nothing leads to others. */
  readonly screens: ReadonlySet<ScreenName>;
  readonly place: Place;
  readonly go: (place: Place) => void;
}

export const useNavigation = create<Navigation>((set) => ({
  screens: new Set(),
  place: { screen: 'jobs' },
  go: (place) => set({ place }),
}));
