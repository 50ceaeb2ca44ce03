import { stat } from 'node:fs/promises';
import path from 'node:path';
import { fail, ok, problem, type Result } from '../../shared/problem.ts';

/** Files and folders of one folder that are to be uploaded together. */
export interface DroppedGroup {
  /** Absolute. */
  readonly folder: string;
  /** Of its entries. */
  readonly names: readonly string[];
}

/**
 * Looks at paths that were dropped on the window or picked, and puts those of one folder together: each group becomes one run.
 * Errors: `input.source` for the first that is no file and no folder.
 */
export async function groupDropped(
  paths: readonly string[],
): Promise<Result<readonly DroppedGroup[]>> {
  const groups = new Map<string, Set<string>>();
  for (const given of paths) {
    const whole = path.resolve(given);
    const name = path.basename(whole);
    const status = path.isAbsolute(given) ? await stat(whole).catch(() => null) : null;
    if (name === '' || status === null || !(status.isFile() || status.isDirectory()))
      return fail(
        problem({
          code: 'input.source',
          op: 'upload',
          subject: given,
          message:
            name === ''
              ? 'A whole disk cannot be uploaded.'
              : status === null
                ? `There is no ${given} that can be read.`
                : `${given} is neither a file nor a folder.`,
          hint: 'Drop files or folders of this machine.',
        }),
      );
    const folder = path.dirname(whole);
    groups.set(folder, (groups.get(folder) ?? new Set()).add(name));
  }
  return ok([...groups].map(([folder, names]) => ({ folder, names: [...names] })));
}
