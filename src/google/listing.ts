import * as z from 'zod';
import { isBucketName, utf8Length } from '../shared/address.ts';
import type { ObjectInfo } from '../shared/object-info.ts';
import { fail, ok, problem, type Problem, type Result } from '../shared/problem.ts';
import { askStorage, type StorageAccess } from './client.ts';

const OBJECT_FIELDS =
  'name,size,crc32c,generation,updated,contentType,contentEncoding,md5Hash,componentCount';
const LIST_FIELDS = `nextPageToken,prefixes,items(${OBJECT_FIELDS})`;

/** The most that Cloud Storage gives in one page. */
export const LARGEST_PAGE = 1_000;

/** What may be left out, and is shown to nobody but people: what cannot be read counts as not told. */
const shownText = z.string().nullable().catch(null);

/**
 * An object as the JSON API tells it: 64-bit numbers are text. Nothing but its name must be there: what is left out is not told, for servers leave
 * out zeros. What is there and wrong makes the item an odd one.
 */
const rawObjectSchema = z.object({
  name: z.string().min(1),
  size: z
    .union([
      z.int().min(0),
      z
        .string()
        .regex(/^\d{1,16}$/)
        .transform(Number),
    ])
    .pipe(z.int())
    .nullish(),
  crc32c: z.string().nullish(),
  generation: z.union([z.string(), z.int().transform(String)]).nullish(),
  updated: shownText,
  contentType: shownText,
  contentEncoding: shownText,
  md5Hash: shownText,
  componentCount: z.int().nullable().catch(null),
});

const rawPageSchema = z.object({
  items: z.array(z.unknown()).nullish(),
  prefixes: z.array(z.unknown()).nullish(),
  nextPageToken: z.string().nullish(),
});

function toObjectInfo(raw: z.infer<typeof rawObjectSchema>): ObjectInfo {
  const { md5Hash, size, crc32c, generation, updated, ...rest } = raw;
  return {
    ...rest,
    size: size ?? null,
    crc32c: crc32c ?? '',
    generation: generation ?? '',
    updated: updated ?? '',
    md5: md5Hash,
  };
}

/** How much of an item that is none is quoted. */
const MOST_QUOTED = 160;

/** What is told of an item of a listing that is no object: where it stands, and its beginning. */
function oddItem(item: unknown, before: string | undefined): string {
  const said = JSON.stringify(item).slice(0, MOST_QUOTED);
  const where = before === undefined ? 'the first of its page' : `after ${JSON.stringify(before)}`;
  return `an item that cannot be read, ${where}: ${said}`;
}

/** The objects of a page, and in words what else is among its items: one of them decides nothing for the others. Pure. */
export function readItems(items: readonly unknown[]): {
  readonly objects: readonly ObjectInfo[];
  readonly odd: readonly string[];
} {
  const objects: ObjectInfo[] = [];
  const odd: string[] = [];
  for (const item of items) {
    const raw = rawObjectSchema.safeParse(item);
    if (raw.success) objects.push(toObjectInfo(raw.data));
    else odd.push(oddItem(item, objects.at(-1)?.name));
  }
  return { objects, odd };
}

export interface ListRequest extends StorageAccess {
  readonly bucket: string;
  /** Only names that begin with it; empty for all. */
  readonly prefix: string;
  /** Group what lies below the next `/` into `prefixes`. */
  readonly delimiter: boolean;
  readonly pageToken?: string;
  /** 1 to {@link LARGEST_PAGE}, which is the default. */
  readonly pageSize?: number;
}

export interface ListPage {
  readonly objects: readonly ObjectInfo[];
  /** With `delimiter`: what lies below the prefix and has more below it; each ends with `/`. */
  readonly prefixes: readonly string[];
  /** What is among the items and cannot be read as an object, in words, with where it stands; left out where there is none. */
  readonly odd?: readonly string[];
  /** Null on the last page. */
  readonly nextPageToken: string | null;
}

function bucketNameProblem(bucket: string, op: string): Problem {
  return problem({
    code: 'input.address',
    op,
    subject: bucket,
    message: `"${bucket}" is not a bucket name.`,
    hint: 'Bucket names have 3 to 63 lower case letters, digits, "-", "_" and ".", and begin and end with a letter or digit.',
  });
}

/**
 * One page of a listing. A page may be empty though more follow. Needs `storage.objects.list` on the bucket.
 * Errors: those of `askStorage`, above all `access.list-refused`, whose hint holds the grant to ask for.
 */
