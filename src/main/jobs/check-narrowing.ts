import { resolveInput } from '../../google/input.ts';
import { asPrefix, parseGcsAddress } from '../../shared/address.ts';
import type { GoogleEndpoints } from '../../shared/endpoints.ts';
import type { InputTarget, TransferPlan } from '../../shared/plan.ts';
import { ok, type Problem, type Result } from '../../shared/problem.ts';
import type { KeyService } from '../keys/service.ts';
import { mintForAgent } from './agent-token.ts';
import { accountOf } from './make-plan.ts';

/** Milliseconds. */
const QUESTION_TIME = 15_000;

/**
 * Whether a job's access can be narrowed to an address, before it starts: null where it can, else what its start will say. It asks what a start
 * asks, and leaves nothing in the bucket. Errors: `input.key-...`, those of the vault, of minting and of `resolveInput`.
 */
export async function checkNarrowing(
  parts: { readonly keys: KeyService; readonly endpoints: GoogleEndpoints },
  asked: { readonly gcs: string; readonly key: string; readonly for: 'input' | 'output' },
  signal: AbortSignal,
): Promise<Result<Problem | null>> {
  const { keys, endpoints } = parts;
  const address = parseGcsAddress(asked.gcs);
  if (!address.ok) return address;
  const card = await keys.find(asked.key);
  if (!card.ok) return card;
  let target: InputTarget | null = null;
  if (asked.for === 'input') {
    const tokens = await keys.tokenSource(card.value, 'read', 'form');
    if (!tokens.ok) return tokens;
    const found = await resolveInput({
      endpoints,
      tokens: tokens.value,
      signal,
      deadlineMs: QUESTION_TIME,
      address: address.value,
    });
    if (!found.ok) return found;
    target = found.value;
  }
  const account = accountOf(card.value);
  const transfer: TransferPlan = {
    format: 1,
    kind: 'transfer',
    id: '00000000-000000-000000',
    name: 'check',
    host: 'local',
    createdAt: '',
    application: '',
    endpoints: { ...endpoints },
    direction: target === null ? 'upload' : 'download',
    bucket: address.value.bucket,
    target,
    prefix: target === null ? asPrefix(address.value.path) : null,
    path: '',
    names: null,
    account,
    unattended: false,
  };
  const need = {
    account,
    card: card.value,
    purpose: target === null ? ('write' as const) : ('read' as const),
    use: { reason: 'form' as const, job: null },
  };
  const settings = { timeoutMs: QUESTION_TIME, signal };
  const token = await mintForAgent(keys, transfer, need, null, settings);
  return token.ok ? ok(token.value.whole ?? token.value.wider[0] ?? null) : token;
}
