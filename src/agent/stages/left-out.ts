import { existsSync } from 'node:fs';
import { FIRST_LEFT_OUT, type LeftOutList, type LeftOutOf } from '../../shared/left-out.ts';
import type { Problem } from '../../shared/problem.ts';
import { RUN } from '../../shared/run-directory.ts';
import { removeFile, writeJsonAtomic } from '../files.ts';
import type { Run } from '../run.ts';

interface LeftOutNames {
  readonly refused: LeftOutList['refused'];
  readonly failed: readonly { readonly name: string; readonly problem: Problem }[];
}

/**
 * Lists by name what a transfer left out, in a file of the run directory that replaces the list of an earlier attempt, and tells the number and
 * the first few in an event. Where nothing is left out any more, that is told, too.
 */
export function tellLeftOut(run: Run, what: LeftOutOf, { refused, failed }: LeftOutNames): void {
  const list = `${RUN.journals}/${what}-left-out.json`;
  const file = run.at(list);
  const any = refused.length + failed.length > 0;
  if (!any && !existsSync(file)) return;
  if (any) writeJsonAtomic(file, { format: 1, refused, failed });
  const reasons = [
    ...refused.slice(0, FIRST_LEFT_OUT),
    ...failed
      .slice(0, FIRST_LEFT_OUT)
      .map(({ name, problem }) => ({ name, reason: problem.message })),
  ];
  run.events.append({
    kind: 'left-out',
    what,
    refused: refused.length,
    failed: failed.length,
    first: reasons.slice(0, FIRST_LEFT_OUT),
    list,
  });
  // Last: an agent that dies before it has told does so again.
  if (!any) removeFile(file);
}
