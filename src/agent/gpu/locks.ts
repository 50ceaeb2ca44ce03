import { readdirSync } from 'node:fs';
import path from 'node:path';
import type { ProcessIdentity } from '../../shared/process-identity.ts';
import { makeFolder } from '../files.ts';
import { isAlive } from '../identity.ts';
import { lockHolder, takeLock, type HeldLock, type LockHolder } from '../../transfer/lock.ts';
import { hasLiveWorkers } from '../private-folder.ts';

/** The cards of this host that this run holds, against other runs of the same home. */
export interface GpuLocks {
  /** UUIDs that are locked, by other runs or by this one, and by which: run directories. */
  taken(): ReadonlyMap<string, string>;
  /** Takes all of them, or none. */
  take(uuids: readonly string[]): boolean;
  releaseAll(): void;
}

/** A card stays taken while the agent that locked it lives, and beyond that while workers of its run do. */
function holds(run: string, other: LockHolder): boolean {
  return other.run !== run && (isAlive(other.process) || hasLiveWorkers(other.run));
}

/** Locks lie in `<home>/gpu-locks/<uuid>/`. */
export function openGpuLocks(home: string, run: string, agent: ProcessIdentity): GpuLocks {
  const root = path.join(home, 'gpu-locks');
  makeFolder(root);
  const held = new Map<string, HeldLock>();
  // Old drivers name MIG instances MIG-GPU-<uuid>/1/0.
  const folderOf = (uuid: string): string => path.join(root, encodeURIComponent(uuid));
  const release = (uuid: string): void => {
    held.get(uuid)?.release();
    held.delete(uuid);
  };
  return {
    taken: () =>
      new Map([
        ...[...held.keys()].map((uuid) => [uuid, run] as const),
        ...readdirSync(root).flatMap((name) => {
          const holder = lockHolder(path.join(root, name));
          return holder !== null && holds(run, holder)
            ? [[decodeURIComponent(name), holder.run] as const]
            : [];
        }),
      ]),
    take(uuids) {
      const taken: string[] = [];
      for (const uuid of uuids) {
        if (held.has(uuid)) continue;
        const answer = takeLock(folderOf(uuid), { process: agent, run }, (other) =>
          holds(run, other),
        );
        if (answer.kind === 'busy') {
          taken.forEach(release);
          return false;
        }
        held.set(uuid, answer.lock);
        taken.push(uuid);
      }
      return true;
    },
    releaseAll: () => [...held.keys()].forEach(release),
  };
}
