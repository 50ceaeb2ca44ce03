import { createHash, randomUUID } from 'node:crypto';
import { chmod, mkdir, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { emailOf, startEmulator, type RunningEmulator } from '../emulator/start.ts';
import { mintFor } from '../cli/mint.ts';
import { makeQuickVault } from '../support/quick-vault.ts';
import { application, type Application, type Runtime } from './application.ts';
import { copyProgram, startCommand, type Command } from './program.ts';
import { processesIn } from './processes.ts';
import { seededBytes } from './random.ts';

export const INPUT = 'soak-input-bucket';
export const OUTPUT = 'soak-output-bucket';
export const WORKERS = 3;

/** Bytes of the large input object: several slices, and above the limit to which files go up in one request. */
const LARGE = 24 * 1024 * 1024 + 12_345;
const PART = 10 * 1024 * 1024;

/**
 * What a worker does: notes its start outside the run, holds a lock that only one of its starts can hold, writes a line to its log ten times,
 * and puts files that depend on the input and its number alone in place by rename.
 */
const WORKER = `set -eu
n=$TRAINYARD_WORKER
notes=$SOAK_NOTES/$TRAINYARD_JOB_ID-$n
exec 9>>"$notes.lock"
flock -w 3 9 || echo "overlap $$" >> "$notes"
echo "start $$" >> "$notes"
echo "key $GOOGLE_APPLICATION_CREDENTIALS" >> "$notes"
test -r "$GOOGLE_APPLICATION_CREDENTIALS"
work=$TRAINYARD_CHECKPOINT_PATH
mkdir -p "$TRAINYARD_OUTPUT_PATH/deep/er"
cd "$TRAINYARD_DATA_PATH"
for step in 1 2 3 4 5 6 7 8 9 10; do echo "worker $n, step $step"; sleep 0.0$((5 + n)); done
find . -type f | LC_ALL=C sort | xargs sha256sum > "$work/sums"
mv "$work/sums" "$TRAINYARD_OUTPUT_PATH/sums.txt"
tail -c ${PART} large.bin > "$work/part"
echo "worker $n" >> "$work/part"
mv "$work/part" "$TRAINYARD_OUTPUT_PATH/deep/part.bin"
for name in 0 1 2 3 4 5; do
  echo "$name of $n" > "$work/small"
  mv "$work/small" "$TRAINYARD_OUTPUT_PATH/deep/er/$name.txt"
done
echo "end $$" >> "$notes"
`;

/** A home with a passphrase vault and the embedded Google, two buckets, one job file. */
export interface World {
  readonly folder: string;
  readonly home: string;
  readonly notes: string;
  readonly google: RunningEmulator;
  /** Name below `data/` to SHA-256 of each input object. */
  readonly input: ReadonlyMap<string, string>;
  readonly jobFile: string;
  /** The service account whose key the workers get. */
  readonly account: string;
  /** The application on the same home, where there is an Electron. It is not open at first. */
  readonly window: Application | null;
  start(parameters: readonly string[]): Command;
  json<T>(parameters: readonly string[]): Promise<T>;
  runIds(): Promise<readonly string[]>;
  /** Asks the embedded Google as someone who may do everything. */
  admin(method: string, address: string, body?: string | Uint8Array): Promise<Response>;
  /** Ends what still runs below the folder, the embedded Google, and removes the folder. */
  remove(): Promise<void>;
}

export interface WorldOptions {
  readonly window?: Runtime;
  /** What comes before the command line: a program and its arguments. */
  readonly wrap?: (folder: string, env: Readonly<Record<string, string>>) => readonly string[];
}

export async function makeWorld(options: WorldOptions = {}): Promise<World> {
  const folder = await mkdtemp(path.join(tmpdir(), 'trainyard-soak-'));
  const home = path.join(folder, 'home');
  const notes = path.join(folder, 'notes');
  const code = path.join(folder, 'code');
  const account = `soak-${randomUUID().slice(0, 8)}`;
  for (const name of [notes, code, path.join(folder, 'user')]) await mkdir(name);
  const programFolder = path.join(folder, 'program');
  const program = await copyProgram(programFolder, options.window !== undefined);
  const google = await startEmulator({
    accounts: [{ name: account }, { name: 'setup' }],
    admins: [emailOf('setup')],
    dir: path.join(folder, 'buckets'),
    grants: [
      `${emailOf(account)}=roles/storage.objectViewer@${INPUT}`,
      `${emailOf(account)}=roles/storage.objectCreator@${OUTPUT}`,
    ],
  });
  const passphrase = path.join(folder, 'passphrase');
  await writeFile(passphrase, 'correct horse\n');
  await chmod(passphrase, 0o600);
  await makeQuickVault(home, 'correct horse');
  const env: Record<string, string> = {
    PATH: process.env['PATH'] ?? '',
    HOME: path.join(folder, 'user'),
    SHELL: '/bin/sh',
    TRAINYARD_HOME: home,
    TRAINYARD_VAULT: 'passphrase',
    TRAINYARD_PASSPHRASE_FILE: passphrase,
    ...google.environment,
  };
  const wrapped = [...(options.wrap?.(folder, env) ?? []), process.execPath, program];
  const start: World['start'] = (parameters) => startCommand(wrapped, parameters, env, folder);
  const json: World['json'] = async (parameters) => {
    const ended = await start([...parameters, '--json']).ended;
    if (ended.status !== 0)
      throw new Error(`${parameters.join(' ')} ended with ${ended.status}: ${ended.stderr}`);
    return JSON.parse(ended.stdout) as never;
  };
  const admin: World['admin'] = async (method, address, body) =>
    fetch(`${google.url}${address}`, {
      method,
      headers: {
        authorization: `Bearer ${await mintFor(google, 'setup')}`,
        'content-type': 'application/json',
      },
      ...(body === undefined ? {} : { body: body as RequestInit['body'] & string }),
    });
  const must = async (answer: Promise<Response>): Promise<void> => {
    const { ok, status } = await answer;
    if (!ok) throw new Error(`the embedded Google answered ${status}`);
  };
  for (const name of [INPUT, OUTPUT])
    await must(admin('POST', '/storage/v1/b?project=demo-project', JSON.stringify({ name })));
  const input = new Map<string, string>();
  const put = async (name: string, content: Buffer): Promise<void> => {
    input.set(name, createHash('sha256').update(content).digest('hex'));
    const object = encodeURIComponent(`data/${name}`);
    await must(
      admin('POST', `/upload/storage/v1/b/${INPUT}/o?uploadType=media&name=${object}`, content),
    );
  };
  const bytes = seededBytes(1);
  await put('large.bin', bytes(LARGE));
  await put('empty.bin', Buffer.alloc(0));
  for (let index = 0; index < 8; index += 1)
    await put(`some/${index % 2}/${index}.bin`, bytes(10_000 * (index + 1)));

  await writeFile(path.join(code, 'work.sh'), WORKER);
  const jobFile = path.join(folder, 'job.yaml');
  await writeFile(
    jobFile,
    [
      'name: soak',
      'host: local',
      // A whole path: the window has no folder that a relative one could be meant from.
      `code: { dir: '${code}' }`,
      'setup: "sleep 0.2; echo made > made.txt"',
      'workers:',
      ...Array.from({ length: WORKERS }, () => '  - bash work.sh'),
      `env: { SOAK_NOTES: '${notes}' }`,
      `input: { gcs: gs://${INPUT}/data/, key: lab }`,
      `output: { gcs: gs://${OUTPUT}/results/, key: lab }`,
      'workerKeys: [{ key: lab, mode: key-file }]',
      '',
    ].join('\n'),
  );
  await json(['keys', 'add', google.keyFiles[account] ?? '', '--name', 'lab']);
  const window =
    options.window === undefined
      ? null
      : application(options.window, programFolder, path.join(folder, 'chromium'), env);
  return {
    folder,
    home,
    window,
    notes,
    google,
    input,
    jobFile,
    account,
    start,
    json,
    admin,
    runIds: async () => {
      const names = await readdir(path.join(home, 'runs')).catch(() => []);
      return names.filter((name) => /^\d{8}-/.test(name)).sort();
    },
    async remove() {
      await window?.close();
      for (let look = 0; look < 20; look += 1) {
        const left = processesIn(folder, [google.pid]);
        if (left.length === 0) break;
        for (const { identity } of left) process.kill(identity.pid, 'SIGKILL');
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
      await google.stop();
      await rm(folder, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

/** The text of a file; empty where there is none. */
export const textOf = (file: string): Promise<string> => readFile(file, 'utf8').catch(() => '');
