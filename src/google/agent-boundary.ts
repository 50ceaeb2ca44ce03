import type { AccessPurpose } from '../shared/key.ts';
import type { InputTarget, RunPlan } from '../shared/plan.ts';
import { createRule, readRule, type AccessBoundary, type BoundaryRule } from './boundary.ts';
import { isExpressible } from './grants.ts';

/** What the agent reads or writes with one of its tokens. */
export interface AgentUse {
  readonly bucket: string;
  /** `read`: what is fetched. `write`: a prefix, which ends with `/` or is empty. */
  readonly does: 'read' | 'write';
  readonly target: InputTarget;
}

/** What a run's own transfers do with the token of an account for a purpose. Pure. */
export function agentUses(
  plan: RunPlan,
  keyId: string,
  purpose: AccessPurpose,
): readonly AgentUse[] {
  if (plan.kind === 'transfer') {
    if (plan.account?.keyId !== keyId) return [];
    const { bucket, target, prefix, direction } = plan;
    if (direction === 'download')
      return purpose === 'read' && target !== null ? [{ bucket, does: 'read', target }] : [];
    return purpose === 'write'
      ? [{ bucket, does: 'write', target: { kind: 'folder', prefix: prefix ?? '' } }]
      : [];
  }
  const { code, input, output } = plan;
  if (purpose === 'read')
    return [code, input].flatMap((from): readonly AgentUse[] =>
      from?.kind === 'gcs' && from.account?.keyId === keyId
        ? [{ bucket: from.bucket, does: 'read', target: from.target }]
        : [],
    );
  return output?.account?.keyId === keyId
    ? [
        {
          bucket: output.bucket,
          does: 'write',
          target: { kind: 'folder', prefix: output.prefix },
        },
      ]
    : [];
}

export interface AgentBoundary {
  readonly boundary: AccessBoundary;
  /** Beginnings of names that the boundary had to be widened to, as addresses: no expression can hold the whole name. */
  readonly wider: readonly string[];
}

/**
 * The boundary of one of the agent's own tokens: reading the code and the input of the account; creating below the output, and reading there what
 * it created. Nobody is refused for a name that no expression can hold: the boundary is then what stands before the first such character.
 * One code, one input and one output are three rules at most, of the ten that a boundary may have. Pure. Null: the token is for nothing.
 */
export function agentBoundary(
  plan: RunPlan,
  keyId: string,
  purpose: AccessPurpose,
): AgentBoundary | null {
  const rules: BoundaryRule[] = [];
  const wider: string[] = [];
  for (const { bucket, does, target } of agentUses(plan, keyId, purpose)) {
    const name = target.kind === 'folder' ? target.prefix : target.object;
    const held = expressibleStart(name);
    if (held !== name) wider.push(`gs://${bucket}/${held}`);
    if (does === 'write') rules.push(createRule(bucket, held));
    rules.push(readRule(bucket, target.kind === 'folder' || held !== name, held));
  }
  return rules.length === 0 ? null : { boundary: { rules }, wider };
}

/** The beginning of a name up to the first character that cannot stand in an expression. */
function expressibleStart(name: string): string {
  let held = '';
  for (const character of name) {
    if (!isExpressible(character)) break;
    held += character;
  }
  return held;
}
