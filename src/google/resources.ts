/**
 * The one place that knows the kinds of resources in a bucket, how each is named in conditions, and which kind a permission is checked on
 * (https://cloud.google.com/iam/docs/conditions-resource-attributes).
 *
 * - `objects`: in every bucket.
 * - `folders`: in a bucket with hierarchical namespace. The first object below a folder that is not there makes the folder, too.
 * - `managedFolders`: what carries a policy of its own below a bucket.
 */
export const RESOURCE_KINDS = ['objects', 'folders', 'managedFolders'] as const;
export type ResourceKind = (typeof RESOURCE_KINDS)[number];

/** What creating objects below a prefix makes: the objects, and in a bucket with hierarchical namespace the folders that they lie in. */
export const CREATED_KINDS: readonly ResourceKind[] = ['objects', 'folders'];
/** What downloading needs: reading objects. Folders are neither read nor listed by themselves. */
export const READ_KINDS: readonly ResourceKind[] = ['objects'];

/** Whether a name can stand inside a condition's expression, which is code. */
export function isExpressible(name: string): boolean {
  return !/['"\\\p{Cc}\p{Cs}\p{Zl}\p{Zp}]/u.test(name);
}

/** A bucket as conditions name it. */
export function bucketResource(bucket: string): string {
  return `projects/_/buckets/${bucket}`;
}

/** What lies in a bucket as conditions name it: `projects/_/buckets/B/objects/NAME`. */
export function resourceName(bucket: string, kind: ResourceKind, name: string): string {
  return `${bucketResource(bucket)}/${kind}/${name}`;
}

/** The kind of resource that a permission is checked on: listing, and all that is not below a bucket, on the bucket itself. Pure. */
export function kindOfPermission(permission: string): ResourceKind | 'bucket' {
  const [service, kind, verb] = permission.split('.');
  if (service !== 'storage' || verb === 'list') return 'bucket';
  // Uploads in parts are checked on the object that they become.
  if (kind === 'multipartUploads') return 'objects';
  return RESOURCE_KINDS.find((known) => known === kind) ?? 'bucket';
}

type Quote = '"' | "'";

/**
 * The expression that holds for everything of these kinds below a prefix. The prefix is taken as it is: one without a `/` at its end holds for
 * names that only begin like it, too. Null where a name cannot be expressed. Pure.
 */
export function belowExpression(
  bucket: string,
  prefix: string,
  kinds: readonly ResourceKind[],
  quote: Quote = '"',
): string | null {
  if (!isExpressible(bucket) || !isExpressible(prefix)) return null;
  return kinds
    .map(
      (kind) => `resource.name.startsWith(${quote}${resourceName(bucket, kind, prefix)}${quote})`,
    )
    .join(' || ');
}

/** The expression that holds for one object alone. Null where a name cannot be expressed. Pure. */
export function objectExpression(
  bucket: string,
  object: string,
  quote: Quote = '"',
): string | null {
  if (!isExpressible(bucket) || !isExpressible(object)) return null;
  return `resource.name == ${quote}${resourceName(bucket, 'objects', object)}${quote}`;
}

/** The folders above a prefix, the nearest last: `a/` and `a/b/` of `a/b/c/`. Pure. */
export function foldersAbove(prefix: string): readonly string[] {
  const parts = prefix.split('/').slice(0, -2);
  return parts.map((_, index) => `${parts.slice(0, index + 1).join('/')}/`);
}
