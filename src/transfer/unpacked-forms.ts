import { join } from 'node:path';
import * as z from 'zod';
import type { ObjectInfo } from '../shared/object-info.ts';
import { onDisk } from './disk.ts';
import { openJournal, readJournal, type Journal } from './journal.ts';

/** Beside the other journals of a copy; stays when the copy is done. */
export const UNPACKED_FORMS = 'unpacked.jsonl';

const formSchema = z.object({ size: z.int().min(0), crc32c: z.int().min(0) });
const lineSchema = z.object({
  bucket: z.string(),
  object: z.string(),
  generation: z.string(),
  stored: z.object({ size: z.int().min(0), crc32c: z.string() }),
  unpacked: formSchema,
});

/** A file's bytes, told by their number and checksum (CRC32C, as a number). */
export type Form = Readonly<z.infer<typeof formSchema>>;

/**
 * What objects that are stored packed are without it. The bucket tells size and checksum of the stored bytes alone, so both forms are noted
 * before a file has its final name: a second copy, and one that goes on, know the file by them.
 */
export interface UnpackedForms {
  /** What the object's file holds, where it was unpacked before; the stored form where it proved to be no gzip. */
  of(object: ObjectInfo): Form | null;
  note(object: ObjectInfo, form: Form): Promise<void>;
  close(): Promise<void>;
}

const keyOf = (one: {
  readonly object: string;
  readonly generation: string;
  readonly stored: { readonly size: number; readonly crc32c: string };
}): string => JSON.stringify([one.object, one.generation, one.stored.size, one.stored.crc32c]);

const keyOfObject = ({ name, generation, size, crc32c }: ObjectInfo): string =>
  keyOf({ object: name, generation, stored: { size, crc32c } });

/** Reads what is known in the folder of a copy's journals; the file is made with the first note. What its disk refuses is a `DiskFault`. */
export async function openUnpackedForms(folder: string, bucket: string): Promise<UnpackedForms> {
  const file = join(folder, UNPACKED_FORMS);
  const disk = { op: 'write the journal of the download', subject: file };
  const known = new Map<string, Form>();
  for (const line of await onDisk(disk, () => readJournal(file))) {
    const parsed = lineSchema.safeParse(line);
    if (parsed.success && parsed.data.bucket === bucket)
      known.set(keyOf(parsed.data), parsed.data.unpacked);
  }
  let journal: Promise<Journal> | null = null;
  return {
    of: (object) => known.get(keyOfObject(object)) ?? null,
    async note(object, unpacked) {
      const { name, generation, size, crc32c } = object;
      const line = { bucket, object: name, generation, stored: { size, crc32c }, unpacked };
      await onDisk(disk, async () => {
        journal ??= openJournal(file, false);
        await (await journal).append(line);
      });
      known.set(keyOfObject(object), unpacked);
    },
    async close() {
      await (await journal)?.close();
    },
  };
}
