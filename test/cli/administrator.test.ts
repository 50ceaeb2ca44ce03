import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readdir } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { KeyUse } from '../../src/shared/key-use.ts';
import type { KeyCard } from '../../src/shared/key.ts';
import { emailOf } from '../emulator/start.ts';
import { startGrantWorld, type GrantWorld } from '../google/grant-world.ts';
import { writeKeyFile } from '../main/temp.ts';
import { COMMAND_LINE } from '../support/programs.ts';
import { makeHome, type TestHome } from './harness.ts';

const OFFLINE = { TRAINYARD_OAUTH_ENDPOINT: 'http://127.0.0.1:9/token' };
const CHECK = ['check', 'gs://artifacts-bucket/results/', '--for', 'output', '--key'];

let world: GrantWorld;
let home: TestHome;
beforeAll(async () => {
  world = await startGrantWorld({
    accounts: ['lab', 'ruler', 'second', 'third', 'fourth', 'wide'],
    grants: [
      ...['ruler', 'second', 'third', 'fourth'].map(
        (name) => `${emailOf(name)}=roles/storage.admin@projects/demo-project`,
      ),
      `${emailOf('wide')}=roles/storage.objectViewer@artifacts-bucket`,
      `${emailOf('wide')}=roles/storage.objectCreator@artifacts-bucket`,
    ],
    buckets: ['artifacts-bucket'],
  });
  home = await makeHome(world.emulator.environment);
  await mkdir(path.join(home.folder, 'code'));
}, 60_000);
afterAll(async () => {
  await home.remove();
  await world.emulator.stop();
}, 60_000);

/** Without a network a key comes in unasked. */
const addOffline = (name: string) =>
  home.json(['keys', 'add', world.emulator.keyFiles[name] ?? '', '--name', name], OFFLINE);
const admin = async (name: string) => {
  const cards = await home.json<(KeyCard & { admin: { acceptedAt: string | null } | null })[]>([
    'keys',
    'list',
  ]);
  return cards.find((card) => card.name === name)?.admin;
};
const jobWith = (key: string) =>
  home.file(
    `${key}.yaml`,
    [
      `name: with-${key}`,
      'host: local',
      'code: { dir: ./code }',
      // It fails until the test has put the file there.
      `workers: [${JSON.stringify(`test -e '${home.folder}/go'`)}]`,
      `output: { gcs: gs://artifacts-bucket/results, key: ${key} }`,
    ].join('\n'),
  );
const runs = () => readdir(path.join(home.home, 'runs'));

it('its key is kept only for who types its account’s address', async () => {
  const file = world.emulator.keyFiles['ruler'] ?? '';
  const refused = await home.run(['keys', 'add', file, '--name', 'ruler', '--json']);
  expect(refused.status).toBe(3);
  expect(JSON.parse(refused.stdout)).toMatchObject({ problem: { code: 'access.key-administers' } });
  expect(refused.stderr).toContain('storage.buckets.setIamPolicy');
  expect(refused.stderr).toContain(`--accept-admin ${emailOf('ruler')}`);
  const wrong = await home.run(['keys', 'add', file, '--accept-admin', emailOf('lab')]);
  expect(wrong.status).toBe(3);
  expect(await home.json<KeyCard[]>(['keys', 'list'])).toEqual([]);
}, 60_000);

it('its address given does not keep what it can do from being told, and the document has it', async () => {
  const file = world.emulator.keyFiles['fourth'] ?? '';
  const accept = ['--accept-admin', emailOf('fourth'), '--json'];
  const added = await home.run(['keys', 'add', file, '--name', 'fourth', ...accept]);
  expect(added, added.stderr).toMatchObject({ status: 0 });
  expect(added.stderr).toContain(
    'storage.buckets.setIamPolicy on projects/demo-project: open buckets to anybody',
  );
  expect(added.stderr).not.toContain('Error:');
  const card = JSON.parse(added.stdout) as KeyCard & {
    admin: { findings: { permission: string }[]; acceptedAt: string | null };
  };
  expect(card.name).toBe('fourth');
  expect(card.admin.acceptedAt).not.toBeNull();
  expect(card.admin.findings.map(({ permission }) => permission)).toContain(
    'storage.buckets.setIamPolicy',
  );
  // The use that asked is in the log of a key that was kept.
  const uses = await home.json<KeyUse[]>(['keys', 'log', 'fourth']);
  expect(uses.map(({ operation, failed }) => `${operation} ${failed ?? 'well'}`).sort()).toEqual([
    'added well',
    'check well',
  ]);
  await home.json(['keys', 'remove', 'fourth']);
}, 60_000);

