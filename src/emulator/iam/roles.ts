/**
 * Permissions of the predefined roles, as far as they concern storage and projects
 * (https://cloud.google.com/storage/docs/access-control/iam-roles).
 */
const each = (resource: string, verbs: string): string[] =>
  verbs.split(' ').map((verb) => `${resource}.${verb}`);

const projectView = each('resourcemanager.projects', 'get list');
const folders = (verbs: string): string[] => each('storage.folders', verbs);
const managedFolders = (verbs: string): string[] => each('storage.managedFolders', verbs);
const uploads = (verbs: string): string[] => each('storage.multipartUploads', verbs);
const objects = (verbs: string): string[] => each('storage.objects', verbs);
const buckets = (verbs: string): string[] => each('storage.buckets', verbs);

const everyObject =
  'create delete get getIamPolicy list move overrideUnlockedRetention restore setIamPolicy setRetention update';
const everyBucket =
  'create createTagBinding delete deleteTagBinding enableObjectRetention get getIamPolicy getIpFilter getObjectInsights list listEffectiveTags listTagBindings relocate restore setIamPolicy setIpFilter update';

const legacyBucketReader = [
  ...buckets('get'),
  ...objects('list'),
  ...managedFolders('get list'),
  ...folders('get list'),
  ...uploads('list'),
];
const legacyBucketWriter = [
  ...legacyBucketReader,
  ...objects('create delete restore setRetention'),
  ...managedFolders('create delete'),
  ...folders('create delete rename'),
  ...uploads('abort create listParts'),
];

const PREDEFINED: Readonly<Record<string, ReadonlySet<string>>> = {
  'roles/storage.objectViewer': new Set([
    ...projectView,
    ...folders('get list'),
    ...managedFolders('get list'),
    ...objects('get list'),
  ]),
  'roles/storage.objectCreator': new Set([
    ...projectView,
    'orgpolicy.policy.get',
    ...folders('create'),
    ...managedFolders('create'),
    ...uploads('abort create listParts'),
    ...objects('create'),
  ]),
  'roles/storage.objectUser': new Set([
    ...projectView,
    'orgpolicy.policy.get',
    ...folders('create delete get list rename'),
    ...managedFolders('create delete get list'),
    ...uploads('abort create list listParts'),
    ...objects('create delete get list move restore update'),
  ]),
  'roles/storage.objectAdmin': new Set([
    ...projectView,
    'orgpolicy.policy.get',
    ...folders('create delete get list rename'),
    ...managedFolders('create delete get getIamPolicy list setIamPolicy'),
    ...uploads('abort create list listParts'),
    ...objects(everyObject),
  ]),
  'roles/storage.admin': new Set([
    ...projectView,
    'orgpolicy.policy.get',
    'firebase.projects.get',
    ...buckets(everyBucket),
    ...folders('create delete get list rename'),
    ...managedFolders('create delete get getIamPolicy list setIamPolicy'),
    ...uploads('abort create list listParts'),
    ...objects(everyObject),
  ]),
  'roles/storage.bucketViewer': new Set(buckets('get list')),
  'roles/storage.legacyBucketReader': new Set(legacyBucketReader),
  'roles/storage.legacyBucketWriter': new Set(legacyBucketWriter),
  'roles/storage.legacyBucketOwner': new Set([
    ...legacyBucketWriter,
    ...buckets('enableObjectRetention getIamPolicy setIamPolicy update'),
    ...managedFolders('getIamPolicy setIamPolicy'),
  ]),
  'roles/storage.legacyObjectReader': new Set(objects('get')),
  'roles/storage.legacyObjectOwner': new Set(
    objects('get getIamPolicy overrideUnlockedRetention setIamPolicy setRetention update'),
  ),
};

export const PREDEFINED_ROLES: readonly string[] = Object.keys(PREDEFINED);

/** `service.resource.verb`. */
const PERMISSION = /^[a-z][a-zA-Z0-9]*(\.[a-zA-Z][a-zA-Z0-9]*){2,}$/;

export function isPermission(text: string): boolean {
  return PERMISSION.test(text);
}

/** Custom roles by full name (`projects/P/roles/ID`). */
export type CustomRoles = ReadonlyMap<string, ReadonlySet<string>>;

/**
 * The permissions of a role: predefined, custom, or a bare permission as a custom role of one. `null`: no such role.
 */
export function permissionsOf(role: string, custom: CustomRoles): ReadonlySet<string> | null {
  if (Object.hasOwn(PREDEFINED, role)) return PREDEFINED[role] ?? null;
  return custom.get(role) ?? (isPermission(role) ? new Set([role]) : null);
}
