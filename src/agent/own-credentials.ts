import { existsSync } from 'node:fs';
import path from 'node:path';
import type { JobRun } from './run.ts';

const FILE = '.config/gcloud/application_default_credentials.json';

/** The runs of this process that were told. */
const told = new Set<string>();

/**
 * Warns, once an attempt, where clients would find the user's own application default credentials before the metadata server: those that look
 * below `HOME` and not at `CLOUDSDK_CONFIG`.
 */
export function tellOwnCredentials(run: JobRun, inherited: Readonly<Record<string, string>>): void {
  const home = run.plan.env['HOME'] ?? inherited['HOME'] ?? '';
  if (told.has(run.directory) || home === '' || !existsSync(path.join(home, FILE))) return;
  told.add(run.directory);
  run.events.append({
    kind: 'warning',
    message: `${path.join(home, FILE)} is there: some client libraries (those for Go, and for Node.js before July 2026) take this credential of your own before that of the job.`,
    hint: 'Rename the file while the job runs, give the workers another HOME in env, or choose mode key-file, which goes before it everywhere.',
  });
}