it('a replaced key stays marked in its document, and what was asked offline is in the log as failed', async () => {
  await addOffline('fourth');
  const uses = await home.json<KeyUse[]>(['keys', 'log', 'fourth']);
  expect(uses.find(({ operation }) => operation === 'check')?.failed).toMatch(/^network\./);
  // Another key of the account, which the emulator does not know, cannot be asked about; the mark is the account's.
  const found = await home.run(['keys', 'check', 'fourth']);
  expect(found.status).toBe(3);
  const newer = path.join(home.folder, 'newer.json');
  writeKeyFile(newer, {
    email: emailOf('fourth'),
    tokenUri: world.emulator.environment['TRAINYARD_OAUTH_ENDPOINT'] ?? '',
  });
  const replaced = await home.json<KeyCard & { admin: { acceptedAt: string | null } | null }>([
    ...['keys', 'replace', 'fourth', newer],
  ]);
  expect(replaced.admin).toMatchObject({ acceptedAt: null });
}, 60_000);

it('the first check that can finds it: new jobs are refused until it is confirmed, earlier ones go on', async () => {
  await addOffline('ruler');
  const file = await jobWith('ruler');
  expect(await home.run(['run', file])).toMatchObject({ status: 1 });
  const before = await runs();

  const found = await home.run(['keys', 'check', 'ruler']);
  expect(found.status).toBe(3);
  expect(found.stderr).toContain('storage.buckets.delete');
  expect(await admin('ruler')).toMatchObject({ acceptedAt: null });

  const refused = await home.run(['run', file, '--json']);
  expect(refused.status).toBe(3);
  expect(JSON.parse(refused.stdout)).toMatchObject({
    problem: { code: 'access.key-not-confirmed', subject: 'ruler' },
  });
  expect(refused.stderr).toContain(`trainyard keys check ruler --accept-admin ${emailOf('ruler')}`);
  const notebook = await home.run([
    ...['notebook', '--key', 'ruler', '--output', 'gs://artifacts-bucket/results'],
    '--no-browser',
  ]);
  expect(notebook, notebook.stderr).toMatchObject({ status: 3 });
  expect(notebook.stderr).toContain('nobody has confirmed it');
  expect(await runs()).toEqual(before);

  await home.file('go', '');
  const retried = await home.run(['retry', 'latest']);
  expect(retried, retried.stderr).toMatchObject({ status: 0 });
  expect(retried.stderr).toContain('administrator’s key, and nobody has confirmed it');

  // Without a network nothing new is found; what was found can be confirmed.
  const accept = ['keys', 'check', 'ruler', '--accept-admin', emailOf('ruler')];
  expect((await home.run(accept, OFFLINE)).status).toBe(4);
  expect(await admin('ruler')).toMatchObject({ acceptedAt: expect.any(String) as string });
  expect(await home.run(['keys', 'check', 'ruler'])).toMatchObject({ status: 0 });
  expect((await home.run(['keys', 'list'])).stdout).toMatch(/^ruler .*administrator/m);
}, 180_000);

it('its jobs carry a standing mark: where they start, in the list, by themselves, and in each document', async () => {
  const file = await jobWith('ruler');
  const started = await home.run(['run', file]);
  expect(started).toMatchObject({ status: 0 });
  expect(started.stderr).toMatch(
    /ruler \(.*\) is an administrator’s key: .*storage\.buckets\.delete/,
  );
  expect(started.stderr).not.toContain('more than this job needs');
  expect((await home.run(['jobs'])).stdout).toMatch(
    /^Id .* Power$[^]*with-ruler .* administrator$/m,
  );
  const listed = await home.json<{ admin: { name: string }[] }[]>(['jobs']);
  expect(listed[0]?.admin).toMatchObject([{ name: 'ruler' }]);
  const ran = await home.json<{ admin: { name: string }[] }>(['run', file]);
  expect(ran.admin).toMatchObject([{ name: 'ruler' }]);
  const detached = await home.json<{ admin: { name: string }[] }>(['run', file, '--detach']);
  expect(detached.admin).toMatchObject([{ name: 'ruler' }]);
  expect((await home.run(['job', 'latest'])).stdout).toMatch(
    /Careful: ruler \(.*\) is an administrator’s key: .*storage\.buckets\.delete/,
  );
  const marked = await home.json<{ admin: { name: string }[] }>(['job', 'latest']);
  expect(marked.admin).toMatchObject([{ name: 'ruler' }]);
}, 180_000);

