import { setTimeout as sleep } from 'node:timers/promises';
import type { Session } from 'electron';
import { useDesktopProxies } from '../../google/proxy.ts';

/** A network may be asked for its settings, and not answer. Milliseconds. */
const LONGEST_WAIT = 5_000;

/** From now on this process, and the agents that it starts, reach Google as the desktop's settings say. They are asked each time: a laptop moves. */
export function followDesktopProxies(session: Session): void {
  useDesktopProxies((address) =>
    Promise.race([session.resolveProxy(address), sleep(LONGEST_WAIT, 'DIRECT', { ref: false })]),
  );
}
