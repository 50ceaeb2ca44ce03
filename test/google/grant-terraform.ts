import { parse } from '@cdktn/hcl2json';
import * as z from 'zod';
import type { ReadGrants } from './grant-reader.ts';

/** Each resource once, with these fields and no others: whatever else a text holds is refused. */
const named = <Fields extends z.ZodRawShape>(fields: Fields) =>
  z.record(z.string(), z.tuple([z.strictObject(fields)])).default({});
const condition = z.tuple([z.strictObject({ title: z.string(), expression: z.string() })]);
const member = {
  bucket: z.string(),
  role: z.string(),
  member: z.string(),
  condition: condition.optional(),
};
const documentSchema = z.strictObject({
  resource: z.strictObject({
    google_project_iam_custom_role: named({
      project: z.string().optional(),
      role_id: z.string(),
      title: z.string(),
      permissions: z.array(z.string()),
    }),
    google_storage_managed_folder: named({ bucket: z.string(), name: z.string() }),
    google_storage_bucket_iam_member: named(member),
    google_storage_managed_folder_iam_member: named({ ...member, managed_folder: z.string() }),
  }),
});

/** A string that means itself. Throws at one with a template in it. */
export function literal(text: string): string {
  // The parser writes an escaped mark with two signs, as Terraform's JSON has it.
  if (/[$%]\{/.test(text.replace(/([$%])\1\{/g, '')))
    throw new Error(`It is a template, not a text: ${text}`);
  return text.replace(/([$%])\1(?=\{)/g, '$1');
}

/** The resource of a kind that a field refers to by its name; null where the field is a text. */
function referred<Resource>(
  field: string,
  kind: string,
  resources: Readonly<Record<string, readonly [Resource]>>,
): Resource | null {
  const [, of, name = ''] = /^\$\{(\w+)\.(\w+)\.name\}$/.exec(field) ?? [];
  if (of === undefined) return null;
  const found = of === kind ? resources[name]?.[0] : undefined;
  if (found === undefined) throw new Error(`It refers to nothing: ${field}`);
  return found;
}

/** What Terraform would make of a text, as HashiCorp's own parser reads it. Throws at anything that the grants do not need. */
export async function readTerraform(text: string): Promise<ReadGrants> {
  const { resource } = documentSchema.parse(await parse('grants.tf', text));
  const {
    google_project_iam_custom_role: roles,
    google_storage_managed_folder: folders,
    google_storage_bucket_iam_member: onBuckets,
    google_storage_managed_folder_iam_member: onFolders,
  } = resource;
  const [role, ...more] = Object.values(roles).flat();
  if (more.length > 0) throw new Error('More than one role is made.');
  const granted = (url: string, one: z.infer<z.ZodObject<typeof member>>) => {
    const custom = referred(one.role, 'google_project_iam_custom_role', roles);
    const [narrowed] = one.condition ?? [];
    return {
      url,
      role:
        custom === null
          ? literal(one.role)
          : `projects/${literal(custom.project ?? 'demo-project')}/roles/${literal(custom.role_id)}`,
      member: literal(one.member),
      condition:
        narrowed === undefined
          ? null
          : { title: literal(narrowed.title), expression: literal(narrowed.expression) },
    };
  };
  return {
    customRole:
      role === undefined
        ? null
        : { id: literal(role.role_id), permissions: role.permissions.map(literal).join(',') },
    managedFolders: Object.values(folders)
      .flat()
      .map(({ bucket, name }) => ({ bucket: literal(bucket), name: literal(name) })),
    bindings: [
      ...Object.values(onBuckets)
        .flat()
        .map((one) => granted(`gs://${literal(one.bucket)}`, one)),
      ...Object.values(onFolders)
        .flat()
        .map((one) => {
          const folder = referred(one.managed_folder, 'google_storage_managed_folder', folders);
          const name = folder === null ? one.managed_folder : folder.name;
          return granted(`gs://${literal(one.bucket)}/${literal(name)}`, one);
        }),
    ],
  };
}
