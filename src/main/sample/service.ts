import { existsSync } from 'node:fs';
import { cp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import { ENDED_EMULATOR } from '../../shared/endpoints.ts';
import type { SampleStatus } from '../../shared/ipc/sample.ts';
import { goesOn } from '../../shared/job-status.ts';
import { fail, ok, type Problem, type Result } from '../../shared/problem.ts';
import type { JobView } from '../../shared/views.ts';
import type { JobService } from '../jobs/service.ts';
import type { KeyService } from '../keys/service.ts';
import type { EndpointsInForce } from '../platform/endpoints-in-force.ts';
import type { Log } from '../platform/log.ts';
import type { Environment, HomePaths } from '../platform/paths.ts';
import type { SettingsReader, SettingsWriter } from '../store/settings.ts';
import { endEarlier, readAccount, writeAccount } from './account.ts';
import { makeSampleData } from './data.ts';
import {
  accountTokens,
  emailOf,
  grantOptions,
  INPUT,
  OUTPUT,
  OUTPUT_BUCKET,
  PROJECT,
  startEmbeddedGoogle,
  TRAINER,
  TRAINER_GRANTS,
  type EmbeddedGoogle,
} from './google.ts';
import { sampleJobFile } from './job-file.ts';
import { EMULATED, ENDED, inUse, noFolder, NOT_HERE } from './problems.ts';
import { makeFolders } from '../platform/make-folders.ts';

/**
 * Sample data: an embedded Google of this home, to try everything without an account. A child process on loopback with its files in
 * `<home>/sample`. While it is in use the endpoints of this process lead to it, also after a restart, at the same port.
 */
export interface SampleService {
  status(): Promise<SampleStatus>;
  /** Starts it; the first time it makes buckets, data and an account. Errors: `host.embedded-google`, `input.sample-...`, those of the agent's place. */
  start(): Promise<Result<SampleStatus>>;
  /** Starts it again where it was in use when the application ended. What goes wrong is in the status. */
  resume(): Promise<void>;
  /** Errors: `input.sample-in-use`. */
  stop(remove: boolean): Promise<Result<SampleStatus>>;
  /** Calls back with every new state. Returns the disposer. */
  watch(listener: (status: SampleStatus) => void): () => void;
  /** Jobs that go on and need it. */
  neededBy(): Promise<readonly JobView[]>;
  /** Ends its process, unless a job needs it: that outlives this process until nothing was asked for half an hour. */
  close(): Promise<void>;
}

/** What it is made of; null where the application came without. */
export interface SampleFiles {
  /** The emulator's program. */
  readonly emulator: string;
  /** The folder of the examples. */
  readonly examples: string;
}

export interface SampleParts {
  readonly files: SampleFiles | null;
  readonly paths: HomePaths;
  readonly env: Environment;
  readonly settings: SettingsReader & SettingsWriter;
  readonly keys: Pick<KeyService, 'list' | 'remove'>;
  readonly jobs: Pick<JobService, 'list' | 'plan'>;
  readonly endpoints: EndpointsInForce;
  /** A Node.js 24 that stays where it is when the application is removed. */
  readonly placeNode: () => Promise<Result<string>>;
  readonly log: Log;
}

const SETTING = 'sample';
const settingSchema = z.object({ port: z.int().min(1).max(65_535), on: z.boolean() });
type Setting = z.infer<typeof settingSchema>;

/** How long a Google that outlived its application waits for its job. Seconds. */
const LINGER = 1_800;

/** Besides the three grants of the job: its user looks at the output with the same key. */
const LOOKS_AT_OUTPUT = [
  { role: 'roles/storage.objectViewer', bucket: OUTPUT_BUCKET, condition: null },
];

export function sampleService(parts: SampleParts): SampleService {
  const { files, paths, env, settings, keys, jobs, endpoints, log } = parts;
  const root = join(paths.home, 'sample');
  const at = {
    google: join(root, 'google'),
    /** To be taken into the vault. */
    keyFile: join(root, 'trainer.json'),
    /** The same account with the public half alone: what the emulator needs to know it again. */
    account: join(root, 'account.json'),
    setup: join(root, 'setup.json'),
    dataset: join(root, 'dataset'),
    code: join(root, 'digits'),
  };
  const listeners = new Set<(status: SampleStatus) => void>();
  let google: EmbeddedGoogle | null = null;
  /** Its address while it runs, and after it ended. */
  let storageWas = endpoints.first.storage;
  let starting: { readonly step: string } | null = null;
  let broken: Problem | null = null;
  let leaving = false;

  const readSetting = (): Setting | null => {
    const row = settings.get(SETTING);
    if (!row.ok || row.value === null) return null;
    try {
      const parsed = settingSchema.safeParse(JSON.parse(row.value));
      return parsed.success ? parsed.data : null;
    } catch {
      return null;
    }
  };
  const keepSetting = (setting: Setting): Result<void> =>
    settings.set(SETTING, JSON.stringify(setting));

  /** The card of the sample's key, where it is in the vault. */
  const findCard = async () => {
    const account = await readAccount(at.account);
    const cards = account === null ? null : await keys.list();
    if (account === null || cards === null || !cards.ok) return null;
    return cards.value.find((card) => card.privateKeyId === account.private_key_id) ?? null;
  };

  const places = () => ({
    storage: storageWas,
    input: `${INPUT}/`,
    output: `${OUTPUT}/`,
  });

  const status = async (): Promise<SampleStatus> => {
    if (starting !== null) return { state: 'starting', step: starting.step };
    if (broken !== null) return { state: 'broken', ...places(), problem: broken };
    if (google === null)
      return { state: 'off', offered: files !== null && !endpoints.first.emulated };
    const card = await findCard();
    const node = card === null ? null : await parts.placeNode();
    return {
      state: 'on',
      ...places(),
      keyFile: existsSync(at.keyFile) ? at.keyFile : null,
      key: card?.name ?? null,
      jobFile:
        card === null || node?.ok !== true
          ? null
          : sampleJobFile({ code: at.code, node: node.value, key: card.name }),
    };
  };
  const tell = async (): Promise<SampleStatus> => {
    const now = await status();
    for (const listener of listeners) listener(now);
    return now;
  };
  const step = (text: string): void => {
    starting = { step: text };
    void tell();
  };

  /** Starts the process on the folder, at the port it had, or at another where that is taken. */
  const startProcess = async (
    node: string,
    port: number,
    setUp: boolean,
  ): Promise<Result<EmbeddedGoogle>> => {
    if (files === null) return fail(NOT_HERE);
    await endEarlier(join(at.google, 'lock'));
    // Without its key in the vault or in the file, the account gets a new one.
    const known = existsSync(at.account) && (existsSync(at.keyFile) || (await findCard()) !== null);
    const args = (wanted: number) => [
      ...['--port', String(wanted), '--dir', at.google, '--project', PROJECT],
      ...['--linger', String(LINGER)],
      ...['--account', known ? at.account : at.keyFile],
      ...(setUp ? ['--account', at.setup, '--admin', emailOf('setup')] : []),
      ...grantOptions(TRAINER, [...TRAINER_GRANTS, ...LOOKS_AT_OUTPUT]),
    ];
    const options = { node, emulator: files.emulator, env };
    const started = await startEmbeddedGoogle({ ...options, args: args(port) });
    const made =
      started.ok || port === 0 ? started : await startEmbeddedGoogle({ ...options, args: args(0) });
    if (made.ok && !known) await writeAccount(at.keyFile, at.account);
    return made;
  };

  const hold = (started: EmbeddedGoogle): void => {
    google = started;
    broken = null;
    storageWas = started.endpoints.storage;
    endpoints.use(started.endpoints);
    void started.ended.then(() => {
      if (google !== started || leaving) return;
      google = null;
      broken = ENDED;
      // Another program may take its port.
      endpoints.use(ENDED_EMULATOR);
      log.warn('the embedded Google of the sample data ended', ENDED);
      void tell();
    });
  };

  const begin = async (): Promise<Result<void>> => {
    if (files === null) return fail(NOT_HERE);
    if (endpoints.first.emulated) return fail(EMULATED);
    step('An embedded Google starts on this machine');
    const node = await parts.placeNode();
    if (!node.ok) return node;
    const before = readSetting();
    try {
      const isNew = before === null || !existsSync(at.google);
      if (isNew) {
        // What an earlier start that did not come to its end left there.
        await endEarlier(join(at.google, 'lock'));
        await rm(root, { recursive: true, force: true, maxRetries: 5 });
      }
      makeFolders(at.google);
      await cp(join(files.examples, 'digits'), at.code, { recursive: true });
      const started = await startProcess(node.value, before?.port ?? 0, isNew);
      if (!started.ok) return started;
      if (isNew) {
        const made = await setUp(started.value, node.value);
        if (!made.ok) {
          await started.value.stop();
          return made;
        }
      }
      const kept = keepSetting({ port: started.value.port, on: true });
      if (!kept.ok) {
        await started.value.stop();
        return kept;
      }
      hold(started.value);
      return ok();
    } catch (error) {
      return fail(noFolder(root, error));
    }
  };

  const setUp = async (started: EmbeddedGoogle, node: string): Promise<Result<void>> => {
    const tokens = await accountTokens(at.setup, 'write', started.endpoints);
    if (!tokens.ok) return tokens;
    const made = await makeSampleData({
      google: started,
      tokens: tokens.value,
      node,
      code: at.code,
      folder: at.dataset,
      env,
      onStep: step,
    });
    // Later starts do not know this account.
    await rm(at.setup, { force: true });
    return made;
  };

  const neededBy = async (): Promise<readonly JobView[]> => {
    if (google === null && broken === null) return [];
    const needing: JobView[] = [];
    for (const job of await jobs.list()) {
      if (!goesOn(job)) continue;
      const plan = await jobs.plan(job.id);
      if (plan.ok && plan.value.endpoints.storage === storageWas) needing.push(job);
    }
    return needing;
  };

  const start = async (): Promise<Result<void>> => {
    if (starting !== null || google !== null) return ok();
    broken = null;
    const begun = await begin();
    starting = null;
    return begun;
  };

  return {
    status,
    neededBy,
    async start() {
      const started = await start();
      if (!started.ok && readSetting()?.on === true) broken = started.problem;
      const now = await tell();
      return started.ok ? ok(now) : started;
    },
    async resume() {
      const before = readSetting();
      if (before?.on !== true || endpoints.first.emulated) return;
      // From the first moment: nothing that is meant for the sample goes to the real Google.
      const origin = `http://127.0.0.1:${before.port}`;
      storageWas = origin;
      endpoints.use({
        storage: origin,
        oauthToken: `${origin}/token`,
        securityTokenService: `${origin}/v1/token`,
        resourceManager: origin,
        emulated: true,
      });
      const started = await start();
      if (!started.ok) {
        broken = started.problem;
        endpoints.use(ENDED_EMULATOR);
        log.error('the sample data could not be started again', started.problem);
      }
      await tell();
    },
    async stop(remove) {
      const needing = await neededBy();
      const [first] = needing;
      if (first !== undefined) return fail(inUse(first, needing.length));
      const card = remove ? await findCard() : null;
      const running = google;
      google = null;
      broken = null;
      await running?.stop();
      endpoints.use(endpoints.first);
      const before = readSetting();
      if (before !== null) keepSetting({ ...before, on: false });
      if (remove) {
        if (card !== null) {
          const removed = await keys.remove(card.id);
          if (!removed.ok) log.warn('the key of the sample data stays', removed.problem);
        }
        await rm(root, { recursive: true, force: true, maxRetries: 5 });
      }
      return ok(await tell());
    },
    watch(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    async close() {
      leaving = true;
      listeners.clear();
      if (google === null) return;
      if ((await neededBy()).length === 0) await google.stop();
    },
  };
}
