import {
  VARIANT_WORDS,
  GRANT_VARIANTS,
  type GrantBinding,
  type GrantForm,
  type GrantPlan,
  type GrantWish,
} from '../../shared/grant.ts';
import { fail, ok, problem, type Result } from '../../shared/problem.ts';
import { gcloudScript } from './gcloud.ts';
import { planGrants } from './plan.ts';
import { terraformText } from './terraform.ts';

const numbered = (steps: readonly string[]): string =>
  steps.map((step, index) => `${index + 1}. ${step}`).join('\n\n');

const indented = (lines: readonly string[]): string => lines.map((line) => `   ${line}`).join('\n');

const inProject = (plan: GrantPlan): string =>
  plan.project === null ? 'the project that owns the bucket' : `the project ${plan.project}`;

function bindingStep(binding: GrantBinding, plan: GrantPlan): string {
  const { bucket, managedFolder, roleTitle, condition, why } = binding;
  const where =
    managedFolder === null
      ? `Open Cloud Storage, Buckets, ${bucket}, and there Permissions, Grant access`
      : `Open Cloud Storage, Buckets, ${bucket}, the folder ${managedFolder}, and in its menu Edit access, Add principal`;
  return `${where} (${why}).\n${indented([
    `New principals: ${plan.account}`,
    `Role: ${roleTitle}${plan.customRole?.id === binding.role ? ' (under Custom)' : ''}`,
    ...(condition === null
      ? ['Condition: none']
      : [
          'Add IAM condition:',
          `  Title: ${condition.title}`,
          '  Condition editor:',
          `  ${condition.expression}`,
        ]),
    'Save.',
  ])}`;
}

/** The grants as steps in the Google Cloud console. */
export function consoleText(plan: GrantPlan): string {
  const { customRole } = plan;
  const steps = [
    ...(customRole === null
      ? []
      : [
          `Open IAM & Admin, Roles, in ${inProject(plan)}, and there Create role.\n${indented([
            `Title: ${customRole.title}`,
            `ID: ${customRole.id}`,
            'Role launch stage: General Availability',
            `Add permissions: ${customRole.permissions.join(', ')}, and no other`,
            'Create.',
          ])}`,
        ]),
    ...plan.managedFolders.map(
      ({ bucket, name }) =>
        `Open Cloud Storage, Buckets, ${bucket}, Create folder, ${name} (unless it is there), and in its menu choose Edit access, Enable managed folder.`,
    ),
    ...plan.bindings.map((binding) => bindingStep(binding, plan)),
  ];
  return `What ${plan.account} needs for a Trainyard job, in the Google Cloud console (https://console.cloud.google.com):\n\n${numbered(steps)}\n\n${plan.notes.map((note) => `Note: ${note}`).join('\n')}\n`;
}

function bindingWords(binding: GrantBinding): string {
  const { bucket, managedFolder, roleTitle, role, condition, why } = binding;
  const on =
    managedFolder === null
      ? `on the bucket gs://${bucket}`
      : `on the managed folder gs://${bucket}/${managedFolder}`;
  return `${roleTitle} (${role}) ${on}, ${why}.\n${indented([
    ...(condition === null
      ? ['Without a condition.']
      : [`With the condition "${condition.title}":`, condition.expression]),
  ])}`;
}

/** The grants as a message to whoever administers the buckets. */
export function messageText(plan: GrantPlan): string {
  const { account, customRole, variant } = plan;
  const others = GRANT_VARIANTS.filter((one) => one !== variant);
  const listed = plan.bindings.some(
    ({ purpose, managedFolder }) => purpose === 'list' || managedFolder !== null,
  );
  const parts = [
    'Hello,',
    `I train on a machine of my own with data from Google Cloud Storage, with Trainyard. Could you give the service account\n\n   ${account}\n\nthe following, and nothing else? It is all that the job needs; no administration rights, please.`,
    numbered([
      ...(customRole === null
        ? []
        : [
            `A custom role ${customRole.id} in ${inProject(plan)} with the one permission ${customRole.permissions.join(', ')}. (It is used in the grant for listing below.)`,
          ]),
      ...plan.managedFolders.map(
        ({ bucket, name }) => `A managed folder gs://${bucket}/${name}, unless it is there.`,
      ),
      ...plan.bindings.map(bindingWords),
    ]),
    plan.notes.join('\n'),
    ...(listed
      ? [
          `If this way does not suit you, there are others:\n${others.map((one) => `- ${VARIANT_WORDS[one].title}. ${VARIANT_WORDS[one].when}`).join('\n')}`,
        ]
      : []),
    `The same as commands: trainyard grant ... --as gcloud prints a script, --as terraform the resources.`,
    'Thank you.',
  ];
  return `${parts.join('\n\n')}\n`;
}

/**
 * The least grants for a wish and their text in one of the four forms. Pure. Errors: those of `planGrants`; `input.grant-name` for a name that
 * this form cannot hold.
 */
export function writeGrants(
  wish: GrantWish,
  form: GrantForm,
): Result<{ readonly plan: GrantPlan; readonly text: string }> {
  const plan = planGrants(wish);
  if (!plan.ok) return plan;
  const text = grantText(plan.value, form);
  // Terraform composes the letters of every text, and another name would be granted.
  if (form === 'terraform' && text !== text.normalize('NFC'))
    return fail(
      problem({
        code: 'input.grant-name',
        op: 'write the grant',
        subject: [wish.input, wish.output].filter((one) => one !== null).join(' '),
        message:
          'Terraform cannot hold this name: it composes letters and their accents, and the name has them apart.',
        hint: 'Take another form: --as gcloud keeps the name as it is.',
      }),
    );
  return ok({ plan: plan.value, text });
}

/** The grants in one of the four forms. Pure. */
export function grantText(plan: GrantPlan, form: GrantForm): string {
  switch (form) {
    case 'gcloud':
      return gcloudScript(plan);
    case 'terraform':
      return terraformText(plan);
    case 'console':
      return consoleText(plan);
    case 'message':
      return messageText(plan);
  }
}
