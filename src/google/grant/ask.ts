import type { AccessUse, RungGrant } from '../../shared/access-check.ts';
import type { GrantBinding } from '../../shared/grant.ts';
import { asPrefix, parseGcsAddress } from '../../shared/address.ts';
import { askForGrant } from '../grants.ts';
import { belowExpression } from '../resources.ts';
import { quoteForShell } from './gcloud.ts';
import { planGrants } from './plan.ts';

/** The command that writes the whole grant down. Pure. */
export function grantCommand(use: AccessUse, address: string, account: string): string {
  return `trainyard grant --${use} ${quoteForShell(address)} --account ${account}`;
}

/** One binding as a sentence that asks for it. Pure. */
export function sentenceOf(binding: GrantBinding, account: string): string {
  const { bucket, role, roleTitle, condition } = binding;
  const what = role.startsWith('roles/')
    ? `the role ${roleTitle} (${role})`
    : 'a custom role that holds only storage.objects.list';
  const how =
    condition === null
      ? binding.purpose === 'list'
        ? ', without a condition: listing is checked on the bucket, so a condition on objects never allows it'
        : ', without a condition'
      : `, with the condition ${condition.expression}`;
  return `Ask for ${what} on the bucket gs://${bucket} for ${account}${how}. A new grant takes some minutes to work.`;
}

/** What is missing. `folders`: making folders, of what creating needs in a bucket with hierarchical namespace. */
export type GrantPart = 'list' | 'read' | 'create' | 'folders' | 'all';

/** Of a grant to create, the part on folders: the other is there. */
function onFolders(binding: GrantBinding, prefix: string): GrantBinding {
  const { bucket, condition } = binding;
  const expression = belowExpression(bucket, prefix, ['folders']);
  return condition === null || expression === null
    ? binding
    : { ...binding, condition: { ...condition, expression } };
}

/** The grant that a rung lacks; null without an account to grant it to. Pure. */
export function grantFor(
  name: GrantPart,
  request: {
    readonly address: string;
    readonly for: AccessUse;
    readonly account: string | null;
  },
): RungGrant | null {
  const { account, address } = request;
  if (account === null) return null;
  const plan = planGrants({
    input: request.for === 'input' ? address : null,
    output: request.for === 'output' ? address : null,
    account,
    variant: 'custom-role',
    project: null,
  });
  if (!plan.ok)
    return {
      sentence: `${plan.problem.message} ${plan.problem.hint}`,
      bindings: [],
      command: '',
    };
  const purpose = { list: 'list', read: 'read', create: 'write', folders: 'write', all: null }[
    name
  ];
  const own = plan.value.bindings.filter((binding) => binding.purpose === purpose);
  // A role on the whole bucket lists it too.
  const found = own.length > 0 ? own : plan.value.bindings;
  const parsed = parseGcsAddress(address);
  const bindings =
    name === 'folders' && parsed.ok
      ? found.map((binding) => onFolders(binding, asPrefix(parsed.value.path)))
      : found;
  return {
    sentence:
      name === 'folders' && parsed.ok
        ? askForGrant('storage.folders.create', {
            bucket: parsed.value.bucket,
            prefix: asPrefix(parsed.value.path),
            email: account,
          })
        : bindings.map((binding) => sentenceOf(binding, account)).join(' '),
    bindings: [...bindings],
    command: grantCommand(request.for, address, account),
  };
}
