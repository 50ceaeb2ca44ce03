import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ask, execute } from './ask.ts';
import { faultSchema, parseFaults } from '../../src/emulator/faults/rules.ts';
import { OPERATIONS } from '../../src/emulator/operation.ts';
import { startEmulator } from './start.ts';
import { EMULATOR } from '../support/programs.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'trainyard-emulator-control-'));
});
afterAll(async () => rm(folder, { recursive: true, force: true }));

test.each([
  ['{', /is wrong: It is not JSON/],
  ['[]', /expected object/],
  ['{"rules":[{"fault":{"kind":"nothing"}}]}', /rules\.0\.fault\.kind/],
  ['{"rules":[{"fault":{"kind":"status"}}]}', /rules\.0\.fault\.status/],
  ['{"rules":[{"fault":{"kind":"status","status":503,"statsu":1}}]}', /statsu/],
  ['{"rules":[{"objects":"x","fault":{"kind":"lost-answer"}}]}', /objects/],
  ['{"rules":[{"probability":2,"fault":{"kind":"lost-answer"}}]}', /probability/],
  ['{"rules":[{"operation":"lists","fault":{"kind":"lost-answer"}}]}', /rules\.0\.operation/],
  ['{"rules":[{"fault":{"kind":"wrong-length","by":0}}]}', /must not be 0/],
])('a faults file that is wrong is refused with its mistake: %s', async (text, sentence) => {
  const path = join(folder, 'faults.json');
  await writeFile(path, text);
  const { code, stderr } = await execute(process.execPath, [EMULATOR, '--faults', path]);
  const [told = '', hint, ...more] = stderr.trimEnd().split('\n');
  expect([code, hint, more]).toEqual([2, '  docs/emulator.md has the form of it.', []]);
  expect(told).toMatch(/^Error: The faults file /);
  expect(told).toMatch(sentence);
});

test('a faults file that is missing is told', async () => {
  const { code, stderr } = await execute(process.execPath, [EMULATOR, '--faults', '/no/file']);
  expect([code, stderr]).toEqual([
    2,
    'Error: The faults file /no/file cannot be read (ENOENT).\n  docs/emulator.md has the form of it.\n',
  ]);
});

test('rules of a file are in force at once; the control address tells, changes and removes them', async () => {
  const emulator = await startEmulator({
    open: true,
    faults: [{ name: 'busy', operation: 'bucket', fault: { kind: 'status', status: 503 } }],
  });
  const control = (method: string, body?: unknown, headers: Record<string, string> = {}) =>
    ask(emulator.url, method, '/trainyard/faults', {
      headers,
      ...(body === undefined ? {} : { json: body }),
    });
  const list = async () => (await ask(emulator.url, 'GET', '/storage/v1/b?project=p')).status;
  try {
    expect(await list()).toBe(503);
    expect(JSON.parse((await control('GET')).text)).toMatchObject({
      rules: [{ name: 'busy', matched: 1, fired: 1, fault: { status: 503 } }],
    });
    const put = await control('PUT', { rules: [{ fault: { kind: 'status', status: 500 } }] });
    expect([put.status, await list()]).toEqual([200, 500]);
    const wrong = await control('PUT', { rules: [{ fault: { kind: 'no' } }] });
    expect([wrong.status, wrong.text.includes('rules.0.fault.kind'), await list()]).toEqual([
      400,
      true,
      500,
    ]);
    expect((await control('DELETE', undefined, { Origin: 'http://evil.example' })).status).toBe(
      403,
    );
    expect((await control('POST')).status).toBe(405);
    expect(await list()).toBe(500);
    expect(JSON.parse((await control('DELETE')).text)).toEqual({ rules: [] });
    expect(await list()).toBe(200);
    expect((await emulator.requestLog()).filter(({ path }) => path.includes('faults'))).toEqual([]);
    await expect(emulator.setFaults([{ fault: { kind: 'status', status: 9 } }])).rejects.toThrow(
      /refused/,
    );
  } finally {
    await emulator.stop();
  }
});

test('without --faults and --allow-faults there is no control address', async () => {
  const child = spawn(process.execPath, [EMULATOR, '--open'], {
    stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
  });
  try {
    const [text] = (await once(child.stdout ?? child, 'data')) as [Buffer];
    const url = /http:\S+/.exec(String(text))?.[0] ?? '';
    const rules = { rules: [{ fault: { kind: 'status', status: 500 } }] };
    expect((await ask(url, 'PUT', '/trainyard/faults', { json: rules })).status).toBe(405);
    expect((await ask(url, 'GET', '/trainyard/faults')).status).toBe(404);
    expect((await ask(url, 'GET', '/storage/v1/b?project=p')).status).toBe(200);
  } finally {
    child.kill('SIGKILL');
    await once(child, 'exit');
  }
});

test('the documentation: its rules are right, and it names every option, operation, fault and field', async () => {
  const text = await readFile(new URL('../../docs/emulator.md', import.meta.url), 'utf8');
  const examples = [...text.matchAll(/```json\n([\s\S]*?)```/g)].map(([, json]) => json ?? '');
  expect(examples.length).toBeGreaterThan(0);
  for (const example of examples) expect(parseFaults(example)).toMatchObject({ ok: true });
  const { stdout } = await execute(process.execPath, [EMULATOR, '--help']);
  const options = stdout.toString().match(/--[a-z-]+/g) ?? [];
  const fields = faultSchema.options.flatMap(({ shape }) => Object.keys(shape));
  const kinds = faultSchema.options.map(({ shape }) => [...shape.kind.values][0] ?? '');
  const words = [...options, ...OPERATIONS, ...kinds, ...fields];
  expect(words.filter((word) => !text.includes(`\`${word}`))).toEqual([]);
});
