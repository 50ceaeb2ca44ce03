import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { keyTokenSource, type TokenSource } from '../../google/access-token.ts';
import { acceptedTokenUris, endpointsFromEnvironment } from '../../google/endpoints.ts';
import { parseServiceAccountFile } from '../../google/service-account-file.ts';
import type { GoogleEndpoints } from '../../shared/endpoints.ts';
import type { AccessPurpose, ServiceAccountKey } from '../../shared/key.ts';
import { fail, ok, problem, type Problem, type Result } from '../../shared/problem.ts';
import type { Environment } from '../platform/paths.ts';

/** The embedded Google of the demo and of the window's sample data: a child process. */

/** Project, buckets and addresses: those of the announcement that users copy from. */
export const PROJECT = 'demo-project';
export const INPUT_BUCKET = 'input-data-bucket';
export const OUTPUT_BUCKET = 'artifacts-bucket';
export const INPUT = `gs://${INPUT_BUCKET}/data`;
export const OUTPUT = `gs://${OUTPUT_BUCKET}/results`;

export const emailOf = (name: string): string => `${name}@${PROJECT}.iam.gserviceaccount.com`;
export const TRAINER = emailOf('trainer');

export interface Grant {
  readonly role: string;
  readonly bucket: string;
  readonly condition: string | null;
}

/** The three grants that the job needs, and no other: role or permission, bucket, condition. */
export const TRAINER_GRANTS: readonly Grant[] = [
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

/** The emulator's options for grants of one account. Pure. */
export const grantOptions = (email: string, grants: readonly Grant[]): readonly string[] =>
  grants.flatMap(({ role, bucket, condition }) => [
    '--grant',
    `${email}=${role}@${bucket}${condition === null ? '' : `@${condition}`}`,
  ]);

export interface EmbeddedGoogle {
  readonly url: string;
  readonly port: number;
  /** The four variables that point programs at it. */
  readonly environment: Readonly<Record<string, string>>;
  readonly endpoints: GoogleEndpoints;
  /** Resolves when the process is gone, however that came. */
  readonly ended: Promise<void>;
  /** Ends it, by force if it must. */
  stop(): Promise<void>;
}

export interface EmbeddedGoogleOptions {
  /** A Node.js of version 24. */
  readonly node: string;
  /** The emulator's program. */
  readonly emulator: string;
  readonly args: readonly string[];
  readonly env: Environment;
}

/** Milliseconds until it must listen. */
const START_TIME = 15_000;
const STOP_TIME = 5_000;

/**
 * Starts it. It ends with the channel, so also when this process is killed, unless its options say otherwise.
 * Errors: `host.embedded-google`.
 */
export async function startEmbeddedGoogle(
  options: EmbeddedGoogleOptions,
): Promise<Result<EmbeddedGoogle>> {
  const child = spawn(options.node, [options.emulator, ...options.args], {
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    env: options.env,
    // Ctrl+C at a terminal goes to this process alone, which then ends things in order.
    detached: true,
  });
  const ended = new Promise<void>((resolve) => {
    child.once('exit', () => resolve());
    child.once('error', () => resolve());
  });
  const stop = async (): Promise<void> => {
    if (child.exitCode === null && child.signalCode === null) child.kill('SIGTERM');
    const late = setTimeout(() => child.kill('SIGKILL'), STOP_TIME);
    await ended;
    clearTimeout(late);
  };
  let stdout = '';
  let stderr = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    stderr = (stderr + text).slice(-2_000);
  });
  const failure = await new Promise<string | null>((resolve) => {
    const late = setTimeout(() => resolve('It did not listen in time.'), START_TIME);
    const say = (reason: string | null) => {
      clearTimeout(late);
      resolve(reason);
    };
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      stdout += text;
      if (stdout.split('\n').length > 4) say(null);
    });
    child.once('error', (error) => say(error.message));
    // With its last words, which come after the exit.
    child.once('close', (code) =>
      say(`It ended with status ${String(code)}. ${stderr.replace(/\s+/g, ' ')}`.trim()),
    );
  });
  if (failure !== null) {
    await stop();
    return fail(notStarted(failure));
  }
  const environment: Record<string, string> = {};
  for (const [, name, value] of stdout.matchAll(/^export ([A-Z_]+)=(\S+)$/gm))
    if (name !== undefined && value !== undefined) environment[name] = value;
  const endpoints = endpointsFromEnvironment(environment);
  if (!endpoints.ok) {
    await stop();
    return endpoints;
  }
  const url = endpoints.value.storage;
  const port = Number(new URL(url).port);
  return ok({ url, port, environment, endpoints: endpoints.value, ended, stop });
}

