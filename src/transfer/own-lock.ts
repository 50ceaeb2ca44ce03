import { identityOf, isAlive } from './identity.ts';
import { takeLock, type LockAnswer } from './lock.ts';

/**
 * Takes the lock `folder` for this process, unless another that lives holds it. `place`: for what it is held.
 * Where the system does not tell which process lives (Windows), nobody could give way to another: there it is always had, and nothing is written.
 * Throws as `takeLock` does.
 */
export function takeOwnLock(folder: string, place: string): LockAnswer {
  const own = identityOf(process.pid);
  if (own === null)
    return { kind: 'held', lock: { release: () => undefined, remove: () => undefined } };
  return takeLock(folder, { process: own, run: place }, (other) => isAlive(other.process));
}
