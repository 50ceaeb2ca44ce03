import { refuse, type ErrorReply } from '../reply.ts';
import { isWithin, type Boundary } from './boundary.ts';
import { holds, type Subject } from './expression.ts';
import type { Policy } from './policy.ts';
import { permissionsOf, type CustomRoles } from './roles.ts';

/** Who asks. `everyone-allowed`: a request without a token while the emulator is open. */
export type Principal =
  | { readonly kind: 'everyone-allowed' }
  | { readonly kind: 'anonymous' }
  | {
      readonly kind: 'account';
      readonly email: string;
      readonly scopes: readonly string[];
      /** What its token may do at most; null: all that the account may. */
      readonly boundary: Boundary | null;
    };

/** What is asked for. `listPrefix`: the prefix of a listing. */
export type Resource =
  | { readonly kind: 'project' }
  | { readonly kind: 'bucket'; readonly bucket: string; readonly listPrefix?: string }
  | { readonly kind: 'object' | 'folder'; readonly bucket: string; readonly name: string };

export interface AccessRules {
  readonly admins: ReadonlySet<string>;
  readonly roles: CustomRoles;
  /** `api.getAttribute(objectListPrefix)` is answered in allow policies. */
  readonly evaluateListPrefix: boolean;
  /** Holds for the project and everything below it. */
  readonly projectPolicy: Policy;
  readonly bucketPolicy: (bucket: string) => Policy | null;
  /** The policies of the managed folders above an object, or above the prefix of a listing. */
  readonly folderPolicies: (bucket: string, path: string) => readonly Policy[];
  /** Narrowed tokens serve only buckets with uniform bucket-level access. */
  readonly hasUniformAccess: (bucket: string) => boolean;
}

const STORAGE = 'storage.googleapis.com';
const SCOPE = 'https://www.googleapis.com/auth/';

function subjectOf(resource: Resource, evaluateListPrefix: boolean): Subject {
  switch (resource.kind) {
    case 'project':
      return {
        name: 'projects/_',
        type: 'cloudresourcemanager.googleapis.com/Project',
        service: 'cloudresourcemanager.googleapis.com',
        listPrefix: null,
      };
    case 'bucket':
      return {
        name: `projects/_/buckets/${resource.bucket}`,
        type: `${STORAGE}/Bucket`,
        service: STORAGE,
        listPrefix: evaluateListPrefix ? (resource.listPrefix ?? null) : null,
      };
    case 'folder':
      return {
        name: `projects/_/buckets/${resource.bucket}/folders/${resource.name}`,
        type: `${STORAGE}/Folder`,
        service: STORAGE,
        listPrefix: null,
      };
    case 'object':
      return {
        name: `projects/_/buckets/${resource.bucket}/objects/${resource.name}`,
        type: `${STORAGE}/Object`,
        service: STORAGE,
        listPrefix: null,
      };
  }
}

/** What lies in managed folders: objects, folders, and listings of a prefix. */
function pathOf(resource: Resource): string | null {
  if (resource.kind === 'object' || resource.kind === 'folder') return resource.name;
  return resource.kind === 'bucket' ? (resource.listPrefix ?? null) : null;
}

function isMember(member: string, principal: Principal): boolean {
  if (member === 'allUsers') return true;
  if (principal.kind !== 'account') return false;
  if (member === 'allAuthenticatedUsers') return true;
  const known = member.toLowerCase();
  const email = principal.email.toLowerCase();
  return known === `serviceaccount:${email}` || known === `user:${email}`;
}

/** Whether the principal holds the permission on the resource, by its grants and its token's boundary (scopes are another matter). */
export function isGranted(
  rules: AccessRules,
  principal: Principal,
  permission: string,
  resource: Resource,
): boolean {
  if (principal.kind === 'everyone-allowed') return true;
  if (principal.kind === 'account' && principal.boundary !== null) {
    // A boundary knows buckets and what is in them, nothing of projects.
    if (resource.kind === 'project' || !rules.hasUniformAccess(resource.bucket)) return false;
    const subject = subjectOf(resource, true);
    if (!isWithin(principal.boundary, permission, resource.bucket, subject)) return false;
  }
  if (principal.kind === 'account' && rules.admins.has(principal.email.toLowerCase())) return true;
  const bucketPolicy = resource.kind === 'project' ? null : rules.bucketPolicy(resource.bucket);
  const path = pathOf(resource);
  const folderPolicies =
    resource.kind === 'project' || path === null ? [] : rules.folderPolicies(resource.bucket, path);
  const subject = subjectOf(resource, rules.evaluateListPrefix);
  return [rules.projectPolicy, bucketPolicy, ...folderPolicies].some(
    (policy) =>
      policy?.bindings.some(
        ({ role, members, condition }) =>
          members.some((member) => isMember(member, principal)) &&
          permissionsOf(role, rules.roles)?.has(permission) === true &&
          (condition === null || holds(condition.program, subject)),
      ) === true,
  );
}

/** The scopes that let a token use a permission (https://cloud.google.com/storage/docs/oauth-scopes). */
function scopeAllows(scopes: readonly string[], permission: string): boolean {
  const reads = /\.(get|list|listParts)$/.test(permission);
  const policies = /IamPolicy$/.test(permission);
  return scopes.some((scope) => {
    if (scope === `${SCOPE}cloud-platform` || scope === `${SCOPE}devstorage.full_control`)
      return true;
    if (scope === `${SCOPE}devstorage.read_write`) return !policies;
    if (scope === `${SCOPE}devstorage.read_only` || scope === `${SCOPE}cloud-platform.read-only`)
      return reads;
    return false;
  });
}

const insufficientScopes = (): ErrorReply =>
  refuse(403, 'insufficientPermissions', 'Request had insufficient authentication scopes.', {
    'www-authenticate':
      'Bearer realm="https://accounts.google.com/", error="insufficient_scope", scope="https://www.googleapis.com/auth/devstorage.full_control https://www.googleapis.com/auth/devstorage.read_write"',
  });

const WHAT = {
  project: 'Google Cloud project',
  bucket: 'Google Cloud Storage bucket',
  object: 'Google Cloud Storage object',
  folder: 'Google Cloud Storage folder',
} as const;

/** The refusal of a permission in Google's words: 401 for a caller without a token, else 403. */
export function denial(
  principal: Principal,
  permission: string,
  kind: Resource['kind'],
): ErrorReply {
  const tail = `does not have ${permission} access to the ${WHAT[kind]}. Permission '${permission}' denied on resource (or it may not exist).`;
  return principal.kind === 'account'
    ? refuse(403, 'forbidden', `${principal.email} ${tail}`)
    : refuse(401, 'required', `Anonymous caller ${tail}`, {
        'www-authenticate': 'Bearer realm="https://accounts.google.com/"',
      });
}

/** `null` when allowed, else the refusal to answer. Checked: the token's scope, then the grants. */
export function authorize(
  rules: AccessRules,
  principal: Principal,
  permission: string,
  resource: Resource,
): ErrorReply | null {
  if (principal.kind === 'account' && !scopeAllows(principal.scopes, permission))
    return insufficientScopes();
  return isGranted(rules, principal, permission, resource)
    ? null
    : denial(principal, permission, resource.kind);
}
