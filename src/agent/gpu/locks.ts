import { readdirSync } from 'node:fs';
import path from 'node:path';
import type { ProcessIdentity } from '../../shared/process-identity.ts';
import { makeFolder } from '../files.ts';
import { isAlive } from '../identity.ts';
import { lockHolder, takeLock, type HeldLock, type LockHolder } from '../../transfer/lock.ts';
import { hasLiveWorkers } from '../private-folder.ts';
import {
  machineHolders,
  takeMachineLock,
  type MachineHolder,
  type MachineLock,
} from './machine-locks.ts';

/** Who has a card. */
export interface GpuHolder extends MachineHolder {
  /** It is this run. */
  readonly isOwn: boolean;
}

/** The cards of this host that this run holds, against every other run on the machine: of this home, of another, of another user. */
export interface GpuLocks {
  /** UUIDs that are locked, by other runs or by this one. */
  taken(): ReadonlyMap<string, GpuHolder>;
  /** Takes all of them, or none. */
  take(uuids: readonly string[]): Promise<boolean>;
  /** Takes those of workers that run: they have them, whoever else is on them. */
  adopt(uuids: readonly string[]): Promise<void>;
  /** What a supervisor of workers with these cards is left, so that they stay taken while it lives. */
  descriptorsOf(uuids: readonly string[]): readonly number[];
  releaseAll(): void;
}

/** A card stays taken while the agent that locked it lives, and beyond that while workers of its run do. */
function holds(run: string, other: LockHolder): boolean {
  return other.run !== run && (isAlive(other.process) || hasLiveWorkers(other.run));
}

interface Held {
  readonly home: HeldLock;
  /** Null where the system has none, or where the run's own supervisors have it. */
  readonly machine: MachineLock | null;
}

/** Locks against runs of the same home lie in `<home>/gpu-locks/<uuid>/`; against all others: `machine-locks.ts`. */
export function openGpuLocks(home: string, run: string, agent: ProcessIdentity): GpuLocks {
  const root = path.join(home, 'gpu-locks');
  makeFolder(root);
  const id = path.basename(run);
  const held = new Map<string, Held>();
  // Old drivers name MIG instances MIG-GPU-<uuid>/1/0.
  const folderOf = (uuid: string): string => path.join(root, encodeURIComponent(uuid));
  const release = (uuid: string): void => {
    held.get(uuid)?.machine?.release();
    held.get(uuid)?.home.release();
    held.delete(uuid);
  };
  const takeOne = async (uuid: string, isRunning: boolean): Promise<boolean> => {
    const answer = takeLock(folderOf(uuid), { process: agent, run }, (other) => holds(run, other));
    if (answer.kind === 'busy') return false;
    const machine = await takeMachineLock(uuid, id);
    if (machine === null && !isRunning) {
      answer.lock.release();
      return false;
    }
    held.set(uuid, { home: answer.lock, machine: machine ?? null });
    return true;
  };
  return {
    taken: () => {
      const ofHome = readdirSync(root).flatMap((name) => {
        const holder = lockHolder(path.join(root, name));
        return holder !== null && holds(run, holder)
          ? [
              [
                decodeURIComponent(name),
                { run: path.basename(holder.run), user: null, isOwn: false },
              ] as const,
            ]
          : [];
      });
      const ofMachine = machineHolders();
      return new Map<string, GpuHolder>([
        ...[...ofMachine].map(
          ([uuid, holder]) => [uuid, { ...holder, isOwn: holder.run === id }] as const,
        ),
        ...ofHome,
        ...[...held.keys()].map((uuid) => [uuid, { run: id, user: null, isOwn: true }] as const),
      ]);
    },
    async take(uuids) {
      const taken: string[] = [];
      for (const uuid of uuids) {
        if (held.has(uuid)) continue;
        if (!(await takeOne(uuid, false))) {
          taken.forEach(release);
          return false;
        }
        taken.push(uuid);
      }
      return true;
    },
    async adopt(uuids) {
      for (const uuid of uuids) if (!held.has(uuid)) await takeOne(uuid, true);
    },
    descriptorsOf: (uuids) => uuids.flatMap((uuid) => held.get(uuid)?.machine?.descriptors ?? []),
    releaseAll: () => [...held.keys()].forEach(release),
  };
}
