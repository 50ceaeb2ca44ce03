import { readFile, rm, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import * as z from 'zod';
import type { ObjectInfo } from '../shared/object-info.ts';
import type { ArchiveFormat } from '../shared/job-spec.ts';
import { ok, type Result } from '../shared/problem.ts';
import type { Placed } from './download-files.ts';
import type { DownloadOptions } from './download.ts';
import { unpack } from './unpack.ts';

/** Kept beside the journal: the archive that was unpacked, so that a restart does not fetch it again. */
const unpackedSchema = z.object({
  format: z.literal(1),
  object: z.string(),
  generation: z.string(),
  destination: z.string(),
  report: z.object({
    objects: z.int(),
    bytes: z.number(),
    refused: z.array(z.object({ object: z.string(), reason: z.string() })),
  }),
});

async function unpackedEarlier(
  record: string,
  object: ObjectInfo,
  destination: string,
): Promise<Placed | null> {
  let value: unknown;
  try {
    value = JSON.parse(await readFile(record, 'utf8'));
  } catch {
    return null;
  }
  const parsed = unpackedSchema.safeParse(value);
  if (!parsed.success) return null;
  const { data } = parsed;
  const same =
    data.object === object.name &&
    data.generation === object.generation &&
    data.destination === destination;
  return same
    ? {
        ...data.report,
        skipped: data.report.objects,
        written: [],
        mapped: [],
        failed: [],
        packed: [],
      }
    : null;
}

/**
 * Fetches an archive into `folder`, unpacks it into the destination and removes it. The report counts the files of the archive; entries that
 * were refused are named `object: entry`.
 */
export async function downloadArchive(
  options: DownloadOptions,
  format: ArchiveFormat,
  object: ObjectInfo,
  folder: string,
  fetch: () => Promise<Result<Placed>>,
): Promise<Result<Placed>> {
  const destination = resolve(options.destination);
  const record = join(options.journal, 'unpacked.json');
  const earlier = await unpackedEarlier(record, object, destination);
  if (earlier !== null) return ok(earlier);
  const fetched = await fetch();
  if (!fetched.ok || fetched.value.failed.length > 0 || fetched.value.refused.length > 0)
    return fetched;
  const placed = [...fetched.value.written, ...fetched.value.mapped][0];
  if (placed === undefined) return fetched;
  const path = join(folder, placed.path);
  const unpacked = await unpack(path, format, destination, {
    ...(options.signal === undefined ? {} : { signal: options.signal }),
  });
  if (!unpacked.ok) return unpacked;
  const { files, bytes, refused } = unpacked.value;
  const report = {
    objects: files,
    bytes,
    refused: refused.map(({ entry, reason }) => ({ object: `${object.name}: ${entry}`, reason })),
  };
  const { name, generation } = object;
  await writeFile(
    record,
    JSON.stringify({ format: 1, object: name, generation, destination, report }),
  );
  await rm(folder, { recursive: true, force: true });
  return ok({ ...report, skipped: 0, written: [], mapped: [], failed: [], packed: [] });
}
