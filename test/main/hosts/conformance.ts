import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { GOOGLE_ENDPOINTS } from '../../../src/shared/endpoints.ts';
import { jobSpecSchema } from '../../../src/shared/job-spec.ts';
import type { JobPlan } from '../../../src/shared/plan.ts';
import { RUN, workerLog } from '../../../src/shared/run-directory.ts';
import { makePlan, newJobId } from '../../../src/main/jobs/make-plan.ts';
import type { Host } from '../../../src/main/hosts/types.ts';
import { problemOf, temporaryFolder, valueOf } from '../temp.ts';

const secrets = { format: 1 as const, tokens: [], keys: [] };

export function planOf(code: string, workers: readonly string[]): JobPlan {
  const spec = jobSpecSchema.parse({
    name: 'conformance',
    host: 'local',
    code: { dir: code },
    workers,
  });
  return valueOf(
    makePlan(spec, {
      id: newJobId(Date.now()),
      createdAt: new Date().toISOString(),
      application: 'test',
      endpoints: GOOGLE_ENDPOINTS,
      code: { kind: 'dir', path: code },
      input: null,
      outputAccount: null,
      workerAccounts: [],
    }),
  );
}

async function until<T>(look: () => Promise<T | null>, what: string): Promise<T> {
  for (const end = Date.now() + 20_000; Date.now() < end;) {
    const found = await look();
    if (found !== null) return found;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`waited 20 s for ${what}`);
}

/** What every kind of host promises. The run directories must be readable by this process. */
export function hostSuite(name: string, open: () => Host): void {
  const text = async (host: Host, id: string, file: string): Promise<string | null> => {
    const piece = valueOf(await host.readFile(id, file, 0, 1_000_000));
    return piece === null ? null : Buffer.from(piece.bytes).toString();
  };
  const workerLogHolds = (host: Host, id: string, words: string) =>
    until(async () => ((await text(host, id, workerLog(0)))?.includes(words) ? true : null), words);
  const ended = (host: Host, id: string) =>
    until(async () => (valueOf(await host.agent(id)) === null ? true : null), 'the agent’s end');
  const freshPlan = (command: string): JobPlan => planOf(temporaryFolder(), [command]);

  test(`${name}: says what it has`, async () => {
    const host = open();
    const probe = valueOf(await host.probe());
    expect(probe.processors).toBeGreaterThan(0);
    expect(probe.disk.total).toBeGreaterThan(0);
    expect(Number(probe.nodeVersion.replace('v', '').split('.')[0])).toBeGreaterThanOrEqual(24);
    expect(probe.agentVersion).toBe(valueOf(await host.placeAgent()));
  });

  test(`${name}: tells folders from what is none`, async () => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, 'file'), '');
    const host = open();
    expect(valueOf(await host.isFolder(folder))).toBe(true);
    expect(valueOf(await host.isFolder(join(folder, 'file')))).toBe(false);
    expect(valueOf(await host.isFolder(join(folder, 'file', 'below')))).toBe(false);
    expect(valueOf(await host.isFolder(join(folder, 'missing')))).toBe(false);
  });

  test(`${name}: carries a run to its end, whoever looks`, async () => {
    const host = open();
    const plan = freshPlan('echo first; sleep 0.5; echo second');
    valueOf(await host.createRun(plan));
    expect(statSync(host.runDirectory(plan.id)).mode & 0o777).toBe(0o700);
    expect(valueOf(await host.agent(plan.id))).toBeNull();
    const agent = valueOf(await host.start(plan.id, secrets));
    expect(agent.pid).toBeGreaterThan(0);
    // Another process's view of the same host.
    const other = open();
    expect(valueOf(await other.listRuns())).toContain(plan.id);
    await workerLogHolds(other, plan.id, 'second');
    await ended(other, plan.id);
    const events = await text(other, plan.id, RUN.events);
    expect(events).toContain('"state":"finished"');
    const size = valueOf(await other.statFile(plan.id, RUN.events))?.size;
    expect(size).toBe(Buffer.byteLength(events ?? ''));
    const piece = valueOf(await other.readFile(plan.id, RUN.events, 5, 10));
    expect(Buffer.from(piece!.bytes).toString()).toBe(events?.slice(5, 15));
    expect(piece!.size).toBe(size);
    expect(
      valueOf(await other.readFile(plan.id, RUN.events, (size ?? 0) + 5, 10))?.bytes,
    ).toHaveLength(0);
    valueOf(await other.removeRun(plan.id));
    expect(valueOf(await other.listRuns())).not.toContain(plan.id);
  });

  test(`${name}: one agent for a run`, async () => {
    const host = open();
    const plan = freshPlan('sleep 30');
    valueOf(await host.createRun(plan));
    const agent = valueOf(await host.start(plan.id, secrets));
    expect(problemOf(await open().start(plan.id, secrets)).code).toBe('host.run-is-carried');
    expect(valueOf(await open().agent(plan.id))).toEqual(agent);
    valueOf(await open().requestStop(plan.id, new Date().toISOString()));
    await ended(host, plan.id);
    expect(await text(host, plan.id, RUN.events)).toContain('"state":"stopped"');
  });

  test(`${name}: an agent that was killed is told, and another goes on with the same worker`, async () => {
    const host = open();
    const plan = freshPlan('echo started $$; sleep 4; echo done');
    valueOf(await host.createRun(plan));
    const first = valueOf(await host.start(plan.id, secrets));
    await workerLogHolds(host, plan.id, 'started');
    process.kill(first.pid, 'SIGKILL');
    await ended(host, plan.id);
    const second = valueOf(await host.start(plan.id, secrets));
    expect(second.pid).not.toBe(first.pid);
    await workerLogHolds(host, plan.id, 'done');
    await ended(host, plan.id);
    const log = (await text(host, plan.id, workerLog(0))) ?? '';
    expect(log.match(/started/g)).toHaveLength(1);
    expect(await text(host, plan.id, RUN.events)).toContain('"state":"finished"');
  });

  test(`${name}: files are put in place closed to others, and what is not there is null`, async () => {
    const host = open();
    const plan = freshPlan('true');
    valueOf(await host.createRun(plan));
    valueOf(await host.writeFile(plan.id, 'access.json', '{}'));
    valueOf(await host.deliverTokens(plan.id, { format: 1, tokens: [] }));
    const path = join(host.runDirectory(plan.id), 'access.json');
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(readFileSync(path, 'utf8')).toBe('{}');
    expect(valueOf(await host.readFile(plan.id, 'logs/none.log', 0, 10))).toBeNull();
    expect(valueOf(await host.statFile(plan.id, RUN.events))).toBeNull();
    expect(valueOf(await host.readFile(newJobId(0), RUN.plan, 0, 10))).toBeNull();
    mkdirSync(join(host.runDirectory(plan.id), '..', 'not-a-run'), { recursive: true });
    expect(valueOf(await host.listRuns())).not.toContain('not-a-run');
    await expect((async () => host.readFile(plan.id, '../../x', 0, 1))()).rejects.toThrow();
    await expect((async () => host.statFile('../x', RUN.plan))()).rejects.toThrow();
    valueOf(await host.removeRun(plan.id));
  });
}