export async function listPage(request: ListRequest): Promise<Result<ListPage>> {
  const { bucket, prefix, delimiter, pageToken, pageSize = LARGEST_PAGE } = request;
  const op = 'list objects';
  if (!isBucketName(bucket)) return fail(bucketNameProblem(bucket, op));
  return askStorage(
    request,
    {
      op,
      subject: `gs://${bucket}/${prefix}`,
      bucket,
      prefix,
      permission: 'storage.objects.list',
    },
    async (storage) => {
      const [, , answer] = await storage.bucket(bucket).getFiles({
        autoPaginate: false,
        fields: LIST_FIELDS,
        maxResults: pageSize,
        ...(prefix === '' ? {} : { prefix }),
        ...(delimiter ? { delimiter: '/' } : {}),
        ...(pageToken === undefined ? {} : { pageToken }),
      });
      const page = rawPageSchema.safeParse(answer ?? {});
      if (!page.success) return null;
      const { items, nextPageToken: next } = page.data;
      const { objects, odd } = readItems(items ?? []);
      const prefixes = (page.data.prefixes ?? []).filter(
        (one): one is string => typeof one === 'string' && one !== '',
      );
      // A page of which nothing can be read is none.
      if (odd.length > 0 && objects.length + prefixes.length === 0) return null;
      return {
        objects,
        prefixes,
        ...(odd.length === 0 ? {} : { odd }),
        nextPageToken: next === undefined || next === '' ? null : next,
      };
    },
  );
}

function endlessListing(request: Pick<ListRequest, 'bucket' | 'prefix'>): Problem {
  return problem({
    code: 'network.unexpected-answer',
    op: 'list objects',
    subject: `gs://${request.bucket}/${request.prefix}`,
    message: 'The listing has no end: a page of it points back to one that was read before.',
    hint: 'A proxy may answer with pages that it kept: check the proxy settings, then try again.',
  });
}

/** All pages of a listing, one after the other. A page that failed is the last one given; one that points back to an earlier one has failed. */
export async function* listAll(
  request: Omit<ListRequest, 'pageToken'>,
): AsyncGenerator<Result<ListPage>, void, undefined> {
  let pageToken: string | undefined;
  const asked = new Set<string>();
  while (true) {
    const page = await listPage({ ...request, ...(pageToken === undefined ? {} : { pageToken }) });
    const next = page.ok ? page.value.nextPageToken : null;
    if (next !== null && asked.has(next)) {
      yield fail(endlessListing(request));
      return;
    }
    yield page;
    if (next === null) return;
    asked.add(next);
    pageToken = next;
  }
}

export interface ObjectRequest extends StorageAccess {
  readonly bucket: string;
  readonly name: string;
  /** Decimal; the live one where it is left out. */
  readonly generation?: string;
}

/** Whether Cloud Storage can have an object of this name (https://cloud.google.com/storage/docs/objects#naming). */
export function isObjectName(name: string): boolean {
  return (
    name !== '' &&
    name !== '.' &&
    name !== '..' &&
    utf8Length(name) <= 1_024 &&
    !/[\r\n\p{Cs}]/u.test(name) &&
    !name.startsWith('.well-known/acme-challenge/')
  );
}

/**
 * Whether the refusal of a read says that the object is not there: so Google says it to whoever may read that object and not list the bucket, as a
 * token narrowed to a prefix may not. Of listings it says nothing. Pure.
 */
export const saysAbsent = ({ code }: Problem): boolean =>
  code === 'storage.object-not-found' || code === 'access.list-refused';

/**
 * What Cloud Storage tells of one object. Needs `storage.objects.get` on it.
 * Errors: `input.object-name`, `storage.object-not-found` (also where the account may read and not list), `access.get-refused`, and those of `askStorage`.
 */
export async function getObject(request: ObjectRequest): Promise<Result<ObjectInfo>> {
  const { bucket, name, generation } = request;
  const op = 'look at an object';
  if (!isBucketName(bucket)) return fail(bucketNameProblem(bucket, op));
  const subject = `gs://${bucket}/${name}`;
  if (!isObjectName(name))
    return fail(
      problem({
        code: 'input.object-name',
        op,
        subject,
        message: 'No object can have this name.',
        hint: 'Names have 1 to 1,024 bytes, no line break, and are not "." or "..".',
      }),
    );
  const found = await askStorage(
    request,
    { op, subject, bucket, object: name, permission: 'storage.objects.get' },
    async (storage) => {
      const file = storage
        .bucket(bucket)
        .file(name, generation === undefined ? {} : { generation });
      const [metadata] = await file.getMetadata({ fields: OBJECT_FIELDS });
      const raw = rawObjectSchema.safeParse(metadata);
      return raw.success ? toObjectInfo(raw.data) : null;
    },
  );
  return found.ok ? ok(found.value) : found;
}
