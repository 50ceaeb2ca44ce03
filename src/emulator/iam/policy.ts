import { createHash } from 'node:crypto';
import * as z from 'zod';
import { parseExpression, type Expression } from './expression.ts';
import { permissionsOf, type CustomRoles } from './roles.ts';

const conditionSchema = z.object({
  title: z.string().min(1),
  description: z.string().optional(),
  expression: z.string(),
});

/** A policy as the API takes and gives it. Unknown fields are dropped. */
export const policyBodySchema = z.object({
  version: z.int().optional(),
  etag: z.string().optional(),
  bindings: z
    .array(
      z.object({
        role: z.string(),
        members: z.array(z.string()).default([]),
        condition: conditionSchema.nullish(),
      }),
    )
    .default([]),
});
export type PolicyBody = Readonly<z.infer<typeof policyBodySchema>>;

export interface Binding {
  readonly role: string;
  readonly members: readonly string[];
  readonly condition: {
    readonly title: string;
    readonly description?: string | undefined;
    readonly expression: string;
    readonly program: Expression;
  } | null;
}

export interface Policy {
  readonly bindings: readonly Binding[];
}

const MEMBER =
  /^(allUsers|allAuthenticatedUsers|(user|serviceAccount|group|domain|projectOwner|projectEditor|projectViewer|principal|principalSet|deleted:[a-zA-Z]+):\S+)$/;

/** Reads a policy: roles must exist, members be spelt right, expressions parse. Errors: a sentence for a 400. */
export function readPolicy(
  body: PolicyBody,
  roles: CustomRoles,
):
  | { readonly ok: true; readonly policy: Policy }
  | { readonly ok: false; readonly message: string } {
  const bindings: Binding[] = [];
  for (const { role, members, condition } of body.bindings) {
    if (permissionsOf(role, roles) === null)
      return { ok: false, message: `Role ${role} is not supported for this resource.` };
    const wrong = members.find((member) => !MEMBER.test(member));
    if (wrong !== undefined) return { ok: false, message: `Invalid argument: member ${wrong}.` };
    if (condition === null || condition === undefined) {
      bindings.push({ role, members, condition: null });
      continue;
    }
    const parsed = parseExpression(condition.expression);
    if (!parsed.ok)
      return { ok: false, message: `Invalid condition expression: ${parsed.message}.` };
    bindings.push({ role, members, condition: { ...condition, program: parsed.expression } });
  }
  return { ok: true, policy: { bindings } };
}

/** The bindings as the API gives them, and as they are kept. */
export function bindingsOf(policy: Policy): PolicyBody['bindings'] {
  return policy.bindings.map(({ role, members, condition }) => ({
    role,
    members: [...members],
    ...(condition === null
      ? {}
      : {
          condition: {
            title: condition.title,
            ...(condition.description === undefined ? {} : { description: condition.description }),
            expression: condition.expression,
          },
        }),
  }));
}

export function hasConditions(policy: Policy): boolean {
  return policy.bindings.some((binding) => binding.condition !== null);
}

/** Changes whenever the policy does. Base64 without `+` and `/`: gcloud gives it back in the other alphabet. */
export function etagOf(policy: Policy): string {
  const digest = createHash('sha256')
    .update(JSON.stringify(bindingsOf(policy)))
    .digest('hex');
  return Buffer.from(digest.slice(0, 12)).toString('base64');
}

/** The policy with one binding more; one that is there already is not added twice. */
export function withBinding(policy: Policy, binding: Binding): Policy {
  const same = (other: Binding): boolean =>
    JSON.stringify(bindingsOf({ bindings: [other] })) ===
    JSON.stringify(bindingsOf({ bindings: [binding] }));
  return policy.bindings.some(same) ? policy : { bindings: [...policy.bindings, binding] };
}
