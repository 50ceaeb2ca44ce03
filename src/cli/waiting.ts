import type { TokenSource } from '../google/access-token.ts';
import { awaitedNow } from '../google/network-time.ts';
import type { RetryNews } from '../google/retry.ts';
import type { Output } from './output.ts';

/** Milliseconds of silence after which it is said that nothing came yet. */
const SILENCE = 3_000;
/** How often it is looked whether somebody is waited for by now, milliseconds. */
const LOOK_EVERY = 500;
/** Milliseconds in which the same is not said again. */
const QUIET = 5_000;
/** How long somebody at a terminal waits for one answer of a bucket, all attempts together. Milliseconds. */
export const ANSWER_TIME = 15_000;

/** Says on stderr whose answer lets wait for itself: nobody should take a slow network for a program that hangs. */
export interface Waiting {
  /** To be told of each wait before another attempt. */
  readonly onRetry: (news: RetryNews) => void;
  /** Something came: from now on there is nothing to say. */
  arrived(): void;
}

export function tellWaiting(output: Pick<Output, 'note'>, silenceMs = SILENCE): Waiting {
  const saySilence = (): void => {
    const whom = awaitedNow();
    if (whom === null) return;
    clearInterval(timer);
    output.note(`No answer yet from ${whom}…`);
  };
  // Where nobody is waited for by then, it is this machine that takes long: looked for again.
  let timer = setTimeout(() => {
    timer = setInterval(saySilence, LOOK_EVERY);
    timer.unref();
    saySilence();
  }, silenceMs);
  timer.unref();
  let told = 0;
  let toldAt = -Infinity;
  return {
    onRetry: ({ problem, number }) => {
      clearTimeout(timer);
      // Several questions at the same time wait for the same network: it is said once.
      if (number <= told && performance.now() - toldAt < QUIET) return;
      told = number;
      toldAt = performance.now();
      output.note(`${problem.message.replace(/\.$/, '')}, trying again (${number + 1})…`);
    },
    arrived: () => clearTimeout(timer),
  };
}

/** The same tokens, whose waits are told. */
export function toldTokens(
  tokens: TokenSource | null,
  onRetry: Waiting['onRetry'],
): TokenSource | null {
  if (tokens === null) return null;
  return {
    email: tokens.email,
    token: (options = {}) => tokens.token({ onRetry, ...options }),
  };
}
