/** What the window asks of hosts. */

export const HOST_CALLS = {} as const;

export const HOST_EVENTS = {} as const;
