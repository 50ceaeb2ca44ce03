import path from 'node:path';
import * as z from 'zod';
import type { Services } from '../main/services.ts';
import { keepUnknown } from '../shared/unknown-fields.ts';
import { leftOutListSchema, leftOutText, type LeftOutList } from '../shared/left-out.ts';
import { RUN } from '../shared/run-directory.ts';
import type { JobView } from '../shared/views.ts';
import { formatCount, printable } from './format.ts';
import type { Output } from './output.ts';

/** As many are told one by one on a terminal. */
const MAX_TOLD = 20;
/** As many of each kind stand in `--json`; the file has all. */
const MAX_JSON = 10_000;
/** Of a list, this much is read: bytes. */
const MAX_LIST = 64 * 1024 * 1024;
const PIECE = 4 * 1024 * 1024;

const mappedSchema = z.object({
  mapped: z.array(z.object({ object: z.string(), path: z.string() })),
});

/** Tells by name what a job left out, each of it once. */
export function tellLeftOut(output: Output, job: JobView): void {
  for (const left of job.status.leftOut) {
    const { message, hint } = leftOutText(left, 0);
    output.note(`${output.paint('yellow', 'Left out:')} ${message}`);
    for (const { name, reason } of left.first.slice(0, MAX_TOLD))
      output.note(`  ${printable(JSON.stringify(name))}: ${printable(reason)}`);
    const more = left.refused + left.failed - Math.min(MAX_TOLD, left.first.length);
    if (more > 0) output.note(`  and ${formatCount(more)} more`);
    output.note(`  ${printable(hint)} (${printable(path.join(job.runDirectory, left.list))})`);
  }
}

/** What `--json` adds to a job: by name what was left out, and which objects have files of other names. */
export async function transferLists(services: Services, job: JobView): Promise<object> {
  const leftOut = await Promise.all(
    job.status.leftOut.map(async ({ what, refused, failed, list }) => {
      const all: LeftOutList | null = await readList(services, job, list, leftOutListSchema);
      return {
        what,
        counts: { refused, failed },
        refused: all?.refused.slice(0, MAX_JSON) ?? [],
        failed: all?.failed.slice(0, MAX_JSON) ?? [],
        list: path.join(job.runDirectory, list),
      };
    }),
  );
  const mapped = await Promise.all(
    (['code', 'data'] as const).map(async (what) => {
      const list = `${RUN.journals}/${what}-names.json`;
      const all = await readList(services, job, list, mappedSchema);
      return all === null
        ? []
        : [
            {
              what,
              count: all.mapped.length,
              mapped: all.mapped.slice(0, MAX_JSON),
              list: path.join(job.runDirectory, list),
            },
          ];
    }),
  );
  return { leftOut, mapped: mapped.flat() };
}

/** A list of the run directory; null where it is not there, or not as agreed. */
async function readList<T>(
  services: Services,
  job: JobView,
  name: string,
  schema: z.ZodType<T>,
): Promise<T | null> {
  const parts: Uint8Array[] = [];
  for (let at = 0; at < MAX_LIST;) {
    const piece = await services.jobs.readRunFile(job.id, name, at, PIECE);
    if (!piece.ok || piece.value === null) return null;
    if (piece.value.bytes.length === 0) break;
    parts.push(piece.value.bytes);
    at += piece.value.bytes.length;
  }
  try {
    const parsed = keepUnknown(schema).safeParse(JSON.parse(Buffer.concat(parts).toString('utf8')));
    return parsed.success ? parsed.data : null;
  } catch {
    return null;
  }
}
