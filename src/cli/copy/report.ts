import { exitStatusOf, type Problem } from '../../shared/problem.ts';
import type { ExitStatus } from '../exit.ts';
import { packedLines, type PackedObject } from '../../shared/codings.ts';
import { formatBytes, formatCount, formatSeconds, plural, printable } from '../format.ts';
import type { Output } from '../output.ts';

/** An object and its file: `path` is below the folder that was named, with `/`; of a copy to or from one file, its own path. */
export interface CopiedObject {
  readonly object: string;
  readonly path: string;
}

/**
 * What a copy came to, in either direction. What was to be copied is named by its object when it came from a bucket, by its path when it went
 * there, and is in exactly one of the four lists.
 */
export interface CopyReport {
  readonly objects: number;
  readonly bytes: number;
  readonly seconds: number;
  /** Of these, how many an earlier attempt had copied. */
  readonly skipped: number;
  readonly written: readonly CopiedObject[];
  /** Copied under another name, because the disk cannot have its own: docs/names.md. */
  readonly mapped: readonly CopiedObject[];
  /** What the other side cannot have, or is no file. */
  readonly refused: readonly (Named & { readonly reason: string })[];
  readonly failed: readonly (Named & { readonly problem: Problem })[];
  /** Of a copy of a folder to a bucket: folders without anything in them, of which a bucket has none. */
  readonly emptyFolders?: number;
  /** Of a copy from a bucket: those of the objects fetched that are stored packed, or say so. */
  readonly packed?: readonly PackedObject[];
}

export type Named = { readonly object: string } | { readonly path: string };

const nameOf = (named: Named): string => ('object' in named ? named.object : named.path);

/** As many failures are told one by one on a terminal; `--json` has all. */
const MAX_TOLD = 20;

/** Tells before anything is sent of files that will not go: a copy may take hours until its report. */
export function tellTooLarge(
  output: Output,
  files: readonly { readonly path: string; readonly reason: string }[],
): void {
  for (const { path, reason } of files.slice(0, MAX_TOLD))
    output.note(
      `${output.paint('yellow', 'Too large:')} ${printable(path)}: ${printable(reason)}. The others are copied.`,
    );
}

/** Prints the report; exit 1 when a part was refused or failed. When nothing at all could be copied, for one reason, that reason's status. */
export function tellReport(output: Output, report: CopyReport, json: boolean): ExitStatus {
  output.endLive();
  const { objects, failed, refused, mapped } = report;
  if (json) output.json(report);
  else {
    const earlier =
      report.skipped === 0 ? '' : `, ${plural(report.skipped, 'object')} of it earlier`;
    if (objects > 0 && report.skipped === objects && failed.length + refused.length === 0)
      output.line(
        `Nothing to copy: ${plural(objects, 'object')}, ${formatBytes(report.bytes)}, already there.`,
      );
    else
      output.line(
        `Copied ${plural(objects, 'object')}, ${formatBytes(report.bytes)} in ${formatSeconds(report.seconds)}${earlier}.`,
      );
  }
  for (const { object, path } of mapped.slice(0, MAX_TOLD))
    output.note(`${output.paint('cyan', 'Renamed:')} ${printable(object)} is ${printable(path)}`);
  for (const one of refused.slice(0, MAX_TOLD))
    output.note(
      `${output.paint('yellow', 'Refused:')} ${printable(nameOf(one))}: ${printable(one.reason)}`,
    );
  for (const one of failed.slice(0, MAX_TOLD)) {
    const { problem } = one;
    output.note(
      `${output.paint('red', 'Failed:')} ${printable(nameOf(one))}: ${printable(problem.message)}`,
    );
    if (problem.hint !== '') output.note(`  ${printable(problem.hint)}`);
  }
  for (const line of packedLines(report.packed ?? [], MAX_TOLD))
    output.note(`${output.paint('yellow', 'Note:')} ${printable(line)}`);
  const { emptyFolders = 0 } = report;
  if (emptyFolders > 0)
    output.note(
      `${output.paint('yellow', 'Note:')} A bucket has no empty folders: ${emptyFolders === 1 ? '1 was' : `${formatCount(emptyFolders)} were`} left out.`,
    );
  const untold = [mapped, failed, refused].reduce(
    (sum, list) => sum + Math.max(0, list.length - MAX_TOLD),
    0,
  );
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
