/**
 * The grants that a permission asks for, in words and as conditions. A condition's expression is code: a name that could break out of
 * its quotes is never put into one.
 */

const PREDEFINED = {
  'storage.objects.get': 'Storage Object Viewer (roles/storage.objectViewer)',
  'storage.objects.create': 'Storage Object Creator (roles/storage.objectCreator)',
} as const;

/** Whether a name can stand inside a condition's expression. */
export function isExpressible(name: string): boolean {
  return !/['"\\\p{Cc}\p{Cs}\p{Zl}\p{Zp}]/u.test(name);
}

/** The condition that narrows a role to everything below a prefix; a missing `/` at its end is added. Null where it cannot be expressed. */
export function prefixCondition(bucket: string, prefix: string): string | null {
  if (!isExpressible(bucket) || !isExpressible(prefix)) return null;
  const closed = prefix === '' || prefix.endsWith('/') ? prefix : `${prefix}/`;
  return `resource.name.startsWith("projects/_/buckets/${bucket}/objects/${closed}")`;
}

/** The condition that narrows a role to one object. Null where it cannot be expressed. */
export function objectCondition(bucket: string, object: string): string | null {
  if (!isExpressible(bucket) || !isExpressible(object)) return null;
  return `resource.name == "projects/_/buckets/${bucket}/objects/${object}"`;
}

/** What a grant is for. With `prefix` everything below it, with `object` that one, with neither the whole bucket. */
export interface GrantSubject {
  readonly bucket: string;
  readonly prefix?: string;
  readonly object?: string;
  readonly email: string | null;
}

function conditionOf(subject: GrantSubject): string | null {
  if (subject.prefix !== undefined)
    return subject.prefix === '' ? null : prefixCondition(subject.bucket, subject.prefix);
  return subject.object === undefined ? null : objectCondition(subject.bucket, subject.object);
}

/** One sentence that asks for exactly what `permission` needs: the role, where it goes, and its condition. */
export function askForGrant(permission: string, subject: GrantSubject): string {
  const whom = subject.email === null ? 'the account' : subject.email;
  const where = `on the bucket gs://${subject.bucket} for ${whom}`;
  const narrowed = (role: string): string => {
    const condition = conditionOf(subject);
    return condition === null
      ? `Ask for the role ${role} ${where}.`
      : `Ask for the role ${role} ${where}, with the condition ${condition}.`;
  };
  switch (permission) {
    case 'storage.objects.list':
      return `Ask for a custom role that holds only storage.objects.list ${where}, without a condition: listing is checked on the bucket, so a condition on objects never allows it.`;
    case 'storage.objects.get':
    case 'storage.objects.create':
      return narrowed(PREDEFINED[permission]);
    case 'serviceusage.services.use':
      return `Ask for the role Service Usage Consumer (roles/serviceusage.serviceUsageConsumer), which holds ${permission}, on the project for ${whom}.`;
    default:
      return permission.startsWith('storage.objects.')
        ? narrowed(`that holds ${permission} (a custom role of it alone)`)
        : `Ask for a custom role that holds only ${permission} ${where}.`;
  }
}
