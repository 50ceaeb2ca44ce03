import type { Environment } from './context.ts';

/** Milliseconds between two looks at who the parent is. */
const LOOK_INTERVAL = 500;

/**
 * Calls back once when the program that started this one is gone. npx (`npm exec`) hands on no signal that ends it: what it started would
 * go on unseen. Started by anything else, this program outlives its parent as usual. Returns the disposer.
 */
export function onOrphaned(env: Environment, handler: () => void): () => void {
  if (env['npm_command'] !== 'exec') return () => undefined;
  const parent = process.ppid;
  const timer = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(timer);
    handler();
  }, LOOK_INTERVAL);
  timer.unref();
  return () => clearInterval(timer);
}
