import { AsyncLocalStorage } from 'node:async_hooks';

/** Told when a wait for the network begins; what it returns is called at the wait's end. */
export type OnWait = () => () => void;

const current = new AsyncLocalStorage<OnWait>();

/** Runs a question; `onWait` hears of each wait for the network in it: requests, and the pauses between attempts. */
export function watchingNetwork<T>(onWait: OnWait, body: () => Promise<T>): Promise<T> {
  return current.run(onWait, body);
}

/** Marks a wait for the network. What a program computes meanwhile by itself (opening a vault, signing, loading a library) is none. */
export async function waitForNetwork<T>(wait: () => Promise<T>): Promise<T> {
  const ended = current.getStore()?.();
  try {
    return await wait();
  } finally {
    ended?.();
  }
}
