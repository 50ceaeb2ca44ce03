import type { AskedPlace } from '../../shared/ipc/application.ts';

/** Where the page is to go, and where it was. */
export interface Places {
  /** Pushes the place to the page, or keeps it until the page listens. */
  readonly go: (place: AskedPlace) => void;
  /** Where the page was asked to go before it listened; told once. From then on it listens. */
  readonly first: () => AskedPlace | null;
  /** The page says where it is. */
  readonly keep: (place: AskedPlace) => void;
  /** The page is loaded anew: it does not listen. */
  readonly loads: () => void;
  /** The page is gone: the next one comes back to where this one was, unless it is asked to go elsewhere. */
  readonly crashed: () => void;
}

export function keepPlaces(asked: AskedPlace | null, push: (place: AskedPlace) => void): Places {
  let waiting = asked;
  let last: AskedPlace | null = null;
  let listens = false;
  return {
    go(place) {
      if (listens) push(place);
      else waiting = place;
    },
    first() {
      const place = waiting;
      waiting = null;
      listens = true;
      return place;
    },
    keep(place) {
      last = place;
    },
    loads() {
      listens = false;
    },
    crashed() {
      listens = false;
      waiting ??= last;
    },
  };
}
