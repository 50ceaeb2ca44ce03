import { randomBytes } from 'node:crypto';
import { lstatSync, mkdirSync, readdirSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import * as z from 'zod';
import { lockSchema, workerStartedSchema } from '../shared/agent-protocol.ts';
import { KEY_FOLDER_RUN, RUN, workerPid, workerStarted } from '../shared/run-directory.ts';
import { makeFolder, readJson, removeFile, writeJsonAtomic } from './files.ts';
import { isAlive, ownIdentity } from './identity.ts';
import { findProcesses } from './processes/end.ts';
import { takeLock } from '../transfer/lock.ts';
import { runLockFolder } from './run.ts';

const MEMORY_DISK = '/dev/shm';
const KEY_FOLDER = /^\/dev\/shm\/trainyard-[0-9a-f]{24}$/;
/** `f_type` of tmpfs and ramfs (statfs(2)). */
const MEMORY_TYPES = new Set([0x01021994, 0x858458f6]);

const recordSchema = z.strictObject({ folder: z.string() });

export interface KeyFolder {
  readonly keyFile: string;
  readonly cloudSdkConfig: string;
}

/** Whether keys can lie on a memory file system here. */
function hasMemoryDisk(): boolean {
  try {
    return process.platform === 'linux' && MEMORY_TYPES.has(statfsSync(MEMORY_DISK).type);
  } catch {
    return false;
  }
}

/**
 * The folder of a worker's key file (0700), made when it is not there: on a memory file system where there is one, else in `private/`.
 * Its path is recorded before it is made, so that the next start finds it after a crash.
 */
export function placeKeyFile(run: string, content: string): KeyFolder {
  const record = path.join(run, RUN.keyFolderRecord);
  const known = readJson(record, recordSchema)?.folder ?? null;
  let folder = known !== null && isOurKeyFolder(run, known) ? known : null;
  if (folder === null) {
    folder = hasMemoryDisk()
      ? path.join(MEMORY_DISK, `trainyard-${randomBytes(12).toString('hex')}`)
      : path.join(run, RUN.private, 'key');
    writeJsonAtomic(record, { folder });
    if (folder.startsWith(MEMORY_DISK)) {
      mkdirSync(folder, { mode: 0o700 });
      // Whoever finds it after a crash needs not ask every run.
      writeFileSync(path.join(folder, KEY_FOLDER_RUN), run, { mode: 0o600, flag: 'wx' });
    } else makeFolder(folder);
  }
  const keyFile = path.join(folder, 'key.json');
  const cloudSdkConfig = path.join(folder, 'cloudsdk');
  makeFolder(cloudSdkConfig);
  removeFile(keyFile);
  writeFileSync(keyFile, content, { mode: 0o600, flag: 'wx' });
  return { keyFile, cloudSdkConfig };
}

/** A private configuration folder for gcloud, in a run without a key file. */
export function placeCloudSdkConfig(run: string): string {
  const folder = path.join(run, RUN.private, 'cloudsdk');
  makeFolder(folder);
  return folder;
}

/** A record is only believed where it names a folder of the shape we make, owned by this user. */
function isOurKeyFolder(run: string, folder: string): boolean {
  if (folder !== path.join(run, RUN.private, 'key') && !KEY_FOLDER.test(folder)) return false;
  try {
    const found = lstatSync(folder);
    return found.isDirectory() && found.uid === process.getuid?.();
  } catch {
    return false;
  }
}

/** Removes every secret of a run: the key folder, then all of `private/`. */
export function emptyPrivate(run: string): void {
  const folder = readJson(path.join(run, RUN.keyFolderRecord), recordSchema)?.folder ?? null;
  if (folder !== null && isOurKeyFolder(run, folder)) removeTree(folder);
  const privateFolder = path.join(run, RUN.private);
  for (const name of namesIn(privateFolder))
    if (path.join(RUN.private, name) !== RUN.keyFolderRecord)
      removeTree(path.join(privateFolder, name));
  removeFile(path.join(run, RUN.keyFolderRecord));
}

/** Fresh tokens may be put there while it is emptied. */
function removeTree(folder: string): void {
  rmSync(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 10 });
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

/** Whether a worker of the run, its supervisor, or what it has left still runs. */
export function hasLiveWorkers(run: string): boolean {
  return hasLiveRecords(run) || hasProcesses(run);
}

function hasProcesses(run: string): boolean {
  const search = { runId: path.basename(run), directory: run, worker: null };
  return findProcesses({ ...search, leader: null, known: [], cgroup: null }).length > 0;
}

function hasLiveRecords(run: string): boolean {
  return namesIn(path.join(run, RUN.workers))
    .filter((name) => /^\d+$/.test(name))
    .some((name) => {
      const supervisor = readJson(path.join(run, workerPid(Number(name))), lockSchema);
      if (supervisor !== null && isAlive(supervisor)) return true;
      const started = readJson(path.join(run, workerStarted(Number(name))), workerStartedSchema);
      return started !== null && isAlive(started.process);
    });
}

/** Removes what crashed runs left in their `private/`: those that had started, that no agent carries, and whose workers are gone. */
export function sweepRuns(runs: string, except: string): void {
  for (const name of namesIn(runs)) {
    const run = path.join(runs, name);
    if (run === except || namesIn(path.join(run, RUN.private)).length === 0) continue;
    if (!namesIn(run).includes(RUN.events) || hasLiveWorkers(run)) continue;
    const holder = { process: ownIdentity(), run };
    const answer = takeLock(runLockFolder(run), holder, (other) => isAlive(other.process));
    if (answer.kind === 'busy') continue;
    try {
      emptyPrivate(run);
    } finally {
      answer.lock.release();
    }
  }
}
