import type { AccessReport, AccessUse } from './access-check.ts';
import { parseGcsAddress } from './address.ts';

/** One use that a key is put to in a bucket. */
export interface BucketUse {
  readonly for: AccessUse;
  /** Within the bucket, as in its address; empty for the whole. */
  readonly path: string;
}

/** What an account can do on a whole bucket that these uses of it, taken together, do not need. One sentence each. Pure. */
export function moreThanNeeded(
  uses: readonly BucketUse[],
  held: readonly string[],
): readonly string[] {
  const can = (permission: string): boolean => held.includes(permission);
  const reads = uses.filter((use) => use.for === 'input');
  const creates = uses.filter((use) => use.for === 'output');
  const isWhole = (some: readonly BucketUse[]): boolean => some.some(({ path }) => path === '');
  const more: string[] = [];
  if (can('storage.objects.get')) {
    if (reads.length === 0) more.push('It can read the objects of the output’s bucket.');
    else if (!isWhole(reads))
      more.push('It can read every object of the bucket, not only the input.');
  }
  if (can('storage.objects.list') && reads.length === 0)
    more.push('It can list the output’s bucket.');
  if (can('storage.objects.create')) {
    if (creates.length === 0) more.push('It can create objects in the input’s bucket.');
    else if (!isWhole(creates))
      more.push('It can create objects anywhere in the bucket, not only below the output.');
  }
  if (can('storage.objects.update')) more.push('It can change the metadata of objects.');
  if (can('storage.objects.delete'))
    more.push('It can delete and overwrite objects of the bucket.');
  return more;
}

/**
 * The checks of one job, each with what its account can do on its bucket beyond all that the job does there with it; told once for each account
 * and bucket, with the first of their checks. Pure.
 */
export function moreThanTheJobNeeds(
  reports: readonly AccessReport[],
): ReadonlyMap<AccessReport, readonly string[]> {
  const groups = new Map<string, { report: AccessReport; bucket: string; path: string }[]>();
  for (const report of reports) {
    const address = parseGcsAddress(report.address);
    if (!address.ok || report.account === null) continue;
    const { bucket, path } = address.value;
    const name = `${report.account} ${bucket}`;
    groups.set(name, [...(groups.get(name) ?? []), { report, bucket, path }]);
  }
  return new Map(
    [...groups.values()].flatMap((group) => {
      const [first] = group;
      if (first === undefined) return [];
      const uses = group.map(({ report, path }) => ({ for: report.for, path }));
      const held = [...new Set(group.flatMap(({ report }) => report.held))];
      const more = moreThanNeeded(uses, held).map((line) =>
        group.length === 1 ? line : line.replace(/^It /, `In gs://${first.bucket} the key `),
      );
      return [[first.report, more] as const];
    }),
  );
}