it('a key that can do more than the job needs gets a quieter note, and no mark', async () => {
  await addOffline('wide');
  await home.file('go', '');
  const run = await home.run(['run', await jobWith('wide')]);
  expect(run, run.stderr).toMatchObject({ status: 0 });
  expect(run.stderr).toContain('Its keys can do more than this job needs:');
  expect(run.stderr).toContain(
    'In gs://artifacts-bucket the key wide can create objects anywhere in the bucket',
  );
  expect(run.stderr).not.toContain('administrator');
  const [last] = await home.json<{ admin: unknown[] }[]>(['jobs']);
  expect(last?.admin).toEqual([]);
}, 60_000);

it('a check of an address asks as well', async () => {
  await addOffline('second');
  const unconfirmed = await home.run([...CHECK, 'second', '--json']);
  expect(unconfirmed.status).toBe(3);
  expect(JSON.parse(unconfirmed.stdout)).toMatchObject({
    verdict: 'pass',
    power: { state: 'found' },
  });
  expect(unconfirmed.stderr).toContain(`--accept-admin ${emailOf('second')}`);
  const wrong = await home.run([...CHECK, 'second', '--accept-admin', emailOf('ruler')]);
  expect(wrong.status).toBe(3);
  expect(await admin('second')).toMatchObject({ acceptedAt: null });
  const right = await home.run([...CHECK, 'second', '--accept-admin', emailOf('second')]);
  expect(right, right.stderr).toMatchObject({ status: 0 });
  expect(await home.run([...CHECK, 'second'])).toMatchObject({ status: 0 });
}, 60_000);

/** A command at a terminal of its own, which util-linux's script gives it; `answer` is typed once it asks. */
async function atTerminal(args: readonly string[], answer: string) {
  const quoted = [process.execPath, COMMAND_LINE, ...args].map((word) => `'${word}'`).join(' ');
  const child = spawn(
    'script',
    ['--quiet', '--return', '--flush', '--command', `stty cols 200; exec ${quoted}`, '/dev/null'],
    { env: { ...home.env, TERM: 'xterm' }, stdio: ['pipe', 'pipe', 'inherit'] },
  );
  let shown = '';
  let answered = false;
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    shown += text;
    if (answered || !shown.includes('type the address of its account')) return;
    answered = true;
    child.stdin.write(`${answer}\r`);
  });
  const late = setTimeout(() => child.kill('SIGKILL'), 50_000);
  const [status] = (await once(child, 'close')) as [number | null];
  clearTimeout(late);
  return { status, shown, answered };
}

it.skipIf(process.platform !== 'linux')(
  'the address is typed at a terminal: a wrong one is refused, the right one confirms',
  async () => {
    const add = ['keys', 'add', world.emulator.keyFiles['third'] ?? '', '--name', 'third'];
    const notTaken = await atTerminal(add, emailOf('lab'));
    expect(notTaken, notTaken.shown).toMatchObject({ status: 3, answered: true });
    expect(notTaken.shown).toContain('was not typed: nothing was changed');
    expect(await admin('third')).toBeUndefined();

    await addOffline('third');
    const wrong = await atTerminal([...CHECK, 'third'], emailOf('lab'));
    expect(wrong, wrong.shown).toMatchObject({ status: 3, answered: true });
    expect(wrong.shown).toContain('storage.buckets.delete');
    expect(await admin('third')).toMatchObject({ acceptedAt: null });
    const right = await atTerminal(['keys', 'check', 'third'], emailOf('third').toUpperCase());
    expect(right, right.shown).toMatchObject({ status: 0, answered: true });
    expect(await admin('third')).toMatchObject({ acceptedAt: expect.any(String) as string });
    const again = await atTerminal(['keys', 'check', 'third'], '');
    expect(again, again.shown).toMatchObject({ status: 0, answered: false });
  },
  120_000,
);
