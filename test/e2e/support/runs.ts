import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { GOOGLE_ENDPOINTS } from '../../../src/shared/endpoints.ts';
import type { RunEventBody } from '../../../src/shared/events.ts';
import type { Account } from '../../../src/shared/key.ts';
import {
  jobPlanSchema,
  RUN_FORMAT,
  transferPlanSchema,
  type RunPlan,
} from '../../../src/shared/plan.ts';
import { startTimeFromStat } from '../../../src/shared/process-identity.ts';
import { RUN, workerLog } from '../../../src/shared/run-directory.ts';

/** A run directory as an agent leaves it: what every reader of the home sees, without having to run a job for it. */
export interface WrittenRun {
  readonly id: string;
  readonly name: string;
  readonly workers: number;
  readonly createdAt: string;
  /** Of every worker. */
  readonly command?: string;
  /** The name of the output's key, which no vault has. */
  readonly key?: string;
  /** The id of that key's card. */
  readonly keyId?: string;
  /** A bucket. */
  readonly output?: string | undefined;
  /** Seconds after `createdAt`, and what happened then. */
  readonly events: readonly (readonly [number, RunEventBody])[];
  readonly logs?: Readonly<Partial<Record<number | 'stage', string>>>;
  /** This process stands for the agent: the run is carried by something alive. */
  readonly alive?: boolean;
}

/** What plans of every kind have. */
const planOf = ({ id, name, createdAt }: Pick<WrittenRun, 'id' | 'name' | 'createdAt'>) => ({
  format: RUN_FORMAT,
  id,
  name,
  host: 'local',
  createdAt,
  application: '0.1.0',
  endpoints: GOOGLE_ENDPOINTS,
});

export async function writeRun(home: string, run: WrittenRun): Promise<string> {
  const prefix = `results/${run.name}/${run.id}/`;
  const commands = Array.from({ length: run.workers }, () => run.command ?? 'node train.js');
  const plan = jobPlanSchema.parse({
    ...planOf(run),
    kind: 'training',
    gpusPerWorker: 0,
    code: { kind: 'dir', path: join(home, 'somewhere') },
    setup: null,
    workers: commands,
    env: {},
    input: null,
    output:
      run.output === undefined
        ? null
        : {
            address: `gs://${run.output}/results`,
            bucket: run.output,
            prefix,
            manifest: `${prefix}manifest.json`,
            layout: 'per-run',
            archive: false,
            account: run.key === undefined ? null : accountOf(run.key, run.keyId),
          },
    workerKeys: [],
    unattended: false,
    stopGraceSeconds: 10,
    logLimitBytes: 1_000_000_000,
    spec: {
      name: run.name,
      host: 'local',
      code: { dir: join(home, 'somewhere') },
      workers: commands,
      ...(run.output === undefined ? {} : { output: { gcs: `gs://${run.output}/results` } }),
    },
  });
  return writeFolder(home, run, plan);
}

/** A download of `gs://BUCKET/pictures/` into a folder beside the home. */
export async function writeDownload(
  home: string,
  run: Omit<WrittenRun, 'workers' | 'output'> & { readonly bucket: string },
): Promise<string> {
  const plan = transferPlanSchema.parse({
    ...planOf(run),
    kind: 'transfer',
    direction: 'download',
    bucket: run.bucket,
    target: { kind: 'folder', prefix: 'pictures/' },
    prefix: null,
    path: join(home, '..', 'pictures'),
    account: null,
    unattended: false,
  });
  return writeFolder(home, run, plan);
}

async function writeFolder(
  home: string,
  run: Omit<WrittenRun, 'workers'>,
  plan: RunPlan,
): Promise<string> {
  const folder = join(home, 'runs', run.id);
  for (const name of ['', RUN.logs, RUN.control, RUN.inbox, RUN.code, RUN.data])
    await mkdir(join(folder, name), { recursive: true, mode: 0o700 });
  await writeFile(join(folder, RUN.plan), JSON.stringify(plan));
  await writeEvents(folder, run);
  for (const [source, text] of Object.entries(run.logs ?? {}))
    await writeFile(
      join(folder, source === 'stage' ? RUN.stageLog : workerLog(Number(source))),
      text ?? '',
    );
  if (run.alive === true)
    await writeFile(join(folder, RUN.lock), JSON.stringify(await ownIdentity()));
  return folder;
}

function accountOf(name: string, keyId = `${name}-id`): Account {
  return {
    keyId,
    name,
    email: 'trainer@project.iam.gserviceaccount.com',
    projectId: 'project',
    privateKeyId: '0123456789abcdef',
  };
}

/** Writes the events anew, which looks like an append when the earlier ones are the same. */
export async function writeEvents(
  folder: string,
  run: Pick<WrittenRun, 'createdAt' | 'events'>,
): Promise<void> {
  const start = Date.parse(run.createdAt);
  const lines = run.events.map(([seconds, body], index) =>
    JSON.stringify({
      format: RUN_FORMAT,
      seq: index + 1,
      time: new Date(start + seconds * 1000).toISOString(),
      ...body,
    }),
  );
  await writeFile(join(folder, RUN.events), lines.map((line) => `${line}\n`).join(''));
}

export async function ownIdentity() {
  const stat = await readFile(`/proc/${process.pid}/stat`, 'utf8');
  const bootId = (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim();
  return { pid: process.pid, startTime: startTimeFromStat(stat) ?? '', bootId };
}

/** Finished runs `many-00000` and so on, each with nothing but its plan and its events: made from one, in groups. */
export async function writeManyRuns(home: string, count: number): Promise<void> {
  const first = await writeRun(home, manyRun(0));
  const plan = JSON.parse(await readFile(join(first, RUN.plan), 'utf8')) as object;
  const one = async (index: number): Promise<void> => {
    const run = manyRun(index);
    const folder = join(home, 'runs', run.id);
    await mkdir(folder, { mode: 0o700 });
    const { id, name, createdAt } = run;
    await writeFile(join(folder, RUN.plan), JSON.stringify({ ...plan, id, name, createdAt }));
    await writeEvents(folder, run);
  };
  for (let begin = 1; begin < count; begin += 100)
    await Promise.all(
      Array.from({ length: Math.min(100, count - begin) }, (_, index) => one(begin + index)),
    );
}

function manyRun(index: number): WrittenRun {
  const createdAt = new Date(Date.UTC(2026, 9, 1) + index * 60_000).toISOString();
  const [day, time] = [createdAt.slice(0, 10).replaceAll('-', ''), createdAt.slice(11, 19)];
  return {
    id: `${day}-${time.replaceAll(':', '')}-${String(index).padStart(6, '0')}`,
    name: `many-${String(index).padStart(5, '0')}`,
    workers: 1,
    createdAt,
    events: [
      [
        1,
        {
          kind: 'agent-started',
          agent: { pid: 4_000, startTime: '1', bootId: 'b' },
          version: '0.1.0',
          attempt: 1,
        },
      ],
      [2, { kind: 'ended', state: 'finished', stage: null, problem: null }],
    ],
  };
}
