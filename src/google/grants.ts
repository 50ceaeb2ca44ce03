import { asPrefix } from '../shared/address.ts';
import {
  belowExpression,
  CREATED_KINDS,
  isExpressible,
  kindOfPermission,
  objectExpression,
  READ_KINDS,
  type ResourceKind,
} from './resources.ts';

/**
 * The grants that a permission asks for, in words and as conditions. A condition's expression is code: a name that could break out of
 * its quotes is never put into one.
 */

const VIEWER = 'Storage Object Viewer (roles/storage.objectViewer)';
const CREATOR = 'Storage Object Creator (roles/storage.objectCreator)';
/** The least role that holds a permission, where there is one that fits. */
const PREDEFINED: Readonly<Record<string, string>> = {
  'storage.objects.get': VIEWER,
  'storage.objects.create': CREATOR,
  'storage.folders.get': VIEWER,
  'storage.managedFolders.create': CREATOR,
  'storage.managedFolders.get': VIEWER,
};

export { isExpressible };

/** The condition that narrows a role to everything of these kinds below a prefix; a missing `/` at its end is added. Null where it cannot be expressed. */
export function prefixCondition(
  bucket: string,
  prefix: string,
  kinds: readonly ResourceKind[] = READ_KINDS,
): string | null {
  return belowExpression(bucket, asPrefix(prefix), kinds);
}

/** The condition that narrows a role to one object. Null where it cannot be expressed. */
export const objectCondition = objectExpression;

/** What a grant is for. With `prefix` everything below it, with `object` that one, with neither the whole bucket. */
export interface GrantSubject {
  readonly bucket: string;
  readonly prefix?: string;
  readonly object?: string;
  readonly email: string | null;
}

/** The folder that an object lies in: `a/` of `a/b`, empty for the bucket itself. */
const folderOf = (object: string): string => object.slice(0, object.lastIndexOf('/') + 1);

/** On what a permission is to be granted: its own kind of resource; whoever may create objects also makes the folders that they lie in. */
function kindsFor(permission: string): readonly ResourceKind[] {
  if (permission === 'storage.objects.create') return CREATED_KINDS;
  const kind = kindOfPermission(permission);
  return kind === 'bucket' ? [] : [kind];
}

function conditionOf(permission: string, subject: GrantSubject): string | null {
  const { bucket, prefix, object } = subject;
  const kinds = kindsFor(permission);
  if (kinds.length === 0) return null;
  const onObjects = kinds[0] === 'objects';
  if (prefix === undefined && object !== undefined && onObjects)
    return objectExpression(bucket, object);
  const below = asPrefix(prefix ?? folderOf(object ?? ''));
  return below === '' ? null : belowExpression(bucket, below, kinds);
}

/** One sentence that asks for exactly what `permission` needs: the role, where it goes, and its condition. Pure. */
export function askForGrant(permission: string, subject: GrantSubject): string {
  const whom = subject.email === null ? 'the account' : subject.email;
  const where = `on the bucket gs://${subject.bucket} for ${whom}`;
  if (permission === 'storage.objects.list')
    return `Ask for a custom role that holds only storage.objects.list ${where}, without a condition: listing is checked on the bucket, so a condition on objects never allows it.`;
  if (permission === 'serviceusage.services.use')
    return `Ask for the role Service Usage Consumer (roles/serviceusage.serviceUsageConsumer), which holds ${permission}, on the project for ${whom}.`;
  const condition = conditionOf(permission, subject);
  const narrowed = condition === null ? '' : `, with the condition ${condition}`;
  // The role for creating objects holds it, and the account has that: its condition is what does not cover folders.
  if (permission === 'storage.folders.create')
    return `Ask for ${permission} ${where}${narrowed}: the grant for creating objects holds it, once its condition covers folders, too.`;
  const role = PREDEFINED[permission];
  const held = permission.startsWith('storage.objects.') ? '' : `, which holds ${permission},`;
  return role === undefined
    ? `Ask for a custom role that holds only ${permission} ${where}${narrowed}.`
    : `Ask for the role ${role}${held} ${where}${narrowed}.`;
}
