import * as z from 'zod';
import { isBucketName } from '../../shared/address.ts';
import { holds, parseExpression, type Subject } from './expression.ts';
import { permissionsOf, type CustomRoles } from './roles.ts';

/** A Credential Access Boundary, checked (https://cloud.google.com/iam/docs/downscoping-short-lived-credentials). JSON: upload sessions keep it. */
export const boundarySchema = z.object({
  rules: z.array(
    z.object({
      bucket: z.string(),
      permissions: z.array(z.string()),
      expression: z.string().nullable(),
    }),
  ),
});
export type Boundary = z.infer<typeof boundarySchema>;

const MOST_RULES = 10;
const RESOURCE = '//storage.googleapis.com/projects/_/buckets/';
const ROLE = 'inRole:';

const optionsSchema = z.strictObject({
  accessBoundary: z.strictObject({
    accessBoundaryRules: z.array(
      z.strictObject({
        availableResource: z.string(),
        availablePermissions: z.array(z.string()).min(1),
        availabilityCondition: z
          .strictObject({
            title: z.string().optional(),
            description: z.string().optional(),
            expression: z.string(),
          })
          .optional(),
      }),
    ),
  }),
});

export type ReadBoundary =
  | { readonly ok: true; readonly boundary: Boundary }
  | { readonly ok: false; readonly message: string };

/** Reads the `options` of a token exchange. Errors: a sentence for a 400. */
export function readBoundary(text: string, roles: CustomRoles): ReadBoundary {
  const wrong = (message: string): ReadBoundary => ({ ok: false, message });
  const parsed = optionsSchema.safeParse(parseJson(text));
  if (!parsed.success)
    return wrong(
      `The options are no access boundary: ${parsed.error.issues[0]?.path.join('.') ?? ''}.`,
    );
  const written = parsed.data.accessBoundary.accessBoundaryRules;
  if (written.length === 0 || written.length > MOST_RULES)
    return wrong(`An access boundary has 1 to ${MOST_RULES} rules, not ${written.length}.`);
  const rules: Boundary['rules'][number][] = [];
  for (const { availableResource, availablePermissions, availabilityCondition } of written) {
    const bucket = availableResource.slice(RESOURCE.length);
    if (!availableResource.startsWith(RESOURCE) || !isBucketName(bucket))
      return wrong(`Invalid availableResource: ${availableResource}.`);
    const permissions = new Set<string>();
    for (const available of availablePermissions) {
      const role = available.slice(ROLE.length);
      const held =
        available.startsWith(ROLE) && role.includes('roles/') ? permissionsOf(role, roles) : null;
      if (held === null) return wrong(`Invalid availablePermissions: ${available}.`);
      for (const permission of held) permissions.add(permission);
    }
    const condition =
      availabilityCondition === undefined
        ? null
        : parseExpression(availabilityCondition.expression);
    if (condition !== null && !condition.ok)
      return wrong(`Invalid availabilityCondition: ${condition.message}.`);
    rules.push({
      bucket,
      permissions: [...permissions],
      expression: availabilityCondition?.expression ?? null,
    });
  }
  return { ok: true, boundary: { rules } };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return null;
  }
}

/** Whether one of the rules lets a permission through. `subject` tells the list prefix always: boundaries know it. */
export function isWithin(
  boundary: Boundary,
  permission: string,
  bucket: string,
  subject: Subject,
): boolean {
  return boundary.rules.some(
    (rule) =>
      rule.bucket === bucket &&
      rule.permissions.includes(permission) &&
      (rule.expression === null || isMet(rule.expression, subject)),
  );
}

function isMet(source: string, subject: Subject): boolean {
  const parsed = parseExpression(source);
  return parsed.ok && holds(parsed.expression, subject);
}
