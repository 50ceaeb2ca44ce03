import { lazy, type ComponentType, type LazyExoticComponent } from 'react';

const loads: (() => Promise<unknown>)[] = [];

/** A component whose code is loaded when it is first shown, or by {@link loadTheRest}: what the first screen does not need must not hold it up. */
export function lazily<Props>(
  load: () => Promise<ComponentType<Props>>,
): LazyExoticComponent<ComponentType<Props>> {
  loads.push(load);
  return lazy(async () => ({ default: await load() }));
}

/** How long the first screen has to itself, in milliseconds. */
const AFTER = 300;

/** Loads what waits, once the window has nothing better to do. */
export function loadTheRest(): void {
  setTimeout(
    () =>
      requestIdleCallback(() => {
        // What fails is loaded again, and told, when it is shown.
        for (const load of loads) void load().catch(() => undefined);
      }),
    AFTER,
  );
}
