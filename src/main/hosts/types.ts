import type { AgentSecrets, HostProbe, Inbox } from '../../shared/agent-protocol.ts';
import type { RunPlan } from '../../shared/plan.ts';
import type { ProcessIdentity } from '../../shared/process-identity.ts';
import type { Result } from '../../shared/problem.ts';

/** A file of a run directory, as it was a moment ago. */
export interface FileStatus {
  /** Bytes. */
  readonly size: number;
  /** Milliseconds since 1970. */
  readonly changedAt: number;
}

/** A piece of a file. */
export interface FilePiece {
  readonly bytes: Uint8Array;
  /** The size of the whole file when it was read. */
  readonly size: number;
}

/** One entry of a folder of a run. */
export interface FolderEntry {
  readonly name: string;
  readonly kind: 'file' | 'folder' | 'other';
  /** Bytes; of a folder 0. */
  readonly size: number;
  /** Milliseconds since 1970. */
  readonly changedAt: number;
}

/** The first entries of a folder by name, and how many there are. */
export interface FolderListing {
  readonly entries: readonly FolderEntry[];
  readonly total: number;
}

/**
 * A machine that carries runs: the same on this machine, behind SSH and on a cluster. Everything it knows of a run it reads from the run
 * directory; nothing it holds in memory matters after it returned. File names are relative to the run directory and come from
 * `src/shared/run-directory.ts`.
 *
 * Errors: `host.*`; what is not there is null, not a problem.
 */
export interface Host {
  readonly name: string;
  /** Asks the machine what it has: processors, disk, cards. Places the agent first. */
  probe(signal?: AbortSignal): Promise<Result<HostProbe>>;
  /** Puts this application's agent in place, if it is not there. Returns its version. */
  placeAgent(): Promise<Result<string>>;
  /** Whether a path of the host is a folder that can be read. */
  isFolder(path: string): Promise<Result<boolean>>;
  /** Makes the run directory with its plan: whole or not at all. */
  createRun(plan: RunPlan): Promise<Result<void>>;
  removeRun(id: string): Promise<Result<void>>;
  /** Absolute, on the host. */
  runDirectory(id: string): string;
  /**
   * Starts an agent for the run, detached. It holds the run's lock when this returns. A stop asked for earlier is forgotten,
   * unless `keepStop`: then the agent stops what it finds running. `announced` hears the key that renewals for this agent are sealed to, from
   * the agent itself; it is not called where the agent came too late to say it, or has none.
   */
  start(
    id: string,
    secrets: AgentSecrets,
    options?: { readonly keepStop?: boolean; readonly announced?: (inboxKey: string) => void },
  ): Promise<Result<ProcessIdentity>>;
  /** The ids of all run directories, oldest first. */
  listRuns(): Promise<Result<readonly string[]>>;
  statFile(id: string, name: string): Promise<Result<FileStatus | null>>;
  /** At most `maxBytes` from `offset`; fewer at the file's end. */
  readFile(
    id: string,
    name: string,
    offset: number,
    maxBytes: number,
  ): Promise<Result<FilePiece | null>>;
  /** Folders first, at most `limit` entries; links are not followed, a folder reached through one is not listed. */
  listFolder(id: string, name: string, limit: number): Promise<Result<FolderListing | null>>;
  /** Puts a small file in place at once, 0600. */
  writeFile(id: string, name: string, content: string): Promise<Result<void>>;
  /** The live process that holds the run's lock, or null. */
  agent(id: string): Promise<Result<ProcessIdentity | null>>;
  /** Asks the run's agent to stop. A second request gives up the upload, too. */
  requestStop(id: string, requestedAt: string): Promise<Result<void>>;
  /** Puts fresh tokens where the agent looks for them, which reads and removes them. Returns the file's name. */
  deliverTokens(id: string, inbox: Inbox): Promise<Result<string>>;
  /** Removing what is not there is done. */
  removeFile(id: string, name: string): Promise<Result<void>>;
  /** Calls back when the events or logs of a run may have changed, sooner than polling tells. May never call. Returns the disposer. */
  watchRun(id: string, changed: () => void): () => void;
}
