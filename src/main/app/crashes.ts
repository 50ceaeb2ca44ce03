/** What happens after the page's process ended. Pure. */

/** More crashes than these within this time: a page that cannot be shown. Milliseconds. */
const MOST_CRASHES = 3;
const CRASH_TIME = 60_000;

export interface Crashes {
  /** When the page's process ended, of late: milliseconds since 1970. */
  readonly times: readonly number[];
  /** `load` it again, `ask` the user whether to, or `nothing`: it was ended on purpose. */
  readonly then: 'load' | 'ask' | 'nothing';
}

/** After one more end of the page's process, for a reason in Electron's words. */
export function afterCrash(times: readonly number[], now: number, reason: string): Crashes {
  if (reason === 'clean-exit') return { times, then: 'nothing' };
  const late = [...times.filter((time) => now - time < CRASH_TIME), now];
  return { times: late, then: late.length > MOST_CRASHES ? 'ask' : 'load' };
}

/** The question, when the page cannot be shown. `log`: the path of the file that has the reasons. */
export function lostWindow(log: string): {
  message: string;
  detail: string;
  buttons: string[];
} {
  return {
    message: 'Trainyard cannot show its window',
    detail: `What draws it ended ${MOST_CRASHES + 1} times within a minute. Jobs go on all the same, and what was filled into the form of a new job is kept until Trainyard quits.\n\nThe log says more: ${log}`,
    buttons: ['Load again', 'Quit'],
  };
}

/** The question, while the page does not respond. The second button loads it anew. */
export const HANGING_WINDOW = {
  message: 'The window of Trainyard does not respond',
  detail:
    'A log that it shows may be the cause. Load the window again without it, or wait. Jobs go on either way, and what was filled into the form of a new job is kept.',
  buttons: ['Wait', 'Load again without the log'],
};
