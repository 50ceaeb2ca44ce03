import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { makeSealKey } from '../../../src/google/sealed.ts';
import { begunRuns } from '../../../src/main/jobs/begun-runs.ts';
import { inboxFor, refuseChangedPlan } from '../../../src/main/jobs/seal-tokens.ts';
import { settingRows } from '../../../src/main/store/settings.ts';
import { tokensIn, type GrantedToken } from '../../../src/shared/agent-protocol.ts';
import { GOOGLE_ENDPOINTS } from '../../../src/shared/endpoints.ts';
import type { TransferPlan } from '../../../src/shared/plan.ts';
import type { ProcessIdentity } from '../../../src/shared/process-identity.ts';
import { problemOf, valueOf } from '../temp.ts';
import { freshHome } from './harness.ts';

const process = (pid: number): ProcessIdentity => ({ pid, startTime: '1', bootId: 'b' });
const tokens: GrantedToken[] = [
  { keyId: 'k', purpose: 'write', access: { token: 'ya29.secret', expiresAt: 1 } },
];
let serial = 0;

/** A run directory with its plan, and no agent. */
async function world() {
  const { open, home } = freshHome();
  const services = await open();
  const host = valueOf(services.hosts.get('local'));
  serial += 1;
  const plan: TransferPlan = {
    format: 1,
    kind: 'transfer',
    id: `20260101-000000-s${String(serial).padStart(5, '0')}`,
    name: 'n',
    host: 'local',
    createdAt: '2026-01-01T00:00:00Z',
    application: 'test',
    endpoints: GOOGLE_ENDPOINTS,
    direction: 'upload',
    bucket: 'b',
    target: null,
    prefix: 'p/',
    path: '/p',
    names: null,
    account: null,
    unattended: false,
  };
  valueOf(await host.createRun(plan));
  const run = { id: plan.id, host };
  const announce = async (agent: ProcessIdentity, key: string): Promise<void> => {
    const text = JSON.stringify({ format: 1, agent, key });
    valueOf(await host.writeFile(plan.id, 'control/inbox-key.json', text));
  };
  return {
    run,
    announce,
    begun: begunRuns(settingRows(services.store)),
    file: join(home, 'runs', plan.id),
  };
}

test('renewals are sealed to the key that the agent told whoever started it; what a worker announces in its place gains nothing', async () => {
  const { run, announce, begun } = await world();
  const [agent, worker] = [makeSealKey(), makeSealKey()];
  begun.note(run.id, { inbox: { agent: process(7), key: agent.publicKey } });
  await announce(process(7), worker.publicKey);
  const inbox = valueOf(await inboxFor(run, process(7), tokens, begun));
  expect(JSON.stringify(inbox)).not.toContain('ya29');
  expect(tokensIn(inbox, (sealed) => agent.open(sealed, run.id))).toEqual(tokens);
  expect(tokensIn(inbox, (sealed) => worker.open(sealed, run.id))).toBeNull();
  // Nor where it says that it is the agent.
  await announce(process(8), worker.publicKey);
  expect(problemOf(await inboxFor(run, process(8), tokens, begun)).code).toBe(
    'access.agent-unknown',
  );
});

test('of an agent that nobody here started the first announcement counts, and is remembered', async () => {
  const { run, announce, begun } = await world();
  const [agent, worker] = [makeSealKey(), makeSealKey()];
  await announce(process(7), agent.publicKey);
  expect(valueOf(await inboxFor(run, process(7), tokens, begun)).format).toBe(2);
  await announce(process(7), worker.publicKey);
  const inbox = valueOf(await inboxFor(run, process(7), tokens, begun));
  expect(tokensIn(inbox, (sealed) => agent.open(sealed, run.id))).toEqual(tokens);
});

test('one that announces none is of an earlier version, and gets what it can read', async () => {
  const { run, begun } = await world();
  const inbox = valueOf(await inboxFor(run, process(7), tokens, begun));
  expect(tokensIn(inbox, () => null)).toEqual(tokens);
});

test('a run whose plan was changed gets no access any more', async () => {
  const { run, begun, file } = await world();
  expect(await refuseChangedPlan(run, begun)).toBeNull();
  expect(await refuseChangedPlan(run, begun)).toBeNull();
  writeFileSync(join(file, 'plan.json'), '{}');
  expect((await refuseChangedPlan(run, begun))?.code).toBe('access.plan-changed');
});
