import type { GrantBinding, GrantPlan } from '../../shared/grant.ts';

/** A string of Terraform's language that means nothing but itself: quotes, backslashes and templates escaped. */
export function quoteForTerraform(text: string): string {
  return JSON.stringify(text).replace(/[$%](?=\{)/g, (mark) => mark + mark);
}

/** A `name = value` block, aligned as `terraform fmt` does. */
function block(head: string, fields: readonly (readonly [string, string])[], inner = ''): string {
  const width = Math.max(...fields.map(([name]) => name.length));
  const lines = fields.map(([name, value]) => `  ${name.padEnd(width)} = ${value}`);
  return `${head} {\n${lines.join('\n')}\n${inner}}\n`;
}

function bindingBlock(binding: GrantBinding, plan: GrantPlan): string {
  const { bucket, managedFolder, role, condition, purpose, why } = binding;
  const name = `trainyard_${purpose}`;
  const custom = plan.customRole?.id === role;
  const inner =
    condition === null
      ? ''
      : `\n  condition {\n    title      = ${quoteForTerraform(condition.title)}\n    expression = ${quoteForTerraform(condition.expression)}\n  }\n`;
  const folder = plan.managedFolders.findIndex(
    (one) => one.bucket === bucket && one.name === managedFolder,
  );
  const kind =
    managedFolder === null
      ? 'google_storage_bucket_iam_member'
      : 'google_storage_managed_folder_iam_member';
  return `# ${why.charAt(0).toUpperCase()}${why.slice(1)}.\n${block(
    `resource "${kind}" "${name}"`,
    [
      ['bucket', quoteForTerraform(bucket)],
      ...(managedFolder === null
        ? []
        : ([
            ['managed_folder', `google_storage_managed_folder.trainyard_${folder + 1}.name`],
          ] as const)),
      [
        'role',
        custom ? 'google_project_iam_custom_role.trainyard_lister.name' : quoteForTerraform(role),
      ],
      ['member', quoteForTerraform(`serviceAccount:${plan.account}`)],
    ],
    inner,
  )}`;
}

/** The grants as Terraform for the google provider. The `..._iam_member` resources leave everybody else's grants as they are. */
export function terraformText(plan: GrantPlan): string {
  const { customRole, project, managedFolders } = plan;
  const role =
    customRole === null
      ? []
      : [
          `# A role of ${customRole.permissions.join(', ')} and nothing else, in the project that owns the bucket${project === null ? ': here that of the provider' : ''}.\n${block(
            'resource "google_project_iam_custom_role" "trainyard_lister"',
            [
              ...(project === null ? [] : ([['project', quoteForTerraform(project)]] as const)),
              ['role_id', quoteForTerraform(customRole.id)],
              ['title', quoteForTerraform(customRole.title)],
              [
                'permissions',
                `[${customRole.permissions.map((one) => quoteForTerraform(one)).join(', ')}]`,
              ],
            ],
          )}`,
        ];
  const folders = managedFolders.map(({ bucket, name }, index) =>
    block(`resource "google_storage_managed_folder" "trainyard_${index + 1}"`, [
      ['bucket', quoteForTerraform(bucket)],
      ['name', quoteForTerraform(name)],
    ]),
  );
  const head = [
    `# What ${plan.account} needs for a Trainyard job, and no more.`,
    ...plan.notes.map((note) => `# ${note}`),
  ].join('\n');
  return [
    `${head}\n`,
    ...role,
    ...folders,
    ...plan.bindings.map((binding) => bindingBlock(binding, plan)),
  ].join('\n');
}
