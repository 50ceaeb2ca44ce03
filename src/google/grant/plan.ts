import type { GrantBinding, GrantPlan, GrantWish } from '../../shared/grant.ts';
import { ok, type Result } from '../../shared/problem.ts';
import { objectCondition, prefixCondition } from '../grants.ts';
import { CREATED_KINDS, foldersAbove } from '../resources.ts';
import { checkWish, type CheckedWish, type WantedInput } from './wish.ts';

/** The role that holds nothing but the listing; made in the bucket's project. */
export const LISTER_ROLE = {
  id: 'trainyardObjectLister',
  title: 'Trainyard Object Lister',
  permissions: ['storage.objects.list'],
} as const;

const VIEWER = { role: 'roles/storage.objectViewer', roleTitle: 'Storage Object Viewer' } as const;
const CREATOR = {
  role: 'roles/storage.objectCreator',
  roleTitle: 'Storage Object Creator',
} as const;

/** Names were checked before: a condition that cannot be expressed is a bug. */
function certain(expression: string | null): string {
  if (expression === null) throw new Error('A name that cannot be expressed was not refused.');
  return expression;
}

/** The condition on what may be read. */
function readCondition(input: WantedInput): GrantBinding['condition'] {
  const { bucket, object, prefix } = input;
  const one = (): string => certain(objectCondition(bucket, object));
  const below = (): string => certain(prefixCondition(bucket, prefix));
  switch (input.kind) {
    case 'archive':
      return { title: 'trainyard-input-object', expression: one() };
    case 'either':
      return { title: 'trainyard-input', expression: `${one()} || ${below()}` };
    case 'folder':
      return prefix === '' ? null : { title: 'trainyard-input', expression: below() };
  }
}

/** What may be read, in words. */
function readWords({ kind, object, prefix }: WantedInput): string {
  switch (kind) {
    case 'archive':
      return `the one object ${object}`;
    case 'either':
      return `the object ${object} and the objects below ${prefix}`;
    case 'folder':
      return prefix === '' ? 'every object of the bucket' : `the objects below ${prefix}`;
  }
}

function inputBindings(input: WantedInput, wish: CheckedWish): readonly GrantBinding[] {
  const { bucket, kind, prefix } = input;
  const whole = kind === 'folder' && prefix === '';
  const read: GrantBinding = {
    purpose: 'read',
    bucket,
    managedFolder: null,
    ...VIEWER,
    condition: readCondition(input),
    why: whole
      ? 'to list and download every object of the bucket'
      : `to download ${readWords(input)}`,
  };
  // One object is not listed; a role on the whole bucket lists it too.
  if (kind === 'archive' || whole) return [read];
  switch (wish.variant) {
    case 'managed-folder':
      return [
        {
          ...read,
          managedFolder: prefix,
          condition: null,
          why: `to list and download the objects below ${prefix}`,
        },
      ];
    case 'list-prefix':
      return [
        read,
        {
          ...read,
          purpose: 'list',
          condition: {
            title: 'trainyard-input-list',
            expression: `api.getAttribute("storage.googleapis.com/objectListPrefix", "").startsWith("${prefix}")`,
          },
          why: `to list the names below ${prefix}, and no others`,
        },
      ];
    case 'custom-role':
      return [
        read,
        {
          ...read,
          purpose: 'list',
          role: LISTER_ROLE.id,
          roleTitle: LISTER_ROLE.title,
          condition: null,
          why: `to list the names below ${prefix}: listing is checked on the bucket, so a condition on objects never allows it`,
        },
      ];
  }
}

function outputBinding(
  output: NonNullable<CheckedWish['output']>,
  wish: CheckedWish,
): GrantBinding {
  const { bucket, prefix } = output;
  const inFolder = wish.variant === 'managed-folder' && prefix !== '';
  return {
    purpose: 'write',
    bucket,
    managedFolder: inFolder ? prefix : null,
    ...CREATOR,
    condition:
      prefix === '' || inFolder
        ? null
        : {
            title: 'trainyard-output',
            expression: certain(prefixCondition(bucket, prefix, CREATED_KINDS)),
          },
    why: `to create new objects ${prefix === '' ? 'anywhere in the bucket' : `below ${prefix}`}, and in a bucket with hierarchical namespace the folders that they lie in; it can neither read, overwrite nor delete any`,
  };
}

function notesOf(wish: CheckedWish, bindings: readonly GrantBinding[]): string[] {
  const { input, output, variant } = wish;
  const notes: string[] = [];
  if (bindings.some(({ condition, managedFolder }) => condition !== null || managedFolder !== null))
    notes.push(
      'The buckets need uniform bucket-level access, without which Google takes neither conditions nor managed folders.',
    );
  if (bindings.some(({ role }) => role === LISTER_ROLE.id))
    notes.push(
      `With the custom role the account can see the names of all objects of gs://${input?.bucket ?? ''}, and read only those that are named above.`,
    );
  if (variant === 'list-prefix' && bindings.some(({ purpose }) => purpose === 'list'))
    notes.push(
      'Google’s pages disagree on whether a bucket’s policy evaluates the condition on the listing’s prefix. Where listing is still refused after some minutes, take the variant custom-role.',
    );
  if (input?.kind === 'either')
    notes.push(
      variant === 'managed-folder'
        ? `gs://${input.bucket}/${input.object} has no slash at its end: it is taken for the folder. One object has no managed folder; for it take the variant custom-role.`
        : `gs://${input.bucket}/${input.object} has no slash at its end: the grant covers the object of that name and the folder. Where it is one object, leave the grant for listing out: one object is not listed. With a slash it covers the folder alone.`,
    );
  if (input?.kind === 'folder' && input.prefix === '')
    notes.push(
      `gs://${input.bucket}/ is the whole bucket: everything in it can be read. A folder would be less.`,
    );
  if (output?.prefix === '')
    notes.push(
      `gs://${output.bucket}/ is the whole bucket: objects can be created anywhere in it. A folder would be less.`,
    );
  const above = output === null ? undefined : foldersAbove(output.prefix).at(-1);
  if (output !== null && above !== undefined)
    notes.push(
      `Where gs://${output.bucket}/ has a hierarchical namespace the folder ${above} must be there already.`,
    );
  notes.push('A new grant takes some minutes to work.');
  return notes;
}

/** The least grants for a checked wish. Pure. */
export function planChecked(wish: CheckedWish): GrantPlan {
  const bindings = [
    ...(wish.input === null ? [] : inputBindings(wish.input, wish)),
    ...(wish.output === null ? [] : [outputBinding(wish.output, wish)]),
  ];
  const folders = bindings.flatMap(({ bucket, managedFolder }) =>
    managedFolder === null ? [] : [{ bucket, name: managedFolder }],
  );
  return {
    account: wish.email,
    variant: wish.variant,
    project: wish.project,
    customRole: bindings.some(({ role }) => role === LISTER_ROLE.id)
      ? { ...LISTER_ROLE, permissions: [...LISTER_ROLE.permissions] }
      : null,
    managedFolders: folders.filter(
      (folder, index) =>
        folders.findIndex(
          (other) => other.bucket === folder.bucket && other.name === folder.name,
        ) === index,
    ),
    bindings,
    notes: notesOf(wish, bindings),
  };
}

/**
 * The least grants for a wish: read below the input and list it, create below the output, nothing else. Pure; needs no key and no network.
 * Errors: those of `checkWish`, all bad input.
 */
export function planGrants(wish: GrantWish): Result<GrantPlan> {
  const checked = checkWish(wish);
  return checked.ok ? ok(planChecked(checked.value)) : checked;
}
