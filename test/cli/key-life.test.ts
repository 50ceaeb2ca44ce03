import { mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createSecretSearch } from '../../src/cli/demo/secret-search.ts';
import type { KeyUse } from '../../src/shared/key-use.ts';
import type { KeyCard } from '../../src/shared/key.ts';
import type { JobView } from '../../src/shared/views.ts';
import { emailOf, startEmulator, type RunningEmulator } from '../emulator/start.ts';
import { writeKeyFile } from '../main/temp.ts';
import { eventsOf, makeHome, type TestHome } from './harness.ts';
import { mintFor } from './mint.ts';

const BUCKET = 'artifacts-bucket';
/** Seconds that access lasts where a job shall outlive it. */
const LIFETIME = 3;
const trainer = emailOf('trainer');

let google: RunningEmulator;
let home: TestHome;

const startGoogle = (
  key: string,
  options: { readonly lifetime?: number; readonly flags?: readonly string[] } = {},
) =>
  startEmulator({
    accounts: [{ name: 'trainer', path: key }, { name: 'admin' }],
    admins: [emailOf('admin')],
    grants: [
      `${trainer}=roles/storage.objectViewer@${BUCKET}`,
      `${trainer}=roles/storage.objectCreator@${BUCKET}`,
    ],
    dir: path.join(home.folder, 'google'),
    ...(options.lifetime === undefined ? {} : { tokenLifetimeSeconds: options.lifetime }),
    ...(options.flags === undefined ? {} : { flags: options.flags }),
  });
/** The same Google at the same address, with this key of the account alone, and access that is soon over. */
const startAgain = async (key: string) => {
  const flags = ['--port', new URL(google.url).port];
  await google.stop();
  google = await startGoogle(key, { lifetime: LIFETIME, flags });
};

