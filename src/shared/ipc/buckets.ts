import * as z from 'zod';
import { objectInfoSchema } from '../object-info.ts';
import { call } from './contract.ts';

/** What the window asks of buckets. A key is named by the id of its card; null sends no credential. */

/** The most that one look into an object brings: whole small images; other kinds ask for less. Bytes. */
export const MAX_PREVIEW_BYTES = 4_194_304;
/** Of what is not an image, this much is looked at. Bytes. */
export const PREVIEW_BYTES = 65_536;
/** The most matches of one search. */
export const MAX_MATCHES = 1_000;
/** The most paths that one drop uploads. */
export const MAX_DROPPED = 1_000;

const nothing = z.undefined();
/** `gs://bucket/...`: checked by the main process, which says what is wrong with it. */
const address = z.string().max(2_048);
const key = z.string().min(1).max(256).nullable();
const place = { address, key };
const id = z.string().min(1).max(128);
/** Names a count or a search, so that its events are told apart and it can be stopped. */
const walk = z.uuid();
const path = z.string().min(1).max(4_096);

/** Names a question that somebody waits for, so that it can be taken back and its news are told apart. */
const question = z.uuid();

const walkedSchema = z.object({
  objects: z.int(),
  bytes: z.number(),
  /** Of how many the size is not told. */
  untold: z.int().exactOptional(),
});

const bookmarkSchema = z.object({
  id: z.string(),
  address: z.string(),
  key: z.string().nullable(),
  addedAt: z.string(),
});
export type BucketBookmark = Readonly<z.infer<typeof bookmarkSchema>>;

const pageSchema = z.object({
  objects: z.array(objectInfoSchema),
  /** Each ends with `/`. */
  prefixes: z.array(z.string()),
  /** Items of the page that are no objects, in words. */
  odd: z.array(z.string()).exactOptional(),
  nextPageToken: z.string().nullable(),
});
export type BucketPage = Readonly<z.infer<typeof pageSchema>>;

const started = z.object({
  /** The runs that were started; none where the user changed their mind. */
  ids: z.array(z.string()),
});

export const BUCKET_CALLS = {
  /**
   * One page of what lies directly below a prefix. This and the next two answer within ten seconds, with `network.*` where nothing came by
   * then; `buckets-retried` tells of the attempts before, `buckets-cancel` ends them with `job.cancelled`.
   */
  'buckets-list': call(
    z.strictObject({ ...place, question, pageToken: z.string().min(1).max(8_192).nullable() }),
    pageSchema,
  ),
  /** One object's metadata; the address is its name, byte for byte. */
  'buckets-object': call(z.strictObject({ ...place, question }), objectInfoSchema),
  /** Takes a question back. */
  'buckets-cancel': call(z.strictObject({ question }), nothing),
  /** The first bytes of one object, of the generation that was listed. */
  'buckets-preview': call(
    z.strictObject({
      ...place,
      question,
      generation: z.string().regex(/^\d{1,20}$/),
      maxBytes: z.int().min(1).max(MAX_PREVIEW_BYTES),
    }),
    z.object({ bytes: z.instanceof(Uint8Array), complete: z.boolean() }),
  ),
  /** Counts everything below a prefix, telling with `buckets-walked` how far it is. One at a time: another one stops it. */
  'buckets-measure': call(z.strictObject({ ...place, walk }), walkedSchema),
  /** Looks through the names of everything below a prefix; likewise. */
  'buckets-search': call(
    z.strictObject({ ...place, walk, text: z.string().min(1).max(1_024) }),
    walkedSchema.extend({ matches: z.array(objectInfoSchema), more: z.boolean() }),
  ),
  'buckets-stop-walk': call(z.strictObject({ walk }), nothing),
  'buckets-bookmarks': call(z.strictObject({}), z.array(bookmarkSchema)),
  'buckets-add-bookmark': call(z.strictObject(place), nothing),
  'buckets-remove-bookmark': call(z.strictObject({ id }), nothing),
  /** Asks the user for a folder, then downloads a folder's contents or one object into it, as a run. */
  'buckets-download': call(
    z.strictObject({ ...place, what: z.enum(['folder', 'object']) }),
    started,
  ),
  /** Uploads dropped files and folders to below a prefix, a run for each folder they come from. */
  'buckets-upload': call(
    z.strictObject({ ...place, paths: z.array(path).min(1).max(MAX_DROPPED) }),
    started,
  ),
  /** Asks the user for files or folders, then uploads them. */
  'buckets-pick-upload': call(
    z.strictObject({ ...place, what: z.enum(['files', 'folders']) }),
    started,
  ),
} as const;

export const BUCKET_EVENTS = {
  /** A question had no answer yet: why, and how many attempts have failed. It is asked again by itself. */
  'buckets-retried': z.object({ question: z.string(), failed: z.int(), message: z.string() }),
  /** How far a count or a search is; `matches` are new ones. */
  'buckets-walked': walkedSchema.extend({ walk: z.string(), matches: z.array(objectInfoSchema) }),
} as const;
