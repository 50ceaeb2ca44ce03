import { spawn } from 'node:child_process';
import { createPrivateKey, createSign } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { RunningEmulator } from './start.ts';

export interface Question {
  readonly token?: string | undefined;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Buffer;
  /** A body as JSON, with its Content-Type. */
  readonly json?: unknown;
  /** Further arguments of curl. */
  readonly curl?: readonly string[];
}

/** What answers of the emulator may hold, all of them together. */
export interface AnswerBody {
  readonly kind: string;
  readonly name: string;
  readonly size: string;
  readonly generation: string;
  readonly crc32c: string;
  readonly md5Hash?: string;
  readonly mediaLink: string;
  readonly etag: string;
  readonly cacheControl?: string;
  readonly metadata?: Readonly<Record<string, string>>;
  readonly items?: readonly AnswerBody[];
  readonly prefixes?: readonly string[];
  readonly nextPageToken?: string;
  readonly resource: unknown;
  readonly permissions?: readonly string[];
  readonly access_token?: string;
  readonly token_type?: string;
  readonly error_description?: string;
  /** Of the token endpoint a string. */
  readonly error: {
    readonly message: string;
    readonly errors: readonly { readonly reason: string }[];
  };
}

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
  readonly text: string;
  /** The body as JSON, taken for what the tests look at. */
  json(): AnswerBody;
}

/** Runs a program; what it wrote and how it ended. */
export function execute(
  program: string,
  argv: readonly string[],
  options: {
    readonly input?: string | Buffer;
    readonly env?: NodeJS.ProcessEnv;
    readonly cwd?: string;
    readonly timeoutSeconds?: number;
  } = {},
): Promise<{ readonly code: number | null; readonly stdout: Buffer; readonly stderr: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, argv, {
      env: options.env ?? process.env,
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
      timeout: (options.timeoutSeconds ?? 60) * 1000,
      killSignal: 'SIGKILL',
    });
    const out: Buffer[] = [];
    let stderr = '';
    child.stdout.on('data', (piece: Buffer) => out.push(piece));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
    child.once('error', reject);
    child.once('close', (code) => resolve({ code, stdout: Buffer.concat(out), stderr }));
    child.stdin.on('error', () => undefined);
    child.stdin.end(options.input ?? '');
  });
}

/** Asks with curl. */
export async function ask(
  base: string,
  method: string,
  path: string,
  question: Question = {},
): Promise<Answer> {
  const headers: Record<string, string> = { ...question.headers };
  let body = question.body;
  if (question.json !== undefined) {
    headers['Content-Type'] = 'application/json';
    body = JSON.stringify(question.json);
  }
  if (question.token !== undefined) headers['Authorization'] = `Bearer ${question.token}`;
  const argv = ['-s', '-S', '-g', '-i', '--path-as-is', '--max-time', '30', '--noproxy', '*'];
  if (method === 'HEAD') argv.push('-I');
  else argv.push('-X', method);
  for (const [name, value] of Object.entries(headers)) argv.push('-H', `${name}: ${value}`);
  if (body !== undefined) {
    if (headers['Content-Type'] === undefined) argv.push('-H', 'Content-Type:');
    argv.push('--data-binary', '@-');
  }
  argv.push(...(question.curl ?? []), path.startsWith('http') ? path : `${base}${path}`);
  const { code, stdout, stderr } = await execute('curl', argv, { input: body ?? '' });
  if (code !== 0) throw new Error(`curl ended with ${String(code)}: ${stderr}`);
  return readAnswer(stdout);
}

function readAnswer(raw: Buffer): Answer {
  const end = raw.indexOf('\r\n\r\n');
  const [first = '', ...lines] = raw.subarray(0, end).toString('latin1').split('\r\n');
  const status = Number(first.split(' ')[1]);
  const body = raw.subarray(end + 4);
  if (status === 100) return readAnswer(body);
  const headers = Object.fromEntries(
    lines.map((line) => {
      const colon = line.indexOf(':');
      return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
    }),
  );
  const text = body.toString('utf8');
  return { status, headers, body, text, json: () => JSON.parse(text) as AnswerBody };
}

export const SCOPES = {
  read: 'https://www.googleapis.com/auth/devstorage.read_only',
  write: 'https://www.googleapis.com/auth/devstorage.read_write',
  full: 'https://www.googleapis.com/auth/devstorage.full_control',
  platform: 'https://www.googleapis.com/auth/cloud-platform',
} as const;

export interface KeyFile {
  readonly private_key: string;
  readonly private_key_id: string;
  readonly client_email: string;
  readonly token_uri: string;
}

export async function readKeyFile(path: string): Promise<KeyFile> {
  return JSON.parse(await readFile(path, 'utf8')) as KeyFile;
}

/** A signed JWT of the account; claims and header may be replaced. */
export function assertion(
  key: KeyFile,
  claims: Readonly<Record<string, unknown>> = {},
  header: Readonly<Record<string, unknown>> = {},
): string {
  const now = Math.floor(Date.now() / 1000);
  const encode = (value: unknown): string =>
    Buffer.from(JSON.stringify(value)).toString('base64url');
  const signed = [
    encode({ alg: 'RS256', typ: 'JWT', kid: key.private_key_id, ...header }),
    encode({
      iss: key.client_email,
      scope: SCOPES.write,
      aud: key.token_uri,
      iat: now,
      exp: now + 3600,
      ...claims,
    }),
  ].join('.');
  const signature = createSign('RSA-SHA256')
    .update(signed)
    .sign(createPrivateKey(key.private_key), 'base64url');
  return `${signed}.${signature}`;
}

/** Exchanges a signed JWT with curl. */
export function exchange(address: string, jwt: string): Promise<Answer> {
  const form = new URLSearchParams({
    grant_type: 'urn:ietf:params:oauth:grant-type:jwt-bearer',
    assertion: jwt,
  });
  return ask('', 'POST', address, {
    body: form.toString(),
    headers: { 'Content-Type': 'application/x-www-form-urlencoded' },
  });
}

/** A token of an account of the emulator. */
export async function mint(
  emulator: RunningEmulator,
  name: string,
  scope: string = SCOPES.write,
): Promise<string> {
  const address = emulator.environment['TRAINYARD_OAUTH_ENDPOINT'] ?? '';
  const key = await readKeyFile(emulator.keyFiles[name] ?? '');
  const answer = await exchange(address, assertion(key, { scope, aud: address }));
  const token = answer.json().access_token;
  if (token === undefined) throw new Error(`No token: ${answer.text}`);
  return token;
}

export const objectPath = (bucket: string, name: string): string =>
  `/storage/v1/b/${bucket}/o/${encodeURIComponent(name)}`;

/** Uploads by `uploadType=media`. */
export function put(
  base: string,
  bucket: string,
  name: string,
  body: string | Buffer,
  question: Question & { readonly query?: string } = {},
): Promise<Answer> {
  return ask(
    base,
    'POST',
    `/upload/storage/v1/b/${bucket}/o?uploadType=media&name=${encodeURIComponent(name)}&${question.query ?? ''}`,
    { ...question, body },
  );
}

export function makeBucket(base: string, name: string, token?: string): Promise<Answer> {
  return ask(base, 'POST', '/storage/v1/b?project=demo-project', { token, json: { name } });
}