/** Reads a key file that the emulator wrote. */
export async function readKey(
  file: string,
  endpoints: GoogleEndpoints,
): Promise<Result<ServiceAccountKey>> {
  return parseServiceAccountFile(await readFile(file), {
    fileName: basename(file),
    acceptedTokenUris: acceptedTokenUris(endpoints),
  });
}

export async function accountTokens(
  file: string,
  purpose: AccessPurpose,
  endpoints: GoogleEndpoints,
): Promise<Result<TokenSource>> {
  const key = await readKey(file, endpoints);
  return key.ok ? ok(keyTokenSource(key.value, purpose, endpoints)) : key;
}

/** One request of the JSON API. Another status than 200 is `host.embedded-google`: what sets it up must work. */
export async function request(
  tokens: TokenSource,
  address: string,
  init: RequestInit = {},
): Promise<Result<Response>> {
  const access = await tokens.token();
  if (!access.ok) return access;
  const response = await fetch(address, {
    ...init,
    headers: {
      ...(init.headers as Record<string, string> | undefined),
      authorization: `Bearer ${access.value.token}`,
    },
  });
  if (response.status === 200) return ok(response);
  await response.arrayBuffer();
  return fail(
    notStarted(
      `${init.method ?? 'GET'} ${new URL(address).pathname} answered ${response.status}.`,
      response.status,
    ),
  );
}

/** Makes a bucket through the API, as anybody would. One that is there already stays as it is. */
export async function createBucket(
  google: Pick<EmbeddedGoogle, 'url'>,
  tokens: TokenSource,
  name: string,
): Promise<Result<void>> {
  const response = await request(tokens, `${google.url}/storage/v1/b?project=${PROJECT}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      name,
      iamConfiguration: { uniformBucketLevelAccess: { enabled: true } },
    }),
  });
  if (!response.ok) return response.problem.subject === '409' ? ok() : response;
  await response.value.arrayBuffer();
  return ok();
}

/** Puts one object, in one request. */
export async function putObject(
  google: Pick<EmbeddedGoogle, 'url'>,
  tokens: TokenSource,
  object: { readonly bucket: string; readonly name: string; readonly bytes: Uint8Array },
): Promise<Result<void>> {
  const query = `uploadType=media&name=${encodeURIComponent(object.name)}`;
  const response = await request(
    tokens,
    `${google.url}/upload/storage/v1/b/${object.bucket}/o?${query}`,
    {
      method: 'POST',
      headers: { 'content-type': 'application/octet-stream' },
      body: new Uint8Array(object.bytes),
    },
  );
  if (!response.ok) return response;
  await response.value.arrayBuffer();
  return ok();
}

/** Runs a program to its end. Errors: `host.embedded-google`, with its last words. */
export async function runToEnd(
  file: string,
  args: readonly string[],
  options: { readonly env: Environment; readonly signal?: AbortSignal },
): Promise<Result<void>> {
  const child = spawn(file, [...args], {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: options.env,
    ...(options.signal === undefined ? {} : { signal: options.signal }),
  });
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr = (stderr + text).slice(-1_000);
  });
  try {
    const [code] = (await once(child, 'close')) as [number | null];
    if (code === 0) return ok();
    return fail(notStarted(`${basename(args[0] ?? file)} ended with ${String(code)}. ${stderr}`));
  } catch (error) {
    return fail(notStarted(error instanceof Error ? error.message : String(error)));
  }
}

function notStarted(reason: string, status?: number): Problem {
  return problem({
    code: 'host.embedded-google',
    op: 'start the embedded Google',
    subject: status === undefined ? 'the embedded Google' : String(status),
    message: `The embedded Google did not work: ${reason}`,
    hint: 'Try again; where it says that the disk is full or a folder cannot be written, mend that first.',
    retryable: true,
  });
}
