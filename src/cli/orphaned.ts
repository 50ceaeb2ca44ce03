import type { Environment } from './context.ts';

/** Milliseconds between two looks at who the parent is. */
const LOOK_INTERVAL = 500;

/**
 * Calls back once when the program that started this one is gone and hands on no signal that ends it: what it started would go on unseen.
 * Such are the launcher (bin/launch.mjs), whose channel to this process then ends, and npx (`npm exec`), whose place as the parent another
 * process takes. Started by anything else, this program outlives its parent as usual. Returns the disposer.
 */
export function onOrphaned(env: Environment, handler: () => void): () => void {
  let over = false;
  const once = () => {
    if (over) return;
    over = true;
    handler();
  };
  const stopLooking = env['npm_command'] === 'exec' ? lookAtParent(once) : () => undefined;
  const stopListening = listenToChannel(once);
  return () => {
    over = true;
    stopLooking();
    stopListening();
  };
}

function lookAtParent(handler: () => void): () => void {
  const parent = process.ppid;
  const timer = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(timer);
    handler();
  }, LOOK_INTERVAL);
  timer.unref();
  return () => clearInterval(timer);
}

/** Where this process was started with a channel, its end is that of whoever holds the other one. The channel itself keeps nothing alive. */
function listenToChannel(handler: () => void): () => void {
  // It ended before anybody listened: undefined is a process without one.
  if ((process.connected as boolean | undefined) === false) {
    setImmediate(handler);
    return () => undefined;
  }
  if (process.channel === undefined) return () => undefined;
  process.once('disconnect', handler);
  process.channel.unref();
  return () => process.off('disconnect', handler);
}
