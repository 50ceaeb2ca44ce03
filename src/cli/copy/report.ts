import { exitStatusOf, type Problem } from '../../shared/problem.ts';
import type { ExitStatus } from '../exit.ts';
import { formatBytes, formatSeconds, plural, printable } from '../format.ts';
import type { Output } from '../output.ts';

/** What a copy came to, in either direction. `name`: the object's name or the file's path. */
export interface CopyReport {
  readonly objects: number;
  readonly bytes: number;
  readonly seconds: number;
  /** Of these, how many an earlier attempt had copied. */
  readonly skipped: number;
  /** What has a name that the other side cannot have, or is no file. */
  readonly refused: readonly { readonly name: string; readonly reason: string }[];
  readonly failed: readonly { readonly name: string; readonly problem: Problem }[];
}

/** As many failures are told one by one on a terminal; `--json` has all. */
const MAX_TOLD = 20;

/** Prints the report; exit 1 when a part failed. When nothing at all could be copied, for one reason, that reason's status. */
export function tellReport(output: Output, report: CopyReport, json: boolean): ExitStatus {
  output.endLive();
  const { objects, failed, refused } = report;
  if (json) output.json(report);
  else {
    const earlier =
      report.skipped === 0 ? '' : `, ${plural(report.skipped, 'object')} of it earlier`;
    output.line(
      `Copied ${plural(objects, 'object')}, ${formatBytes(report.bytes)} in ${formatSeconds(report.seconds)}${earlier}.`,
    );
  }
  for (const { name, reason } of refused.slice(0, MAX_TOLD))
    output.note(`${output.paint('yellow', 'Refused:')} ${printable(name)}: ${printable(reason)}`);
  for (const { name, problem } of failed.slice(0, MAX_TOLD)) {
    output.note(
      `${output.paint('red', 'Failed:')} ${printable(name)}: ${printable(problem.message)}`,
    );
    if (problem.hint !== '') output.note(`  ${printable(problem.hint)}`);
  }
  const untold = Math.max(0, failed.length - MAX_TOLD) + Math.max(0, refused.length - MAX_TOLD);
  if (untold > 0)
    output.note(`  and ${plural(untold, 'more')}; --json lists all.`.replace('mores', 'more'));
  if (failed.length === 0 && refused.length === 0) return 0;
  const first = failed[0];
  if (objects === 0 && refused.length === 0 && first !== undefined) {
    const status = exitStatusOf(first.problem);
    if (failed.every(({ problem }) => exitStatusOf(problem) === status)) return status;
  }
  return 1;
}
