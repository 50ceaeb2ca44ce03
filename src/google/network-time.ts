import { AsyncLocalStorage } from 'node:async_hooks';
import { isLoopback, shownProxy, type Route } from './routes.ts';

/** Told when a wait for the network begins, and for whom; what it returns is called at the wait's end. Null: a pause between attempts. */
export type OnWait = (whom: string | null) => () => void;

const current = new AsyncLocalStorage<OnWait>();
/** Who is waited for in this process by now, oldest first. */
const ongoing = new Set<{ readonly whom: string }>();

/** Runs a question; `onWait` hears of each wait for the network in it: requests, and the pauses between attempts. */
export function watchingNetwork<T>(onWait: OnWait, body: () => Promise<T>): Promise<T> {
  return current.run(onWait, body);
}

/** Marks a wait for somebody's answer, as {@link whomToAwait} names him. What a program computes meanwhile by itself (opening a vault, signing) is none. */
export async function waitForNetwork<T>(
  wait: () => Promise<T>,
  whom: string | null = null,
): Promise<T> {
  const ended = current.getStore()?.(whom);
  const mark = { whom: whom ?? '' };
  if (whom !== null) ongoing.add(mark);
  try {
    return await wait();
  } finally {
    ongoing.delete(mark);
    ended?.();
  }
}

/** Who has been waited for the longest by now; null where nobody is, and whatever takes long is this machine's own. */
export function awaitedNow(): string | null {
  const [oldest] = ongoing;
  return oldest?.whom ?? null;
}

/** Names who is waited for: `storage.googleapis.com (list objects), through the proxy http://proxy:3128`. Pure. */
export function whomToAwait(address: string, op: string, route: Route): string {
  const url = URL.canParse(address) ? new URL(address) : null;
  const host = url?.host ?? 'the server';
  const who = url !== null && isLoopback(url.hostname) ? `the emulated Google at ${host}` : host;
  const through = route.kind === 'proxy' ? `, through the proxy ${shownProxy(route.proxy)}` : '';
  return `${who} (${op})${through}`;
}
