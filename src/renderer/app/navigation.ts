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
  /** `transfers`: with the list of transfers open. */
  | {
      readonly screen: 'buckets';
      readonly address?: string;
      readonly key?: string;
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
