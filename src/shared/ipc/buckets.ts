/** What the window asks of buckets. */

export const BUCKET_CALLS = {} as const;

export const BUCKET_EVENTS = {} as const;
