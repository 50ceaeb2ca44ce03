import * as z from 'zod';
import { onDisk } from './disk.ts';
import { openJournal, readJournal } from './journal.ts';

const beginSchema = z.object({
  format: z.literal(1),
  kind: z.literal('begin'),
  bucket: z.string(),
  destination: z.string(),
  boot: z.string().nullable(),
});
const doneSchema = z.object({
  kind: z.literal('done'),
  object: z.string(),
  generation: z.string(),
  path: z.string(),
  size: z.int(),
  mtimeMs: z.number(),
});

const completedSchema = doneSchema.omit({ kind: true });

/** A file that an attempt completed: what its object was, and what the file was then. */
export type CompletedDownload = Readonly<z.infer<typeof completedSchema>> & {
  /** The boot of the machine that wrote it: what another one wrote may not have reached the disk. */
  readonly boot: string | null;
};

export interface DownloadJournal {
  /** An earlier attempt used it. */
  readonly resumed: boolean;
  /** By path below the destination. */
  of(path: string): CompletedDownload | null;
  done(file: Omit<CompletedDownload, 'boot'>): Promise<void>;
  close(): Promise<void>;
}

export interface DownloadJournalScope {
  readonly bucket: string;
  /** Absolute. */
  readonly destination: string;
  readonly boot: string | null;
}

/** Opens the journal of a download; lines of other buckets and destinations are passed over. What its disk refuses is a `DiskFault`. */
export async function openDownloadJournal(
  file: string,
  scope: DownloadJournalScope,
): Promise<DownloadJournal> {
  const known = new Map<string, CompletedDownload>();
  let current: z.infer<typeof beginSchema> | null = null;
  const disk = { op: 'write the journal of the download', subject: file };
  const lines = await onDisk(disk, () => readJournal(file));
  for (const line of lines) {
    const begin = beginSchema.safeParse(line);
    if (begin.success) current = begin.data;
    const done = doneSchema.safeParse(line);
    if (!done.success || current === null) continue;
    if (current.bucket !== scope.bucket || current.destination !== scope.destination) continue;
    const completed = completedSchema.parse(done.data);
    known.set(completed.path, { ...completed, boot: current.boot });
  }
  const begin = { format: 1, kind: 'begin', ...scope };
  const journal = await onDisk(disk, () => openJournal(file, false, begin));
  return {
    resumed: lines.length > 0,
    of: (path) => known.get(path) ?? null,
    done: (completed) => onDisk(disk, () => journal.append({ kind: 'done', ...completed })),
    close: () => journal.close(),
  };
}
