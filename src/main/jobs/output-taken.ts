import { listAll } from '../../google/listing.ts';
import { asPrefix, formatGcsAddress } from '../../shared/address.ts';
import { addressOfText } from '../../shared/read-address.ts';
import type { GoogleEndpoints } from '../../shared/endpoints.ts';
import type { JobSpec } from '../../shared/job-spec.ts';
import { problem, type Problem } from '../../shared/problem.ts';
import type { KeyService } from '../keys/service.ts';

/** How long the bucket may take to answer, milliseconds: what it says is good to know, no more. */
const LOOK_TIME = 5_000;
/** Objects on one page, and how many pages are looked at. */
const PAGE = 500;
const PAGES = 4;

type Output = NonNullable<JobSpec['output']>;

/**
 * Whether an object stands where a worker's output with `layout: exact` may have to go. `name` is what follows the output's prefix. Pure.
 * Manifests of other jobs and the empty objects that stand for folders are in nobody's way.
 */
export function mayClash(output: Pick<Output, 'archive'>, workers: number, name: string): boolean {
  if (name === '' || /^trainyard-\d{8}-\d{6}-[a-z0-9]{6}\.manifest\.json$/.test(name)) return false;
  if (output.archive || workers > 1) {
    const [, number, rest] = /^worker-(0|[1-9]\d*)(\/.|\.tar\.gz$)/s.exec(name) ?? [];
    return (
      number !== undefined && Number(number) < workers && (rest === '.tar.gz') === output.archive
    );
  }
  return true;
}

/**
 * What is there already where a job with `layout: exact` writes, as far as its key may list: told before the start, for such a file fails and is
 * never overwritten. Where the bucket cannot be asked, nothing is known and nothing is said.
 * Answers with at most one `storage.exists`.
 */
export async function lookForTakenNames(
  parts: { readonly keys: KeyService; readonly endpoints: GoogleEndpoints },
  spec: Pick<JobSpec, 'output' | 'workers'>,
  signal: AbortSignal,
): Promise<readonly Problem[]> {
  const { output, workers } = spec;
  if (output?.layout !== 'exact') return [];
  const address = addressOfText(output.gcs, 'write');
  if (!address.ok) return [];
  const card = output.key === undefined ? null : await parts.keys.find(output.key);
  if (card?.ok === false) return [];
  const tokens = card === null ? null : await parts.keys.tokenSource(card.value, 'write', 'start');
  if (tokens?.ok === false) return [];
  const { bucket } = address.value;
  const prefix = asPrefix(address.value.path);
  const taken: string[] = [];
  let pages = 0;
  let more = false;
  for await (const page of listAll({
    endpoints: parts.endpoints,
    tokens: tokens?.value ?? null,
    signal,
    deadlineMs: LOOK_TIME,
    bucket,
    prefix: output.archive || workers.length > 1 ? `${prefix}worker-` : prefix,
    delimiter: false,
    pageSize: PAGE,
  })) {
    if (!page.ok) break;
    for (const { name } of page.value.objects)
      if (mayClash(output, workers.length, name.slice(prefix.length))) taken.push(name);
    pages += 1;
    more = page.value.nextPageToken !== null;
    if (pages === PAGES || taken.length >= PAGE) break;
  }
  const first = taken[0];
  if (first === undefined) return [];
  const folder = formatGcsAddress({ bucket, path: prefix });
  const count = `${more ? 'at least ' : ''}${taken.length} ${taken.length === 1 ? 'object' : 'objects'}`;
  return [
    problem({
      code: 'storage.exists',
      op: 'look at the output',
      subject: folder,
      message: output.archive
        ? `${formatGcsAddress({ bucket, path: first })} exists already${taken.length === 1 ? '' : ` (with ${taken.length - 1} more)`}, where this job writes by layout: exact. Its upload will fail.`
        : `There ${taken.length === 1 && !more ? 'is' : 'are'} already ${count} where this job writes by layout: exact, in ${folder} (the first: ${formatGcsAddress({ bucket, path: first })}). An output file whose name is taken will fail.`,
      hint: 'Nothing is ever overwritten; what fails stays in the run directory. Give another output address, or leave layout out, which gives every job a folder of its own.',
    }),
  ];
}
