import type { GrantBinding, GrantPlan } from '../../shared/grant.ts';

/** A word for bash that is read as nothing but itself. */
export function quoteForShell(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

/** The project in an account's address; null for accounts whose address names none. */
export function projectOfAccount(email: string): string | null {
  return (
    /^[^@]+@([a-z][a-z0-9-]{4,28}[a-z0-9])\.iam\.gserviceaccount\.com$/.exec(email)?.[1] ?? null
  );
}

/** Lines that find the project of the custom role and make the role there, or set it right where it is there. */
function roleLines(plan: GrantPlan, bucket: string): readonly string[] {
  const { customRole, project, account } = plan;
  if (customRole === null) return [];
  const own = projectOfAccount(account);
  const find =
    project !== null
      ? [
          '# The project that owns the bucket, where the custom role is made.',
          `project=${quoteForShell(project)}`,
        ]
      : [
          '# The custom role is made in the project that owns the bucket.',
          `number="$(gcloud storage buckets describe ${quoteForShell(`gs://${bucket}`)} --raw --format='value(projectNumber)' || true)"`,
          `project=''`,
          `if [[ "$number" =~ ^[0-9]+$ ]]; then`,
          `  project="$(gcloud projects describe "$number" --format='value(projectId)' || true)"`,
          'fi',
          `if [[ ! "$project" =~ ^([a-z0-9.-]+:)?[a-z][a-z0-9-]{4,28}[a-z0-9]$ ]]; then`,
          ...(own === null
            ? [
                `  echo 'The project of the bucket cannot be told: name it with trainyard grant --project ID.' >&2`,
                '  exit 1',
              ]
            : [
                `  project=${quoteForShell(own)}`,
                `  echo "The project of the bucket cannot be told; taken is that of the account, $project." >&2`,
              ]),
          'fi',
        ];
  const role = [
    customRole.id,
    '--project="$project"',
    `--title=${quoteForShell(customRole.title)}`,
    `--permissions=${customRole.permissions.join(',')}`,
    '--stage=GA',
    '--quiet',
  ].join(' ');
  return [
    ...find,
    '',
    `# A role of ${customRole.permissions.join(', ')} and nothing else. Where one of this name is there, it is set to that.`,
    '# One that was deleted in the last days keeps its name taken: it is taken back first.',
    `gcloud iam roles create ${role} >/dev/null || {`,
    `  gcloud iam roles undelete ${customRole.id} --project="$project" --quiet >/dev/null 2>&1 || true`,
    `  gcloud iam roles update ${role} >/dev/null`,
    '}',
    '',
  ];
}

function folderLines({ managedFolders }: GrantPlan): readonly string[] {
  return managedFolders.flatMap(({ bucket, name }) => {
    const url = quoteForShell(`gs://${bucket}/${name}`);
    return [
      '# The managed folder is made unless it is there.',
      `gcloud storage managed-folders create ${url} --quiet ||`,
      `  gcloud storage managed-folders describe ${url} >/dev/null`,
      '',
    ];
  });
}

/** A condition that `--condition=KEY=VALUE,...` would not read rightly: a comma ends the value. */
const needsFile = (binding: GrantBinding): boolean =>
  binding.condition?.expression.includes(',') === true;

function bindingLines(binding: GrantBinding, index: number, plan: GrantPlan): readonly string[] {
  const { bucket, managedFolder, role, condition, why } = binding;
  const url = quoteForShell(`gs://${bucket}${managedFolder === null ? '' : `/${managedFolder}`}`);
  const what = managedFolder === null ? 'buckets' : 'managed-folders';
  const roleWord = plan.customRole?.id === role ? `"projects/$project/roles/${role}"` : role;
  const command = [
    `gcloud storage ${what} add-iam-policy-binding ${url}`,
    '  --member="$member"',
    `  --role=${roleWord}`,
  ];
  const quiet = '  --quiet >/dev/null';
  const head = `# ${capital(why)}.`;
  if (condition === null)
    return [head, [...command, '  --condition=None', quiet].join(' \\\n'), ''];
  const { title, expression } = condition;
  if (!needsFile(binding))
    return [
      head,
      [
        ...command,
        `  --condition=${quoteForShell(`expression=${expression},title=${title}`)}`,
        quiet,
      ].join(' \\\n'),
      '',
    ];
  // A comma would end the value of --condition: the condition goes through a file.
  const file = `"$conditions/${index + 1}.json"`;
  return [
    head,
    `printf '%s\\n' ${quoteForShell(JSON.stringify({ title, expression }))} >${file}`,
    [...command, `  --condition-from-file=${file}`, quiet].join(' \\\n'),
    '',
  ];
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/**
 * The grants as a bash script that can be run as it is, twice too. Every name stands in single quotes. `--condition=None` is said where there
 * is none: without it gcloud asks, or refuses, once a bucket's policy has any condition.
 */
export function gcloudScript(plan: GrantPlan): string {
  const { account, bindings } = plan;
  const lister = bindings.find(({ role }) => role === plan.customRole?.id);
  const byFile = bindings.some(needsFile);
  const lines = [
    '#!/usr/bin/env bash',
    `# What ${account} needs for a Trainyard job, and no more.`,
    '# To be run by somebody who may change the policies of the buckets. Running it again changes nothing.',
    ...plan.notes.map((note) => `# ${note}`),
    'set -euo pipefail',
    '',
    `member=${quoteForShell(`serviceAccount:${account}`)}`,
    ...(byFile ? [`conditions="$(mktemp -d)"`, `trap 'rm -rf "$conditions"' EXIT`] : []),
    '',
    ...(lister === undefined ? [] : roleLines(plan, lister.bucket)),
    ...folderLines(plan),
    ...bindings.flatMap((binding, index) => bindingLines(binding, index, plan)),
    `echo ${quoteForShell(`Granted to ${account}. It takes some minutes to work.`)}`,
  ];
  return `${lines.join('\n')}\n`;
}
