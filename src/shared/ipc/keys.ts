/** What the window asks of keys. */

export const KEY_CALLS = {} as const;

export const KEY_EVENTS = {} as const;
