import { lstatSync } from 'node:fs';
import ignore from 'ignore';
import { plural } from '../../shared/format.ts';
import { RUN } from '../../shared/run-directory.ts';
import type { RefusedFile } from '../../transfer/upload-plan.ts';
import type { UploadOptions } from '../../transfer/upload.ts';
import type { JobRun } from '../run.ts';
import { noteInStageLog } from './stage-log.ts';

/** What of the output is uploaded: see `output.exclude`, and what links lead to. */
export interface OutputChoice {
  readonly exclude: NonNullable<UploadOptions['exclude']>;
  readonly links: NonNullable<UploadOptions['links']>;
  /** Of what was refused, what is to be told as left out. The rest is noted. */
  told(refused: readonly RefusedFile[]): readonly RefusedFile[];
  /** Lines in the stage log on what was passed over on purpose. */
  note(sameFolders: readonly { readonly path: string; readonly target: string }[]): void;
}

/** How many are named in a line. */
const NAMED = 10;

/**
 * Links that wandb makes by itself to a log that it keeps among the user's own files: no result of the run. They are passed over as if they were named by
 * `output.exclude`.
 */
const OF_WANDB = /(^|\/)wandb\/([^/]+\/)*debug-core\.log$/;

/** The folders of the run to which a link in its output may lead: what workers read and write, never its secrets and records. */
function ownFolders(run: JobRun): readonly string[] {
  // Data that is a link is a folder of the user's.
  const isOwnData = lstatSync(run.at(RUN.data), { throwIfNoEntry: false })?.isDirectory() === true;
  return [RUN.output, RUN.code, RUN.workers, RUN.checkpoints, ...(isOwnData ? [RUN.data] : [])].map(
    (name) => run.at(name),
  );
}

/** `ofWorkers`: paths begin with the folder of a worker, which patterns do not see. */
export function chooseOutput(
  run: JobRun,
  patterns: readonly string[],
  ofWorkers: boolean,
): OutputChoice {
  const rules = ignore({ ignorecase: false }).add([...patterns]);
  const excluded = new Set<string>();
  const others = new Set<string>();
  return {
    exclude(relativePath, kind) {
      const path = ofWorkers ? relativePath.slice(relativePath.indexOf('/') + 1) : relativePath;
      if (ofWorkers && !relativePath.includes('/')) return false;
      const isOut = rules.ignores(kind === 'folder' ? `${path}/` : path);
      if (isOut) excluded.add(relativePath);
      return isOut;
    },
    links: { alsoInside: ownFolders(run), foldersOnce: true },
    told: (refused) =>
      refused.filter(({ path }) => {
        const isTold = !OF_WANDB.test(path);
        if (!isTold) others.add(path);
        return isTold;
      }),
    note(sameFolders) {
      const name = (what: string, names: readonly string[]): void => {
        if (names.length === 0) return;
        const more = names.length > NAMED ? `, and ${names.length - NAMED} more` : '';
        noteInStageLog(
          run,
          `output: ${plural(names.length, 'name')} ${what}: ${names.slice(0, NAMED).join(', ')}${more}`,
        );
      };
      name('left out by output.exclude', [...excluded]);
      name("left out: wandb's own log of this machine", [...others]);
      name(
        'not sent twice: a link to a folder that goes up by itself',
        sameFolders.map(({ path, target }) => `${path} (${target})`),
      );
      excluded.clear();
      others.clear();
    },
  };
}
