import { createHash } from 'node:crypto';
import { sealTo } from '../../google/sealed.ts';
import { inboxKeySchema, type GrantedToken, type Inbox } from '../../shared/agent-protocol.ts';
import { sameProcess, type ProcessIdentity } from '../../shared/process-identity.ts';
import { fail, ok, problem, type Problem, type Result } from '../../shared/problem.ts';
import { RUN } from '../../shared/run-directory.ts';
import { keepUnknown } from '../../shared/unknown-fields.ts';
import type { Host } from '../hosts/types.ts';
import type { BegunRuns } from './begun-runs.ts';

/** A plan is no larger. Bytes. */
const MOST_PLAN = 64 * 1024 * 1024;

type RunAt = { readonly id: string; readonly host: Pick<Host, 'readFile'> };

/** The checksum of `plan.json` as it lies there; null: it cannot be read. */
export async function checksumOfPlan({ id, host }: RunAt): Promise<string | null> {
  const file = await host.readFile(id, RUN.plan, 0, MOST_PLAN);
  if (!file.ok || file.value === null) return null;
  return createHash('sha256').update(file.value.bytes).digest('hex');
}

/**
 * Why a run gets no access any more: its plan is not the one that it began with. A plan says whose access is given for what, and lies where the
 * workers may write. A run that is seen here for the first time is taken as it is. Null: it is the same.
 */
export async function refuseChangedPlan(run: RunAt, begun: BegunRuns): Promise<Problem | null> {
  const known = begun.read(run.id)?.plan ?? null;
  const now = await checksumOfPlan(run);
  if (now === null || now === known) return null;
  if (known === null) {
    begun.note(run.id, { plan: now });
    return null;
  }
  return problem({
    code: 'access.plan-changed',
    op: 'give access to the run',
    subject: run.id,
    message: `The plan of ${run.id} is not the one that it began with: something changed plan.json in its run directory. It gets no access any more.`,
    hint: 'Its workers may have done so. Look at them, then submit the job again: it gets a plan of its own.',
  });
}

/**
 * The tokens as they go into the inbox of a run's agent: sealed to the key that the agent made. The key is the one that the agent told whoever started
 * it; where nobody here did, the one that it announced in its run directory, which is remembered once it was seen: what takes its place later gains
 * nothing. Plain for an agent of an earlier version, which announces none. Errors: `access.agent-unknown`.
 */
export async function inboxFor(
  run: RunAt,
  agent: ProcessIdentity,
  tokens: readonly GrantedToken[],
  begun: BegunRuns,
): Promise<Result<Inbox>> {
  const plain: Inbox = { format: 1, tokens: [...tokens] };
  const sealed = (key: string): Result<Inbox> =>
    ok({ format: 2, sealed: sealTo(key, JSON.stringify(plain), run.id) });
  const known = begun.read(run.id)?.inbox ?? null;
  if (known !== null)
    return sameProcess(known.agent, agent) ? sealed(known.key) : fail(unknownAgent(run.id));
  const announced = await readAnnounced(run);
  if (announced === null) return ok(plain);
  if (!sameProcess(announced.agent, agent)) return fail(unknownAgent(run.id));
  begun.note(run.id, { inbox: { agent: announced.agent, key: announced.key } });
  return sealed(announced.key);
}

async function readAnnounced({ id, host }: RunAt) {
  const file = await host.readFile(id, RUN.inboxKey, 0, 65_536);
  if (!file.ok || file.value === null) return null;
  try {
    const text = Buffer.from(file.value.bytes).toString();
    const parsed = keepUnknown(inboxKeySchema).safeParse(JSON.parse(text));
    return parsed.success ? parsed.data : null;
  } catch {
    return null;
  }
}

function unknownAgent(id: string): Problem {
  return problem({
    code: 'access.agent-unknown',
    op: 'renew the access of the run',
    subject: id,
    message: `The process that carries ${id} now is not the agent that was started here: it gets no fresh access.`,
    hint: `Another version of Trainyard may have taken the job up: renew its access there. Or stop it, then: trainyard retry ${id}`,
  });
}
