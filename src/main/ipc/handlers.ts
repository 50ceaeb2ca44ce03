import { CALL_NAMES, type CallHandlers } from '../../shared/ipc.ts';
import type { Result } from '../../shared/problem.ts';
import type { Services } from '../services.ts';
import { accessHandlers } from './handlers/access.ts';
import { applicationHandlers } from './handlers/application.ts';
import { bucketHandlers } from './handlers/buckets.ts';
import { hostHandlers } from './handlers/hosts.ts';
import { jobHandlers } from './handlers/jobs.ts';
import { keyHandlers } from './handlers/keys.ts';
import { notebookHandlers } from './handlers/notebooks.ts';
import { newJobHandlers } from './handlers/new-job.ts';
import { sampleHandlers } from './handlers/sample.ts';
import type { WindowShell } from './window-shell.ts';

export interface HandlerOptions {
  readonly version: string;
  readonly home: string;
  /** The services, or why they could not be opened: then every call answers with that. */
  readonly services: Result<Services>;
  readonly shell: WindowShell;
}

/** What the main process does for each call of the window; each feature's part is in `handlers/`. */
export function createHandlers({ version, home, services, shell }: HandlerOptions): CallHandlers {
  if (!services.ok) {
    const refuse = async () => services;
    return Object.fromEntries(CALL_NAMES.map((name) => [name, refuse])) as unknown as CallHandlers;
  }
  return {
    ...applicationHandlers(services.value, shell, { version, home }),
    ...bucketHandlers(services.value, shell),
    ...hostHandlers(services.value),
    ...jobHandlers(services.value, shell),
    ...accessHandlers(services.value),
    ...keyHandlers(services.value, shell),
    ...notebookHandlers(services.value, shell),
    ...newJobHandlers(services.value, shell),
    ...sampleHandlers(services.value),
  };
}
