import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import type { JobView } from '../../src/shared/views.ts';
import { COMMAND_LINE } from '../support/programs.ts';
import { writeKeyFile } from '../e2e/support/key-files.ts';
import { emailOf } from '../emulator/start.ts';
import { noJupyter, splitAddress, startKernel } from '../support/jupyter.ts';
import { derOf, modeOf, pemOf } from './marks.ts';
import { startSampler, type Sampled } from './sampler.ts';
import {
  ASKS,
  EVEN_BYTES,
  INPUT,
  MEMORY_DISK,
  OUTPUT,
  VERBOSE,
  WAITS,
  openLeakWorld,
} from './world.ts';

/** Whether the system may be asked for every program that is started. */
const canTrace =
  spawnSync('strace', ['-f', '-o', '/dev/null', 'true'], { stdio: 'ignore' }).status === 0;

let sampled: Sampled;
const began = Date.now();
const sampler = startSampler();
const {
  folder,
  outside,
  google,
  home,
  marks,
  said,
  tokenLog,
  heard,
  run,
  passes,
  jobFile,
  keysAs,
  detach,
  letGo,
  gone,
  killAgent,
  everywhere,
  nowhere,
  close,
} = await openLeakWorld();
afterAll(close, 120_000);

describe('a marked key', () => {
  it('is in no answer to a wrong file that holds it, and nothing of such a file is kept', async () => {
    const text = readFileSync(`${outside}/trainer.json`, 'utf8');
    const pem = pemOf(`${outside}/trainer.json`);
    const wrong: Readonly<Record<string, string | Buffer>> = {
      'cut-off.json': text.slice(0, text.indexOf('client_email')),
      'in-the-key.json': text.slice(0, text.indexOf('private_key":') + 400),
      'only.pem': pem,
      'user.json': text.replace('service_account', 'authorized_user'),
      'wide.json': Buffer.from(text, 'utf16le'),
      'two.json': `${text}${text}`,
      'unknown.json': JSON.stringify({ [pem]: pem }),
      'inside.json': JSON.stringify({ keys: [JSON.parse(text)] }),
      'shell.txt': `export KEY='${text}'`,
    };
    for (const [name, content] of Object.entries(wrong)) {
      const file = path.join(outside, name);
      await writeFile(file, content, { mode: 0o600 });
      for (const args of [
        ['keys', 'add', file, '--json'],
        ['run', file],
      ])
        expect((await run(args)).status, args.join(' ')).toBe(2);
    }
    expect(marks.inBytes(Buffer.from(said.join('\n')))).toBeNull();
    await nowhere('after wrong files');
  }, 120_000);

  it('is kept sealed, and used to look around, without a trace', async () => {
    const key = path.join(outside, 'trainer.json');
    await passes(['keys', 'add', key, '--name', 'lab', '--json'], VERBOSE);
    expect((await run(['keys', 'add', key, '--name', 'twice', '--json'])).status).toBe(2);
    const boss = path.join(outside, 'boss.json');
    expect((await run(['keys', 'add', boss, '--name', 'boss'])).status).toBe(3);
    await passes(['keys', 'add', boss, '--name', 'boss', '--accept-admin', emailOf('boss')]);
    await passes(['keys', 'rename', 'boss', 'other']);
    const newer = path.join(outside, 'newer.json');
    const account = {
      account: 'boss',
      tokenUri: google.environment['TRAINYARD_OAUTH_ENDPOINT'] ?? '',
    };
    marks.key('the newer key', await writeKeyFile(newer, account));
    // Google does not know it, as far as it can be asked; kept or refused, it is not told.
    const accept = ['--accept-admin', emailOf('boss')];
    await run(['keys', 'replace', 'other', newer, ...accept, '--json'], VERBOSE);
    await run(['keys', 'replace', 'lab', newer, ...accept]);
    await passes(['keys', 'log', 'other', '--json']);
    await passes(['keys', 'list', '--json']);
    await passes(['keys', 'check', 'lab', '--json'], VERBOSE);
    await passes(['keys', 'remove', 'other', '--json']);
    await passes(['ls', `gs://${INPUT}/data/`, '--key', 'lab'], VERBOSE);
    await passes(['cp', `gs://${INPUT}/data`, path.join(folder, 'copied'), '--key', 'lab']);
    expect((await run(['ls', `gs://${INPUT}-2/`, '--key', 'lab'])).status).not.toBe(0);
    for (const [address, purpose] of [
      [`gs://${INPUT}/data`, 'input'],
      [`gs://${OUTPUT}/results`, 'output'],
    ] as const)
      await passes(['check', address, '--key', 'lab', '--for', purpose, '--json'], VERBOSE);
    await passes([
      ...['grant', '--input', `gs://${INPUT}/data`, '--output', `gs://${OUTPUT}/results`],
      ...['--account', emailOf('trainer'), '--as', 'gcloud'],
    ]);
    expect(await modeOf(path.join(home.home, 'vault.json'))).toBe('600');
    await nowhere('after looking around');
  }, 120_000);

  it.each(['token', 'account-token', 'key-file'] as const)(
    'is in mode %s given to a worker, and gone at the end, however much is logged',
    async (mode) => {
      const worker = mode === 'key-file' ? WAITS.split(';')[0]! : ASKS;
      const file = await jobFile(mode, worker, keysAs(mode));
      // Not kept: what Node.js prints of what the command itself receives is what was asked for.
      expect((await home.run(['run', file, '--json'], EVEN_BYTES)).status).toBe(0);
      const [job] = await home.json<JobView[]>(['jobs']);
      const told = readFileSync(
        path.join(job?.runDirectory ?? '', 'output/worker-0/env.txt'),
        'utf8',
      );
      // What a worker is told of its credentials is where they are.
      expect(marks.inBytes(Buffer.from(told))).toBeNull();
      expect(/^GCE_METADATA_HOST=127\.0\.0\.1:\d+$/m.test(told)).toBe(mode !== 'key-file');
      expect(/^GOOGLE_APPLICATION_CREDENTIALS=/m.test(told)).toBe(mode === 'key-file');
      const logged = (await run(['logs', job?.id ?? ''])).stdout;
      expect(/"tokens":[1-9].*"wrong":\[\]/.test(logged), logged).toBe(mode !== 'key-file');
      expect(readdirSync(path.join(job?.runDirectory ?? '', 'private'))).toEqual([]);
      await nowhere(`after ${mode}`);
    },
    120_000,
  );

  it('lies in a closed folder while a worker has it as a file, survives what kills command line and agent there, and the next start of any run sweeps it', async () => {
    const copies = `cp "$GOOGLE_APPLICATION_CREDENTIALS" "$CLOUDSDK_CONFIG/as-gcloud-does.json"; ${WAITS}`;
    const file = await jobFile('killed', copies, keysAs('key-file'));
    const follows = home.start(['run', file]);
    await follows.printed(/worker 0 started/);
    follows.child.kill('SIGKILL');
    heard(await follows.ended);
    const { id, runDirectory, workers } = await home.job('latest');
    const told = path.join(runDirectory, 'output/worker-0/env.txt');
    const named = () =>
      /^GOOGLE_APPLICATION_CREDENTIALS=(.+)$/m.exec(
        existsSync(told) ? readFileSync(told, 'utf8') : '',
      )?.[1] ?? null;
    await expect.poll(named, { timeout: 20_000 }).not.toBeNull();
    const inside = path.dirname(named() ?? '');
    const onlyInside = async (when: string): Promise<void> => {
      const { found } = await everywhere();
      expect(found.map(({ file: each }) => path.relative(inside, each)).sort(), when).toEqual([
        'cloudsdk/as-gcloud-does.json',
        'key.json',
      ]);
      for (const [each, mode] of [
        [inside, '700'],
        [path.join(inside, 'cloudsdk'), '700'],
        [path.join(inside, 'key.json'), '600'],
        [path.join(runDirectory, 'private'), '700'],
        [runDirectory, '700'],
      ] as const)
        expect(await modeOf(each), each).toBe(mode);
    };
    await onlyInside('while the worker runs');
    await killAgent(id);
    await onlyInside('after the agent was killed, while the worker runs');
    for (const { pid } of workers) if (pid !== null) process.kill(-pid, 'SIGKILL');
    for (const { pid } of workers) await gone(pid ?? 0);
    // The supervisor writes how it ended, then goes: before that the run counts as alive.
    await expect
      .poll(() => existsSync(path.join(runDirectory, 'workers/0/exit.json')), { timeout: 20_000 })
      .toBe(true);
    await expect
      .poll(
        async () => {
          await passes(['run', await jobFile('another', 'true')]);
          return (await everywhere()).found;
        },
        { timeout: 30_000 },
      )
      .toEqual([]);
    expect(existsSync(inside)).toBe(false);
    // The first tells how the worker ended, the second starts it again.
    expect((await run(['retry', id])).status).toBe(1);
    await letGo(await home.job(id));
    await passes(['retry', id]);
    await nowhere('after the retry');
  }, 120_000);

  it('leaves nothing where the agent that holds it is killed in staging, waiting, running or uploading, and the retry ends well', async () => {
    const stall = { kind: 'stall', milliseconds: 60_000 } as const;
    const more = [keysAs('key-file'), 'unattended: true'];
    const retried = async (id: string): Promise<void> => {
      await nowhere(`after the agent of ${id} was killed`);
      await google.setFaults([]);
      expect((await home.run(['retry', id], EVEN_BYTES)).status).toBe(0);
      await nowhere(`after the retry of ${id}`);
    };
    const fired = async (): Promise<void> => {
      await expect
        .poll(async () => (await google.firedFaults())[0]?.fired ?? 0, { timeout: 30_000 })
        .toBeGreaterThan(0);
    };

    await google.setFaults([{ operation: 'media', fault: stall }]);
    const staging = await detach(await jobFile('in-staging', 'true', ...more));
    await fired();
    await killAgent(staging);
    await retried(staging);

    const cards = ['resources: { gpus: 2 }'];
    const holder = await detach(await jobFile('holder', WAITS, ...cards));
    await home.until(holder, (job) => job.state === 'running');
    const waiting = await detach(await jobFile('in-waiting', 'true', ...cards, ...more));
    await home.until(waiting, (job) => job.state === 'waiting');
    await killAgent(waiting);
    await nowhere('after a kill in waiting');
    await letGo(await home.job(holder));
    await home.until(holder, (job) => job.state === 'finished');
    await retried(waiting);

    const running = await detach(await jobFile('in-running', WAITS, ...more, 'env: { N: "1" }'));
    const { workers } = await home.until(running, (job) => job.workers[0]?.state === 'running');
    for (const { pid } of workers) if (pid !== null) process.kill(-pid, 'SIGSTOP');
    await killAgent(running);
    for (const { pid } of workers) if (pid !== null) process.kill(-pid, 'SIGCONT');
    await letGo(await home.job(running));
    await passes(['retry', running]);
    await nowhere('after a kill in running');

    await google.setFaults([
      {
        operation: ['upload-simple', 'upload-start', 'upload-chunk'],
        object: { glob: '**/env.txt' },
        fault: stall,
      },
    ]);
    const tells = WAITS.split(';')[0]!;
    const uploading = await detach(await jobFile('in-uploading', tells, ...more));
    await fired();
    await home.until(uploading, (job) => job.state === 'uploading');
    await killAgent(uploading);
    // Nobody was there to remove the key file; the next command does.
    await home.job(uploading);
    await nowhere('after the next command');
    await retried(uploading);
  }, 240_000);

  it('is in nothing that failures leave: a worker that fails, an output that is refused', async () => {
    const failing = await run(
      ['run', await jobFile('fails', `${WAITS.split(';')[0]!}; exit 3`, keysAs('token'))],
      VERBOSE,
    );
    expect(failing.status).toBe(1);
    const closed = await jobFile('closed', ASKS, keysAs('account-token'));
    await writeFile(closed, readFileSync(closed, 'utf8').replace('/results', '/closed'));
    expect((await run(['run', closed], VERBOSE)).status).toBe(1);
    await nowhere('after failures');
  }, 120_000);

  it('renews access by tokens that lie sealed in the inbox until they are read', async () => {
    await google.setFaults([
      {
        operation: ['upload-simple', 'upload-start'],
        object: { glob: '**/worker-0/**' },
        first: 1,
        fault: { kind: 'expired-token' },
      },
    ]);
    const id = await detach(await jobFile('renewed', `${WAITS.split(';')[0]!}; sleep 1`));
    const waits = await home.until(id, (job) => job.status.accessAwaited !== null);
    await nowhere('while it waits for access');
    const pid = waits.agent?.pid ?? 0;
    const inbox = path.join(waits.runDirectory, 'private/inbox');
    process.kill(pid, 'SIGSTOP');
    const renews = home.start(['retry', id], VERBOSE);
    const renewals = (): string[] =>
      readdirSync(inbox).filter((name) => /^[^.].*\.json$/.test(name));
    await expect.poll(() => renewals().length, { timeout: 30_000 }).toBeGreaterThan(0);
    const modes = await Promise.all(renewals().map((name) => modeOf(path.join(inbox, name))));
    expect(new Set(modes)).toEqual(new Set(['600']));
    expect(await modeOf(inbox)).toBe('700');
    expect((await everywhere()).found).toEqual([]);
    process.kill(pid, 'SIGCONT');
    expect(heard(await renews.ended)).toMatchObject({ status: 0 });
    await nowhere('after access was renewed');
  }, 120_000);

  it.skipIf(noJupyter !== null)(
    `and the token of a notebook lie in closed folders while it runs, also when its agent is killed, and nowhere after its end${noJupyter === null ? '' : `: ${noJupyter}`}`,
    async () => {
      const args = ['--key', 'lab', '--mode', 'key-file', '--input', `gs://${INPUT}/data`];
      const where = ['--output', `gs://${OUTPUT}/results`, '--no-browser', '--json'];
      // Not kept: it prints the address with the token, which is what it is for.
      const started = await home.run(['notebook', ...args, ...where], VERBOSE);
      expect(started, started.stderr).toMatchObject({ status: 0 });
      const { id, url } = JSON.parse(started.stdout) as { id: string; url: string };
      marks.text('the notebook’s token', splitAddress(url).token);
      const kernel = await startKernel(url);
      const said = 'import os; print(os.environ["GOOGLE_APPLICATION_CREDENTIALS"])';
      const keyFile = (await kernel.execute(said)).trim();
      const { runDirectory } = await home.job(id);
      const onlyInside = async (when: string): Promise<void> => {
        const { found } = await everywhere();
        const folders = [path.dirname(keyFile), path.join(runDirectory, 'private/notebook')];
        for (const inside of folders) {
          expect(await modeOf(inside), inside).toBe('700');
          expect(
            found.some(({ file }) => file.startsWith(`${inside}/`)),
            inside,
          ).toBe(true);
        }
        const others = found.filter(
          ({ file }) => !folders.some((each) => file.startsWith(`${each}/`)),
        );
        expect(others, when).toEqual([]);
      };
      await onlyInside('while the notebook runs');
      await killAgent(id);
      await onlyInside('after the agent was killed');
      expect((await home.run(['retry', id, '--detach'])).status).toBe(0);
      await home.until(id, (job) => job.state === 'running');
      await passes(['stop', id]);
      await nowhere('after the notebook');
    },
    240_000,
  );

  it.skipIf(!canTrace)(
    'is in no argument and no environment of any program that two jobs start (skipped where strace is missing or refused)',
    async () => {
      for (const [mode, ...more] of [['token'], ['key-file', 'unattended: true']] as const) {
        const trace = path.join(outside, `started-${mode}`);
        const file = await jobFile(`traced-${mode}`, 'true', keysAs(mode), ...more);
        const told = ['-f', '-v', '-s', '1000000', '-e', 'trace=execve', '-o', trace];
        const strace = spawn('strace', [...told, process.execPath, COMMAND_LINE, 'run', file], {
          env: home.env,
          cwd: home.folder,
          stdio: 'ignore',
        });
        const [status] = (await once(strace, 'close')) as [number | null];
        expect(status).toBe(0);
        const started = readFileSync(trace);
        for (const each of ['"start"', '"carry"', '"supervise"', 'TRAINYARD_WORKER=0'])
          expect(started.includes(each), each).toBe(true);
        marks.tokens(tokenLog());
        expect(marks.inBytes(started)).toBeNull();
      }
    },
    120_000,
  );

  it('was at no moment in the arguments or the environment of any process, nor in anything that was printed', async () => {
    // Two plants, so that the search is known to see them.
    const piece = derOf(pemOf(`${outside}/trainer.json`)).subarray(700, 720);
    const shown = spawn('sleep', ['0.4'], { env: { PLANTED: piece.toString('hex') } });
    const told = spawn('sh', ['-c', 'sleep 0.4', `key=${piece.toString('base64')}`]);
    await Promise.all([once(shown, 'exit'), once(told, 'exit')]);
    sampled = await sampler.stop();
    const counts = marks.tokens(tokenLog());
    expect(counts).toEqual({
      assertion: expect.any(Number) as number,
      token: expect.any(Number) as number,
      narrowed: expect.any(Number) as number,
    });
    const guilty = sampled.samples.filter(
      (each) => marks.inBytes(Buffer.from(each, 'latin1')) !== null,
    );
    const planted = (each: string): string =>
      each.includes('PLANTED=') ? 'environment' : each.startsWith('sh\0-c\0') ? 'arguments' : each;
    expect([...new Set(guilty.map(planted))].sort()).toEqual(['arguments', 'environment']);
    const ours = sampled.samples.filter(
      (each) => each.includes(folder) || each.includes(home.folder),
    );
    for (const [kind, pattern] of Object.entries({
      'the command line': /trainyard\.mjs\0run\0/,
      'the verb start': /agent\.mjs\0start\0/,
      'the agent': /agent\.mjs\0carry\0/,
      'a supervisor': /agent\.mjs\0supervise\0/,
      'a worker': /^bash\0-c\0[^\n]*\n[^]*TRAINYARD_WORKER=0\0/,
    }))
      expect(ours.filter((each) => pattern.test(each)).length, kind).toBeGreaterThan(0);
    expect(sampled.looks).toBeGreaterThan(100);
    expect(said.join('\n')).toMatch(/^(FETCH|UNDICI) \d+: sending request to POST/m);
    expect(marks.inBytes(Buffer.from(said.join('\n')))).toBeNull();
  }, 60_000);

  it('is at the end in no file, nor in the folder for temporary files that others share; a planted piece would be found', async () => {
    await nowhere('at the end');
    const shared: string[] = [];
    for (const name of await readdir(tmpdir())) {
      const file = path.join(tmpdir(), name);
      const status = await stat(file).catch(() => null);
      // Made since: what other programs of this user keep there is theirs, and may be large.
      const mine =
        status !== null && status.uid === process.getuid?.() && status.birthtimeMs >= began;
      if (
        mine &&
        !['trainyard-known-', 'trainyard-emulator-test-'].some((start) => name.startsWith(start))
      )
        shared.push(file);
    }
    expect((await marks.below(...shared)).found).toEqual([]);

    const der = derOf(pemOf(`${outside}/trainer.json`));
    const token = (
      JSON.parse(readFileSync(tokenLog(), 'utf8').split('\n')[1] ?? '') as { token: string }
    ).token;
    const [job] = await home.json<JobView[]>(['jobs']);
    const logs = path.join(job?.runDirectory ?? '', 'logs');
    const plants: Readonly<Record<string, string | Buffer>> = {
      [path.join(folder, 'user/.notes')]: der.subarray(900, 920),
      [path.join(folder, 'tmp/report.json')]: `{"javascriptHeap": "${token.slice(20, 40)}"}`,
      [path.join(folder, 'cache/wide')]: Buffer.from(
        der.subarray(500, 530).toString('base64'),
        'utf16le',
      ),
      [path.join(logs, 'agent.log.1')]: `x ${token} y`,
      [path.join(logs, 'debugged')]:
        `push <Buffer ${der.subarray(300, 320).toString('hex').replace(/../g, '$& ')}>`,
      [path.join(home.home, 'logs/planted.log')]:
        pemOf(`${outside}/trainer.json`).split('\n')[9] ?? '',
      [path.join(home.home, 'trainyard.db-journal')]: der.subarray(100, 120).toString('hex'),
      [path.join(MEMORY_DISK, `trainyard-leak-test-${process.pid}`)]: token.slice(-20),
      [path.join(folder, 'state', token.slice(30, 60))]: '',
    };
    try {
      for (const [file, content] of Object.entries(plants)) await writeFile(file, content);
      const { found, files } = await everywhere();
      expect(found.map(({ file }) => file).sort()).toEqual(Object.keys(plants).sort());
      expect(files).toBeGreaterThan(200);
    } finally {
      for (const file of Object.keys(plants)) await rm(file, { force: true });
    }
    await nowhere('after the plants were removed');
  }, 120_000);
});
