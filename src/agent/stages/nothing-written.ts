import { stat } from 'node:fs/promises';
import path from 'node:path';
import { formatBytes, plural } from '../../shared/format.ts';
import { RUN, workerCode, workerOutput } from '../../shared/run-directory.ts';
import { entriesBelow } from '../code/entries-below.ts';
import type { JobRun } from '../run.ts';
import { workerCheckpoints } from '../worker-environment.ts';
import { readWorker } from '../workers.ts';

/** What programs leave behind by themselves: no results. */
const BY_THE_WAY =
  /(^|\/)(__pycache__|\.ipynb_checkpoints|\.cache|\.git|node_modules|\.venv|venv)\/|\.pyc$|(^|\/)nohup\.out$/;

const NAMED = 5;
/** A folder with more files than this is looked at no further. */
const MOST = 20_000;

interface Written {
  readonly name: string;
  readonly size: number;
}

/**
 * A worker that wrote nothing to its output, but files where they are not uploaded, is told at the end, with their paths: whoever forgot the output's path
 * learns it while they are still there.
 */
export async function tellNothingWritten(run: JobRun): Promise<void> {
  if (run.plan.output === null) return;
  for (const worker of run.plan.workers.keys()) {
    if (readWorker(run, worker).started === null) continue;
    if ((await filesBelow(run.at(workerOutput(worker)))).length > 0) continue;
    const code = run.at(workerCode(worker));
    const written = await newFiles(code, run.at(RUN.code));
    // What a retry keeps is no surprise where there is nothing else.
    const kept = run.at(workerCheckpoints(worker));
    const files = written.length > 0 ? written : await newFiles(kept, null);
    const first = files[0];
    if (first === undefined) continue;
    const folder = written.length > 0 ? code : kept;
    const names = files.slice(0, NAMED).map(({ name, size }) => `${name} (${formatBytes(size)})`);
    const more = files.length > NAMED ? `, and ${files.length - NAMED} more` : '';
    run.events.append({
      kind: 'warning',
      message: `Worker ${worker} wrote nothing to its output, but ${plural(files.length, 'file')} into ${folder}: ${names.join(', ')}${more}. ${files.length === 1 ? 'It is' : 'They are'} not uploaded.`,
      hint: 'What is to be uploaded goes to the folder that TRAINYARD_OUTPUT_PATH names. The files are kept in the folder of the job.',
    });
  }
}

/** The files of a folder that another does not have as they are, the biggest first. */
async function newFiles(folder: string, before: string | null): Promise<readonly Written[]> {
  const found: Written[] = [];
  for (const name of await filesBelow(folder)) {
    if (BY_THE_WAY.test(name)) continue;
    const now = await stat(path.join(folder, name)).catch(() => null);
    if (now === null || now.size === 0) continue;
    const was = before === null ? null : await stat(path.join(before, name)).catch(() => null);
    if (was === null || was.size !== now.size || was.mtimeMs !== now.mtimeMs)
      found.push({ name, size: now.size });
  }
  return found.toSorted((a, b) => b.size - a.size);
}

/** The files below a folder, relative; none where it is not there. */
async function filesBelow(folder: string): Promise<readonly string[]> {
  return (await entriesBelow(folder, MOST))
    .filter((entry) => !entry.isDirectory())
    .map((entry) => path.relative(folder, path.join(entry.parentPath, entry.name)));
}
