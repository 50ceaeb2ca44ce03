import type { Services } from '../main/services.ts';
import type { Output } from './output.ts';
import type { ExitStatus } from './exit.ts';
import type { ProgramFiles } from './program-files.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

/** `orphaned`: npx, which started this program, is gone, and nobody is there who could be asked. */
export type InterruptReason = 'signal' | 'orphaned';
export type InterruptHandler = (reason: InterruptReason) => void;

/** What a command is given: everything it may touch of the world. */
export interface Context {
  readonly output: Output;
  readonly env: Environment;
  /** The working directory, absolute. */
  readonly folder: string;
  readonly files: ProgramFiles;
  /** Somebody sits at a terminal and may be asked. */
  readonly interactive: boolean;
  /** Aborted by SIGINT and SIGTERM, unless the command took interrupts over. */
  readonly signal: AbortSignal;
  /** Opens the services at the first call; they are closed after the command. Ends the command where they cannot be opened. */
  services(): Promise<Services>;
  /** Takes SIGINT over: the handler is called for each. Returns how to give it back. */
  takeInterrupts(handler: InterruptHandler): () => void;
}

export type Action = (context: Context) => Promise<ExitStatus>;

/** Runs one command: opens and closes what it needs, prints its problem, keeps its exit status. */
export type Run = (
  options: { readonly json?: boolean | undefined },
  action: Action,
) => Promise<void>;
