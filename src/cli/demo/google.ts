import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { keyTokenSource, type TokenSource } from '../../google/access-token.ts';
import { acceptedTokenUris, endpointsFromEnvironment } from '../../google/endpoints.ts';
import { parseServiceAccountFile } from '../../google/service-account-file.ts';
import type { GoogleEndpoints } from '../../shared/endpoints.ts';
import type { AccessPurpose, ServiceAccountKey } from '../../shared/key.ts';
import { valueOf } from '../exit.ts';

/** The demo's project, buckets and addresses: those of the announcement that users copy from. */
export const PROJECT = 'demo-project';
export const INPUT_BUCKET = 'input-data-bucket';
export const OUTPUT_BUCKET = 'artifacts-bucket';
export const INPUT = `gs://${INPUT_BUCKET}/data`;
export const OUTPUT = `gs://${OUTPUT_BUCKET}/results`;

export const emailOf = (name: string): string => `${name}@${PROJECT}.iam.gserviceaccount.com`;
export const TRAINER = emailOf('trainer');

/** The three grants that the job needs, and no other: role or permission, bucket, condition. */
export const TRAINER_GRANTS: readonly {
  readonly role: string;
  readonly bucket: string;
  readonly condition: string | null;
}[] = [
  {
    role: 'roles/storage.objectViewer',
    bucket: INPUT_BUCKET,
    condition: `resource.name.startsWith("projects/_/buckets/${INPUT_BUCKET}/objects/data/")`,
  },
  { role: 'storage.objects.list', bucket: INPUT_BUCKET, condition: null },
  {
    role: 'roles/storage.objectCreator',
    bucket: OUTPUT_BUCKET,
    condition: `resource.name.startsWith("projects/_/buckets/${OUTPUT_BUCKET}/objects/results/")`,
  },
];

/** The embedded Google of one demo: a child process, gone with `stop` and with this process. */
export interface DemoGoogle {
  readonly url: string;
  /** The four variables that point programs at it. */
  readonly environment: Readonly<Record<string, string>>;
  readonly endpoints: GoogleEndpoints;
  /** What `trainyard emulator` is given to start it again on the same objects. */
  readonly args: readonly string[];
  readonly keyFiles: { readonly trainer: string; readonly reader: string; readonly setup: string };
  stop(): Promise<void>;
}

/** Milliseconds until it must listen. */
const START_TIME = 15_000;

/** Starts it with its objects and key files below `folder`. Three accounts: the trainer, a reader of the output, and one for the set-up. */
export async function startDemoGoogle(emulator: string, folder: string): Promise<DemoGoogle> {
  const keyFiles = {
    trainer: path.join(folder, 'trainer.json'),
    reader: path.join(folder, 'reader.json'),
    setup: path.join(folder, 'setup.json'),
  };
  const args = [
    ...['--dir', path.join(folder, 'objects'), '--project', PROJECT],
    ...Object.values(keyFiles).flatMap((file) => ['--account', file]),
    ...['--admin', emailOf('setup')],
    ...TRAINER_GRANTS.flatMap(({ role, bucket, condition }) => [
      '--grant',
      `${TRAINER}=${role}@${bucket}${condition === null ? '' : `@${condition}`}`,
    ]),
    ...['--grant', `${emailOf('reader')}=roles/storage.objectViewer@${OUTPUT_BUCKET}`],
  ];
  // It ends with the channel, so also when this process is killed.
  const child = spawn(process.execPath, [emulator, '--port', '0', ...args], {
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    // Ctrl+C at the terminal goes to this process alone, which then ends things in order.
    detached: true,
  });
  const ended = once(child, 'exit');
  const stop = async (): Promise<void> => {
    if (child.exitCode === null && child.signalCode === null) child.kill('SIGTERM');
    const late = setTimeout(() => child.kill('SIGKILL'), 5_000);
    await ended;
    clearTimeout(late);
  };
  let stdout = '';
  let stderr = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    stderr = (stderr + text).slice(-2_000);
  });
  try {
    await new Promise<void>((resolve, reject) => {
      const late = setTimeout(
        () => reject(new Error('The embedded Google did not start.')),
        START_TIME,
      );
      child.stdout?.setEncoding('utf8').on('data', (text: string) => {
        stdout += text;
        if (stdout.split('\n').length <= 4) return;
        clearTimeout(late);
        resolve();
      });
      child.once('error', reject);
      child.once('exit', (code) => {
        clearTimeout(late);
        reject(new Error(`The embedded Google ended with ${String(code)}. ${stderr}`));
      });
    });
  } catch (error) {
    await stop();
    throw error;
  }
  const environment: Record<string, string> = {};
  for (const [, name, value] of stdout.matchAll(/^export ([A-Z_]+)=(\S+)$/gm))
    if (name !== undefined && value !== undefined) environment[name] = value;
  const url = environment['STORAGE_EMULATOR_HOST'] ?? '';
  return {
    url,
    environment,
    endpoints: valueOf(endpointsFromEnvironment(environment)),
    args: [...(URL.canParse(url) ? ['--port', new URL(url).port] : []), ...args],
    keyFiles,
    stop,
  };
}

/** Reads a key file of the demo. */
export async function readKey(
  file: string,
  endpoints: GoogleEndpoints,
): Promise<ServiceAccountKey> {
  return valueOf(
    parseServiceAccountFile(await readFile(file), {
      fileName: path.basename(file),
      acceptedTokenUris: acceptedTokenUris(endpoints),
    }),
  );
}

export async function accountTokens(
  file: string,
  purpose: AccessPurpose,
  endpoints: GoogleEndpoints,
): Promise<TokenSource> {
  return keyTokenSource(await readKey(file, endpoints), purpose, endpoints);
}

/** One request of the JSON API. Throws on another status than 200: the demo's own set-up must work. */
export async function request(
  tokens: TokenSource,
  address: string,
  init: RequestInit = {},
): Promise<Response> {
  const { token } = valueOf(await tokens.token());
  const response = await fetch(address, {
    ...init,
    headers: {
      ...(init.headers as Record<string, string> | undefined),
      authorization: `Bearer ${token}`,
    },
  });
  if (response.status !== 200)
    throw new Error(
      `${init.method ?? 'GET'} ${new URL(address).pathname} answered ${response.status}.`,
    );
  return response;
}

/** Makes a bucket through the API, as anybody would. */
export async function createBucket(
  google: Pick<DemoGoogle, 'url'>,
  tokens: TokenSource,
  name: string,
): Promise<void> {
  const response = await request(tokens, `${google.url}/storage/v1/b?project=${PROJECT}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      name,
      iamConfiguration: { uniformBucketLevelAccess: { enabled: true } },
    }),
  });
  await response.arrayBuffer();
}
