/** What may ask workers to end: each can be caught. */
export const STOP_SIGNALS = [
  'SIGTERM',
  'SIGINT',
  'SIGQUIT',
  'SIGHUP',
  'SIGUSR1',
  'SIGUSR2',
] as const;
export type StopSignal = (typeof STOP_SIGNALS)[number];
