import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Storage } from '@google-cloud/storage';
import { OAuth2Client } from 'google-auth-library';
import { expect } from 'vitest';
import { parseJobFile } from '../../../src/main/jobs/job-file.ts';
import { openServices, type Services } from '../../../src/main/services.ts';
import type { Result } from '../../../src/shared/problem.ts';
import type { JobView } from '../../../src/shared/views.ts';
import type { SubmittedJob } from '../../../src/main/jobs/service.ts';
import { emailOf, startEmulator, type RunningEmulator } from '../../emulator/start.ts';
import { afterEveryFile, afterEveryTest } from '../../support/clean-up.ts';
import { AGENT_FOLDER } from '../../support/programs.ts';
import { makeQuickVault } from '../../support/quick-vault.ts';
import { temporaryFolder, valueOf } from '../temp.ts';

export const trainer = emailOf('trainer');
const data = 'resource.name.startsWith("projects/_/buckets/input-data-bucket/objects/data/")';
const results = 'resource.name.startsWith("projects/_/buckets/artifacts-bucket/objects/results/")';
const grants = [
  `${trainer}=roles/storage.objectViewer@input-data-bucket@${data}`,
  `${trainer}=storage.objects.list@input-data-bucket`,
  `${trainer}=roles/storage.objectCreator@artifacts-bucket@${results}`,
];

const emulators: RunningEmulator[] = [];
const opened: Services[] = [];
afterEveryFile(() => Promise.all(emulators.splice(0).map((emulator) => emulator.stop())));
afterEveryTest(async () => {
  for (const services of opened.splice(0)) {
    for (const view of await services.jobs.list())
      if (view.agent !== null) {
        await services.jobs.stop(view.id);
        // A worker with a key file has it on the memory disk until its run ended.
        await until(services, view.id, ({ agent }) => agent === null);
      }
    await services.close();
  }
});

export async function google(
  options: { lifetime?: number; dir?: string } = {},
): Promise<RunningEmulator> {
  const emulator = await startEmulator({
    accounts: [{ name: 'trainer' }, { name: 'admin' }],
    admins: [emailOf('admin')],
    grants,
    ...(options.lifetime === undefined ? {} : { tokenLifetimeSeconds: options.lifetime }),
  });
  emulators.push(emulator);
  const key = JSON.parse(readFileSync(emulator.keyFiles['admin']!, 'utf8')) as {
    client_email: string;
  };
  expect(key.client_email).toBe(emailOf('admin'));
  const storage = await adminOf(emulator);
  for (const bucket of ['input-data-bucket', 'artifacts-bucket'])
    await storage.createBucket(bucket);
  for (const name of ['data/a.txt', 'data/deep/b.txt'])
    await storage
      .bucket('input-data-bucket')
      .file(name)
      .save(`content of ${name}`, { resumable: false });
  return emulator;
}

/** An independent client with the admin's own token. */
export async function adminOf(emulator: RunningEmulator): Promise<Storage> {
  const { mintToken } = await import('../../../src/google/access-token.ts');
  const { parseServiceAccountFile } = await import('../../../src/google/service-account-file.ts');
  const { acceptedTokenUris, endpointsFromEnvironment } =
    await import('../../../src/google/endpoints.ts');
  const endpoints = valueOf(endpointsFromEnvironment(emulator.environment));
  const file = readFileSync(emulator.keyFiles['admin']!);
  const key = valueOf(
    parseServiceAccountFile(file, {
      fileName: 'k',
      acceptedTokenUris: acceptedTokenUris(endpoints),
    }),
  );
  const authClient = new OAuth2Client();
  authClient.refreshHandler = async () => {
    const scopes = ['https://www.googleapis.com/auth/cloud-platform'];
    const token = valueOf(
      await mintToken(key, scopes, endpoints, { signal: new AbortController().signal }),
    );
    return { access_token: token.token, expiry_date: token.expiresAt };
  };
  return new Storage({
    apiEndpoint: emulator.url,
    projectId: 'demo-project',
    authClient,
    useAuthWithCustomEndpoint: true,
  });
}

export interface Home {
  base: string;
  home: string;
  /** For a Trainyard in a process of its own. */
  env: NodeJS.ProcessEnv;
  open: () => Promise<Services>;
}

/** `vault`: `new` leaves its making to the first who needs it. */
export function freshHome(
  environment: Record<string, string> = {},
  vault: 'quick' | 'new' = 'quick',
): Home {
  const base = temporaryFolder();
  mkdirSync(join(base, 'code'));
  writeFileSync(join(base, 'code', 'train.sh'), 'echo training\n');
  const passphrase = join(base, 'passphrase');
  writeFileSync(passphrase, 'x\n', { mode: 0o600 });
  const home = join(base, 'home');
  const env = {
    ...process.env,
    // Not the start-up files of whoever runs the tests.
    HOME: base,
    ...environment,
    TRAINYARD_HOME: home,
    TRAINYARD_VAULT: 'passphrase',
    TRAINYARD_PASSPHRASE_FILE: passphrase,
  };
  return {
    base,
    home,
    env,
    open: async () => {
      if (vault === 'quick') await makeQuickVault(home, 'x');
      const services = valueOf(
        await openServices({
          env,
          version: 'test',
          agentFolder: AGENT_FOLDER,
          nodeRuntime: process.execPath,
        }),
      );
      opened.push(services);
      return services;
    },
  };
}

export const job = (command: string, more = ''): string =>
  `name: digits\nhost: local\ncode: { dir: ./code }\nworkers: [ ${JSON.stringify(command)} ]\n${more}`;

export async function submit(
  services: Services,
  base: string,
  text: string,
): Promise<Result<SubmittedJob>> {
  const path = join(base, 'job.yaml');
  return services.jobs.submit(valueOf(parseJobFile(text, { path })), { baseFolder: base });
}

export async function until(
  services: Services,
  id: string,
  is: (view: JobView) => boolean,
  seconds = 25,
): Promise<JobView> {
  for (const end = Date.now() + seconds * 1_000; ;) {
    const view = valueOf(await services.jobs.get(id));
    if (is(view)) return view;
    if (Date.now() > end)
      throw new Error(`still ${view.state}: ${JSON.stringify(view.status.problem)}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
export const ends = (services: Services, id: string): Promise<JobView> =>
  until(
    services,
    id,
    ({ state, agent }) =>
      agent === null && ['finished', 'failed', 'stopped', 'interrupted'].includes(state),
  );
