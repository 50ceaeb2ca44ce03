import * as z from 'zod';
import { openJournal, readJournal, type Journal } from './journal.ts';

/** What a file was when it was read: the same size and time mean the same bytes. */
const fingerprint = {
  /** The object's name. */
  name: z.string(),
  /** Below the source folder; empty for bytes that are no file. */
  path: z.string(),
  size: z.number(),
  mtimeMs: z.number(),
};

const beginSchema = z.object({
  format: z.literal(1),
  kind: z.literal('begin'),
  bucket: z.string(),
});
const intentSchema = z.object({ kind: z.literal('intent'), ...fingerprint });
const sessionSchema = z.object({ kind: z.literal('session'), ...fingerprint, address: z.string() });
const doneSchema = z.object({
  kind: z.literal('done'),
  ...fingerprint,
  crc32c: z.string(),
  generation: z.string().nullable(),
  assumed: z.boolean(),
});

/** The object is not there any more; or, `taken`, what has its name is another one, or this one as it arrived damaged. */
const forgottenSchema = z.object({
  kind: z.literal('forgotten'),
  name: z.string(),
  taken: z.boolean(),
});

const completedSchema = doneSchema.omit({ kind: true });

export type Fingerprint = Readonly<{ name: string; path: string; size: number; mtimeMs: number }>;
export type CompletedUpload = Readonly<z.infer<typeof completedSchema>>;

/** What a look into the bucket changes in a journal. */
export type Amendment =
  Readonly<z.infer<typeof forgottenSchema>> | Readonly<z.infer<typeof doneSchema>>;

interface Attempted {
  readonly intents: readonly Fingerprint[];
  readonly session: (Fingerprint & { readonly address: string }) | null;
  readonly done: CompletedUpload | null;
  /** What has the name was seen not to be the file's bytes: it is never taken as this run's. */
  readonly taken: boolean;
}

const NOTHING: Attempted = { intents: [], session: null, done: null, taken: false };

/** What earlier attempts, and this one, did: kept on the disk (0600: a session's address is a credential). */
export interface UploadJournal {
  of(name: string): Attempted;
  completed(): readonly CompletedUpload[];
  intent(file: Fingerprint): Promise<void>;
  session(file: Fingerprint, address: string): Promise<void>;
  done(file: CompletedUpload): Promise<void>;
  /** What has the name is not what was sent, whoever attempts it again. */
  taken(name: string): Promise<void>;
  close(): Promise<void>;
}

export const sameFingerprint = (a: Fingerprint, b: Fingerprint): boolean =>
  a.name === b.name && a.path === b.path && a.size === b.size && a.mtimeMs === b.mtimeMs;

/** Reads the lines that concern one bucket: a journal may have served several. */
function collect(lines: readonly unknown[], bucket: string): Map<string, Attempted> {
  const known = new Map<string, Attempted>();
  let ours = false;
  const add = (name: string, change: (before: Attempted) => Attempted) =>
    known.set(name, change(known.get(name) ?? NOTHING));
  for (const line of lines) {
    const begin = beginSchema.safeParse(line);
    if (begin.success) ours = begin.data.bucket === bucket;
    if (!ours) continue;
    const intent = intentSchema.safeParse(line);
    if (intent.success)
      add(intent.data.name, (before) => ({ ...before, intents: [...before.intents, intent.data] }));
    const session = sessionSchema.safeParse(line);
    if (session.success) add(session.data.name, (before) => ({ ...before, session: session.data }));
    const done = doneSchema.safeParse(line);
    if (done.success) {
      const completed = completedSchema.parse(done.data);
      add(done.data.name, (before) => ({ ...before, done: completed }));
    }
    const forgotten = forgottenSchema.safeParse(line);
    if (forgotten.success) {
      const { name, taken } = forgotten.data;
      add(name, (before) => forget(before, taken));
    }
  }
  return known;
}

/** What was attempted stays known: an upload that gets no answer is told from somebody else's object by it. */
const forget = (before: Attempted, taken: boolean): Attempted => ({
  intents: before.intents,
  session: null,
  done: null,
  taken: before.taken || taken,
});

/** Writes down what a look into the bucket found, all on the disk when it resolves. */
export async function amendUploads(
  path: string,
  bucket: string,
  amendments: readonly Amendment[],
): Promise<void> {
  if (amendments.length === 0) return;
  const journal = await openJournal(path, true, { format: 1, kind: 'begin', bucket });
  await Promise.all(amendments.map((line) => journal.append(line)));
  await journal.close();
}

/** What a journal says is in the bucket; nothing where there is no journal. */
export async function readCompletedUploads(
  path: string,
  bucket: string,
): Promise<readonly CompletedUpload[]> {
  return [...collect(await readJournal(path), bucket).values()].flatMap(({ done }) =>
    done === null ? [] : [done],
  );
}

/** Opens the journal of an upload. Every line is on the disk before the request that it speaks of is sent. */
export async function openUploadJournal(path: string, bucket: string): Promise<UploadJournal> {
  const known = collect(await readJournal(path), bucket);
  const begin = { format: 1, kind: 'begin', bucket };
  const journal: Journal = await openJournal(path, true, begin);
  const of = (name: string): Attempted => known.get(name) ?? NOTHING;
  return {
    of,
    completed: () => [...known.values()].flatMap(({ done }) => (done === null ? [] : [done])),
    async intent(file) {
      const before = of(file.name);
      if (!before.intents.some((one) => sameFingerprint(one, file)))
        known.set(file.name, { ...before, intents: [...before.intents, file] });
      await journal.append({ kind: 'intent', ...file });
    },
    async session(file, address) {
      known.set(file.name, { ...of(file.name), session: { ...file, address } });
      await journal.append({ kind: 'session', ...file, address });
    },
    async done(file) {
      known.set(file.name, { ...of(file.name), done: file });
      await journal.append({ kind: 'done', ...file });
    },
    async taken(name) {
      known.set(name, forget(of(name), true));
      await journal.append({ kind: 'forgotten', name, taken: true });
    },
    close: () => journal.close(),
  };
}
