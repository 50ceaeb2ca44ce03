import type { KeyCard } from '../../../shared/key.ts';

/** The card of a key that a place, a bookmark or a form names by its id or its name; undefined for no key, and for one that is not there any more. Pure. */
export const keyOf = (key: string | null, keys: readonly KeyCard[]): KeyCard | undefined =>
  keys.find(({ id, name }) => id === key || name === key);
