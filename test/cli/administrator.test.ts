import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readdir } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { KeyCard } from '../../src/shared/key.ts';
import { emailOf } from '../emulator/start.ts';
import { startGrantWorld, type GrantWorld } from '../google/grant-world.ts';
import { COMMAND_LINE, makeHome, type TestHome } from './harness.ts';

const OFFLINE = { TRAINYARD_OAUTH_ENDPOINT: 'http://127.0.0.1:9/token' };
const CHECK = ['check', 'gs://artifacts-bucket/results/', '--for', 'output', '--key'];

let world: GrantWorld;
let home: TestHome;
beforeAll(async () => {
  world = await startGrantWorld({
    accounts: ['lab', 'ruler', 'second', 'third'],
    grants: ['ruler', 'second', 'third'].map(
      (name) => `${emailOf(name)}=roles/storage.admin@projects/demo-project`,
    ),
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

  // Without a network nothing new is found; what was found can be confirmed.
  const accept = ['keys', 'check', 'ruler', '--accept-admin', emailOf('ruler')];
  expect((await home.run(accept, OFFLINE)).status).toBe(4);
  expect(await admin('ruler')).toMatchObject({ acceptedAt: expect.any(String) as string });
  expect(await home.run(['keys', 'check', 'ruler'])).toMatchObject({ status: 0 });
  expect((await home.run(['keys', 'list'])).stdout).toMatch(/^ruler .*administrator/m);

  // Its jobs carry a standing mark.
  expect(await home.run(['run', file])).toMatchObject({ status: 0 });
  expect((await home.run(['job', 'latest'])).stdout).toMatch(
    /Careful: ruler \(.*\) is an administrator’s key: .*storage\.buckets\.delete/,
  );
  const marked = await home.json<{ admin: { name: string }[] }>(['job', 'latest']);
  expect(marked.admin).toMatchObject([{ name: 'ruler' }]);
}, 90_000);

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
