import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, statSync, symlinkSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { makeWorld, processesOf, until, type World } from './harness.ts';

let world: World;
beforeAll(async () => {
  world = await makeWorld({ TRAINYARD_PASSPHRASE_FILE: '/secret', TRAINYARD_HOME: '/elsewhere' });
});
afterAll(() => world.remove());

test('a job with a local input goes through all stages and leaves results and nothing else', async () => {
  const data = path.join(world.root, 'data');
  await mkdir(data);
  await writeFile(path.join(data, 'numbers.txt'), '1\n2\n3\n');
  const run = await world.run({
    setup: 'echo prepared > prepared.txt; echo from setup',
    workers: [
      'cat hello.txt prepared.txt "$TRAINYARD_DATA_PATH/numbers.txt" > "$TRAINYARD_OUTPUT_PATH/all.txt"; printf "1%%\\r2%%\\r"; echo done; echo oops >&2',
      'umask; env > "$TRAINML_OUTPUT_PATH/env.txt"; echo "worker $TRAINYARD_WORKER of $TRAINYARD_WORKERS" > /dev/stdout',
    ],
    // The last three are the agent's alone: a job file with them is refused, and a plan with them changes nothing.
    env: {
      SEED: '1',
      NOTE: 'a=b',
      CLOUDSDK_CONFIG: '/elsewhere',
      CUDA_VISIBLE_DEVICES: '0,1',
      GOOGLE_APPLICATION_CREDENTIALS: '/my/key.json',
    },
    input: { kind: 'dir', path: data },
  });
  // As an agent leaves it that died between the link and its event: the link goes, never what it leads to.
  symlinkSync(data, run.at('data'));
  const agent = await run.begin();
  const ended = await run.ended();
  expect(ended).toMatchObject({ state: 'finished', stage: null, problem: null });
  await until(async () => (await processesOf(run)).length === 0, 'all processes gone');
  expect(agent.pid).toBeGreaterThan(1);

  const kinds = run
    .events()
    .map((event) =>
      'stage' in event && event.kind !== 'ended' ? `${event.kind} ${event.stage}` : event.kind,
    );
  expect(kinds.filter((kind) => /^(agent|stage|ended|code|setup|data)/.test(kind))).toEqual([
    'agent-started',
    'stage-started staging',
    'code-staged',
    'data-staged',
    'setup-ended',
    'stage-ended staging',
    'stage-started waiting',
    'stage-ended waiting',
    'stage-started running',
    'stage-ended running',
    'stage-started uploading',
    'stage-ended uploading',
    'ended',
  ]);
  expect(run.events().map((event) => event.seq)).toEqual(run.events().map((_, index) => index + 1));
  expect(run.read('output/worker-0/all.txt')).toBe('hello\nprepared\n1\n2\n3\n');
  expect(run.read('logs/worker-0.log')).toBe('1%\r2%\rdone\noops\n');
  expect(run.read('logs/worker-1.log')).toBe(
    `${execFileSync('sh', ['-c', 'umask'], { encoding: 'utf8' })}worker 1 of 2\n`,
  );
  expect(run.read('logs/stage.log')).toMatch(
    /^code: 1 file, 6 B\ndata: the folder \/.*, in place\n[^]*from setup\n$/,
  );

  const environment = run.read('output/worker-1/env.txt').split('\n');
  expect(environment).toContain('SEED=1');
  expect(environment).toContain('NOTE=a=b');
  expect(environment).toContain('CUDA_VISIBLE_DEVICES=');
  expect(environment).toContain(`TRAINYARD_MODEL_PATH=${run.at('workers/1/code')}`);
  expect(environment).toContain(`TRAINML_CHECKPOINT_PATH=${run.at('checkpoints/worker-1')}`);
  expect(environment).toContain(`CLOUDSDK_CONFIG=${run.at('private/cloudsdk')}`);
  expect(environment.join('\n')).not.toMatch(
    /TRAINYARD_PASSPHRASE_FILE|TRAINYARD_HOME|GOOGLE_APPLICATION/,
  );

  expect(readdirSync(run.at('private'))).toEqual([]);
  expect(existsSync(run.at('lock'))).toBe(false);
  expect(statSync(run.at('events.jsonl')).mode & 0o077).toBe(0);
  expect(statSync(run.at('logs/worker-0.log')).mode & 0o077).toBe(0);

  expect(readFileSync(path.join(data, 'numbers.txt'), 'utf8')).toBe('1\n2\n3\n');

  const again = await run.start();
  expect(again).toMatchObject({ started: false, problem: { code: 'input.run-finished' } });
  expect(existsSync(run.at('lock'))).toBe(false);
});
