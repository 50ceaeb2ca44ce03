import * as z from 'zod';

const bodySchema = z.object({
  error: z.object({
    message: z.string().optional(),
    errors: z
      .array(z.object({ reason: z.string().optional(), message: z.string().optional() }))
      .optional()
      .catch(undefined),
    details: z
      .array(z.object({ reason: z.string().optional() }))
      .optional()
      .catch(undefined),
  }),
});

/** What the body of an error says: Google's JSON, or plain text as the media addresses send it. */
export interface StorageErrorBody {
  readonly message: string;
  /** `errors[].reason` (`forbidden`) and `details[].reason` (`SECURITY_POLICY_VIOLATED`), as Google writes them. */
  readonly reasons: readonly string[];
  /** A web page or nothing: not Cloud Storage's own words. */
  readonly foreign: boolean;
}

export function readErrorBody(body: string): StorageErrorBody {
  let value: unknown;
  try {
    value = JSON.parse(body);
  } catch {
    const foreign = /^\s*</.test(body) && !/<Error>/.test(body);
    return { message: foreign ? '' : body.trim(), reasons: [], foreign };
  }
  const parsed = bodySchema.safeParse(value);
  if (!parsed.success) return { message: '', reasons: [], foreign: false };
  const { message, errors = [], details = [] } = parsed.data.error;
  return {
    message: message ?? errors[0]?.message ?? '',
    reasons: [...errors, ...details].flatMap(({ reason }) => reason ?? []),
    foreign: false,
  };
}

/** What a message may name. Null and undefined: nothing of the kind. */
export interface Named {
  readonly email?: string | null;
  readonly bucket?: string;
  readonly object?: string | undefined;
  readonly prefix?: string | undefined;
}

/** What is asked for in such a message. */
const PERMISSION = /^[a-z][A-Za-z]*(\.[a-z][A-Za-z]*){2}$/;

/**
 * The words of a message without the names in it: accounts, projects, buckets, objects, addresses and whatever stands in quotes. Anybody may call an
 * account or a bucket after a word that Google uses, so only what is left may decide anything. Permissions in quotes stay. Pure.
 */
export function wordsWithoutNames(message: string, named: Named = {}): string {
  const known = [named.object, named.prefix, named.email, named.bucket].filter(
    (name) => typeof name === 'string' && name !== '',
  ) as string[];
  let text = message;
  for (const name of known.sort((a, b) => b.length - a.length))
    text = text.replaceAll(alone(name), ' ');
  return (
    text
      .replace(/(?<![A-Za-z])(['"`])([^'"`\n]*)\1(?![A-Za-z])/g, (_all, _quote, inside: string) =>
        PERMISSION.test(inside) ? ` ${inside} ` : ' ',
      )
      .replace(/\S+@\S+/g, ' ')
      .replace(/\b[a-z]+:\/\/\S+/gi, ' ')
      // "project my-billing", "projects/123", "bucket scope-1": what follows is a name.
      .replace(/\b(projects?|buckets?|objects?|folders?|accounts?)[/ ]+[^\s,;)]+/gi, '$1 ')
  );
}

/** A name where it stands by itself, not within a longer word. */
const alone = (name: string): RegExp =>
  new RegExp(
    `(?<![\\w-])${name.replace(/[.*+?^${}()|[\]\\/-]/g, '\\$&')}(?![\\w-])(?!\\.\\w)`,
    'g',
  );

/** The permission that a message names, outside all names; null where it names none. Pure. */
export function permissionIn(message: string, named: Named = {}): string | null {
  const words = wordsWithoutNames(message, named);
  const found = words.match(
    /\b(storage|serviceusage|resourcemanager|cloudkms|orgpolicy|iam)(\.[a-z][A-Za-z]*){2}\b/,
  );
  return found?.[0] ?? null;
}
