/** What the window asks of new jobs. */

export const NEW_JOB_CALLS = {} as const;

export const NEW_JOB_EVENTS = {} as const;