beforeEach(async () => {
  home = await makeHome();
  for (const folder of ['code', 'google', 'newer']) await mkdir(path.join(home.folder, folder));
  google = await startGoogle(path.join(home.folder, 'trainer.json'));
  Object.assign(home.env, google.environment);
  const made = await fetch(`${google.url}/storage/v1/b?project=demo-project`, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${await mintFor(google, 'admin')}`,
      'content-type': 'application/json',
    },
    body: JSON.stringify({ name: BUCKET }),
  });
  expect(made.status).toBe(200);
  await home.json(['keys', 'add', 'trainer.json', '--name', 'lab']);
}, 60_000);
afterEach(async () => {
  await home.remove();
  await google.stop();
}, 60_000);

const jobFile = (name: string, seconds: number | string, more: readonly string[] = []) =>
  home.file(
    `${name}.yaml`,
    [
      `name: ${name}`,
      'host: local',
      'code: { dir: ./code }',
      `workers: ['echo kept > "$TRAINYARD_OUTPUT_PATH/kept.txt"; ${typeof seconds === 'string' ? seconds : `sleep ${seconds}`}']`,
      `output: { gcs: gs://${BUCKET}/results, key: lab }`,
      ...more,
      '',
    ].join('\n'),
  );
const detach = async (name: string, seconds: number, more?: readonly string[]) =>
  (await home.json<{ id: string }>(['run', await jobFile(name, seconds, more), '--detach'])).id;
const derOf = async (file: string): Promise<Uint8Array> => {
  const { private_key: pem } = JSON.parse(await readFile(file, 'utf8')) as { private_key: string };
  return Buffer.from(pem.split('\n').slice(1, -2).join(''), 'base64');
};

describe('the life of a key in a terminal', () => {
  it('a job that waits goes on with the newer key once the old one is disabled; the log tells all of it', async () => {
    const kept = await detach('kept', 1, ['workerKeys: [{ key: lab, mode: key-file }]']);
    expect((await home.run(['ls', `gs://${BUCKET}`, '--key', 'lab'])).status).toBe(0);
    const checked = await home.run(['check', `gs://${BUCKET}/results`, '--for', 'output']);
    expect(checked, checked.stderr).toMatchObject({ status: 0 });
    await home.until(kept, ({ state }) => state === 'finished');
    const copied = await home.run(['cp', `gs://${BUCKET}/results/`, './copied', '--key', 'lab']);
    expect(copied, copied.stderr).toMatchObject({ status: 0 });
    await startAgain(path.join(home.folder, 'trainer.json'));
    const waits = await detach('waits', LIFETIME + 2);
    await home.until(waits, ({ status }) => status.accessAwaited !== null);
    const [before] = await home.json<(KeyCard & { ageDays: number })[]>(['keys', 'list']);
    expect(before).toMatchObject({ name: 'lab', ageDays: 0 });

    // One that still runs, and is followed all along.
    const go = path.join(home.folder, 'go');
    const waitsForGo = `until [ -e "${go}" ]; do sleep 0.2; done`;
    const followed = home.start(['run', await jobFile('followed', waitsForGo)]);
    let runs: JobView | undefined;
    for (const end = Date.now() + 30_000; runs?.state !== 'running' && Date.now() < end;)
      runs = (await home.json<JobView[]>(['jobs'])).find(({ name }) => name === 'followed');
    expect(runs?.state).toBe('running');

    // Google knows the newer key of the account alone now.
    const newer = path.join(home.folder, 'newer', 'trainer.json');
    await startAgain(newer);
    const refused = await home.run(['retry', waits]);
    expect(refused).toMatchObject({ status: 3 });
    expect(refused.stderr).toContain('does not know this key of trainer@');

    const stranger = path.join(home.folder, 'stranger.json');
    writeKeyFile(stranger, { email: emailOf('stranger') });
    const other = await home.run(['keys', 'replace', 'lab', stranger]);
    expect(other).toMatchObject({ status: 2 });
    expect(other.stderr).toContain('Only a key of the same account can take its place');
    expect((await home.run(['keys', 'replace', 'lab', 'trainer.json'])).status).toBe(2);
    const replaced = await home.run(['keys', 'replace', 'lab', newer]);
    expect(replaced, replaced.stderr).toMatchObject({ status: 0 });
    expect(replaced.stderr).toContain(`waits for access: trainyard retry ${waits}`);
    expect(replaced.stderr).toContain(before?.privateKeyId);
    const [after] = await home.json<KeyCard[]>(['keys', 'list']);
    expect(after).toMatchObject({ id: before?.id, name: 'lab' });
    expect(after?.privateKeyId).not.toBe(before?.privateKeyId);

    await writeFile(go, '');
    const retried = await home.run(['retry', waits]);
    expect(retried, retried.stderr).toMatchObject({ status: 0 });
    const ended = await followed.ended;
    expect(ended, ended.stderr).toMatchObject({ status: 0 });
    const job = await home.job(waits);
    expect(job.state).toBe('finished');
    const kinds = (await eventsOf(job)).map(({ kind }) => kind);
    expect(kinds.filter((kind) => kind === 'worker-started')).toHaveLength(1);

    const printed = await home.run(['keys', 'log', 'lab', '--json']);
    const uses = JSON.parse(printed.stdout) as KeyUse[];
    const told = (use: KeyUse) =>
      [
        use.privateKeyId === after?.privateKeyId ? 'new' : 'old',
        use.operation,
        use.job ?? use.reason ?? '',
        use.failed ?? '',
      ].join(' ');
    // A line for each; where the hour changed meanwhile some have two.
    const others = uses.filter((use) => use.job !== runs?.id);
    expect(uses.map(told)).toContain(`new write-token ${runs?.id} `);
    expect([...new Set(others.map(told))].sort()).toEqual(
      [
        'old added  ',
        `old write-token ${waits} `,
        `old write-token ${kept} `,
        `old key-file ${kept} `,
        'old read-token list ',
        'old check check ',
        'old read-token copy ',
        `old write-token ${waits} access.key-not-emulated`,
        'new replaced  ',
        'new check check ',
        `new write-token ${waits} `,
      ].sort(),
    );
    const shown = await home.run(['keys', 'log', 'lab']);
    for (const words of [
      'the key itself, as a file',
      kept,
      'trainyard ls',
      'access.key-not-emulated',
    ])
      expect(shown.stdout).toContain(words);

    for (const file of [path.join(home.folder, 'trainer.json'), newer]) {
      const search = createSecretSearch(await derOf(file));
      expect(search.inBytes(Buffer.from(printed.stdout))).toBeNull();
      expect((await search.inTree(home.home)).found).toEqual([]);
      // And it would have been found.
      expect(await search.inFile(file)).not.toBeNull();
    }
    expect(printed.stdout).not.toContain('ya29');
  }, 300_000);

  it('what depends on a key is named before it goes; another key of the account goes on by its name alone', async () => {
    await startAgain(path.join(home.folder, 'trainer.json'));
    const id = await detach('orphan', LIFETIME + 2);
    await mkdir(path.join(home.home, 'templates'), { recursive: true });
    await home.file('home/templates/nightly.yaml', await readFile(await jobFile('t', 1), 'utf8'));
    const second = path.join(home.folder, 'second.json');
    writeKeyFile(second, {
      email: trainer,
      tokenUri: google.environment['TRAINYARD_OAUTH_ENDPOINT']!,
    });
    await home.json(['keys', 'add', second, '--name', 'spare']);
    const listed = await home.run(['keys', 'list']);
    const cards = await home.json<KeyCard[]>(['keys', 'list']);
    expect(cards.map(({ name }) => name).sort()).toEqual(['lab', 'spare']);
    for (const { privateKeyId } of cards) expect(listed.stdout).toContain(privateKeyId.slice(0, 8));

    const asked = await home.run(['keys', 'remove', 'lab']);
    expect(asked).toMatchObject({ status: 2 });
    for (const words of [id, 'nightly', '--yes']) expect(asked.stderr).toContain(words);
    const removed = await home.run(['keys', 'remove', 'lab', '--yes']);
    expect(removed, removed.stderr).toMatchObject({ status: 0 });
    expect(removed.stderr).toContain(id);
    await home.until(id, ({ status }) => status.accessAwaited !== null);
    const offered = await home.run(['retry', id]);
    expect(offered).toMatchObject({ status: 3 });
    expect(offered.stderr).toContain('trainyard keys rename spare lab');
    expect((await home.run(['keys', 'remove', 'spare'])).status).toBe(0);
    const gone = await home.run(['retry', id]);
    expect(gone).toMatchObject({ status: 3 });
    expect(gone.stderr).toContain('trainyard keys add FILE --name lab');
    // The very key, under another name.
    await home.json(['keys', 'add', 'trainer.json', '--name', 'again']);
    const retried = await home.run(['retry', id]);
    expect(retried, retried.stderr).toMatchObject({ status: 0 });
  }, 300_000);
});
