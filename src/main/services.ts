import { join } from 'node:path';
import { endpointsFromEnvironment } from '../google/endpoints.ts';
import type { GoogleEndpoints } from '../shared/endpoints.ts';
import { ok, type Result } from '../shared/problem.ts';
import { bucketService, type BucketService } from './buckets/service.ts';
import { hostsOf, type Hosts } from './hosts/hosts.ts';
import { localHost } from './hosts/local/host.ts';
import { placeAgent } from './hosts/local/place-agent.ts';
import { gpuRules } from './jobs/choose-gpus.ts';
import { begunRuns } from './jobs/begun-runs.ts';
import { narrowingBook } from './jobs/narrowing-book.ts';
import { jobService, type JobService } from './jobs/service.ts';
import { chooseVaults } from './keys/choose-vault.ts';
import type { KeychainPatience } from './keys/keychain-vault.ts';
import { powerBook } from './keys/power-book.ts';
import { keyService, type KeyService } from './keys/service.ts';
import { chosenVault } from './keys/vault-choice.ts';
import { endpointsInForce } from './platform/endpoints-in-force.ts';
import { openLog, type Log } from './platform/log.ts';
import { nodeRuntimeFor } from './platform/node-runtime.ts';
import { homePaths, type Environment, type HomePaths } from './platform/paths.ts';
import { sampleService, type SampleFiles, type SampleService } from './sample/service.ts';
import { bookmarkRows, type BookmarkReader, type BookmarkWriter } from './store/bookmarks.ts';
import { jobRows } from './store/jobs.ts';
import { keyUseRows } from './store/key-uses.ts';
import { keyRows } from './store/keys.ts';
import { openStore, type Store } from './store/open.ts';
import { settingRows, type SettingsReader, type SettingsWriter } from './store/settings.ts';

/** Everything that the application and the command line do, without a window. */
export interface Services {
  readonly env: Environment;
  readonly paths: HomePaths;
  /** Those of this moment: `src/main/platform/endpoints-in-force.ts`. */
  readonly endpoints: GoogleEndpoints;
  readonly log: Log;
  readonly store: Store;
  readonly settings: SettingsReader & SettingsWriter;
  readonly keys: KeyService;
  readonly buckets: BucketService;
  readonly bookmarks: BookmarkReader & BookmarkWriter;
  readonly hosts: Hosts;
  readonly jobs: JobService;
  readonly sample: SampleService;
  close(): Promise<void>;
}

export interface ServicesOptions {
  readonly env: Environment;
  /** The application's version. */
  readonly version: string;
  /** The built agent: `agent.mjs` and its `manifest.json`. */
  readonly agentFolder: string;
  /** A Node.js 24 program for agents. Without it: one beside the agent, one in the checkout's packages, or this very program. */
  readonly nodeRuntime?: string;
  /** How long the keychain is waited for, and who is told. */
  readonly keychain?: KeychainPatience;
  /** The variables of the terminal in which this program was started, for the workers of jobs that it starts. Without it there are none. */
  readonly terminal?: Readonly<Record<string, string>>;
  /** What sample data is made of. Without it there is none. */
  readonly sample?: SampleFiles;
}

/**
 * Opens the services on one home folder. Quick: it makes folders and reads the environment; database, vault and network wait for their
 * first use. Several processes may have the same home open.
 * Errors: `host.home-folder`, `host.home-not-private`, `input.endpoint`. A wrong `TRAINYARD_VAULT` is told by the first use of a key.
 */
export async function openServices(options: ServicesOptions): Promise<Result<Services>> {
  const { env, version } = options;
  const first = endpointsFromEnvironment(env);
  if (!first.ok) return first;
  const inForce = endpointsInForce(first.value);
  const endpoints = inForce.live;
  const paths = homePaths(env);
  if (!paths.ok) return paths;
  const log = openLog(join(paths.value.logs, 'trainyard.log'));
  const store = openStore(paths.value.database, log);
  const settings = settingRows(store);
  const { agentFolder } = options;
  const nodeRuntime =
    options.nodeRuntime ?? nodeRuntimeFor([agentFolder, join(agentFolder, '../../node_modules')]);
  const keys = keyService({
    rows: keyRows(store),
    uses: keyUseRows(store),
    settings,
    vaults: chooseVaults(env, paths.value, () => chosenVault(settings), {
      node: nodeRuntime,
      ...options.keychain,
    }),
    endpoints,
    log,
  });
  const local = localHost({ paths: paths.value, agentFolder, nodeRuntime, env, log });
  await local.sweepKeys();
  const hosts = hostsOf([local]);
  const jobs = jobService({
    hosts,
    keys,
    powers: powerBook(settings),
    narrowing: narrowingBook(settings),
    begun: begunRuns(settings),
    endpoints,
    version,
    gpuRules: () => gpuRules(env, settings),
    rows: jobRows(store),
    log,
    ...(options.terminal === undefined ? {} : { terminal: options.terminal }),
  });
  const sample = sampleService({
    files: options.sample ?? null,
    paths: paths.value,
    env,
    settings,
    keys,
    jobs,
    endpoints: inForce,
    async placeNode() {
      const placed = await placeAgent(paths.value.agents, { agentFolder, nodeRuntime });
      return placed.ok ? ok(placed.value.node) : placed;
    },
    log,
  });
  return ok({
    env,
    paths: paths.value,
    endpoints,
    log,
    store,
    settings,
    keys,
    buckets: bucketService(keys, endpoints),
    bookmarks: bookmarkRows(store),
    hosts,
    jobs,
    sample,
    async close() {
      await sample.close();
      store.close();
    },
  });
}
