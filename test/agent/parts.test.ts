import { chmodSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openEventLog } from '../../src/agent/event-log.ts';
import { readHistory } from '../../src/agent/history.ts';
import { captureEnvironment, joinPaths, parseEnvironment } from '../../src/agent/login-shell.ts';
import { withoutControls } from '../../src/agent/own-environment.ts';
import { emptyPrivate, placeKeyFile } from '../../src/agent/private-folder.ts';
import { readSurvival } from '../../src/agent/probe.ts';
import { attemptPath } from '../../src/agent/stages/uploading.ts';
import { standingOf, type WorkerFiles } from '../../src/agent/workers.ts';
import type { WorkerExit } from '../../src/shared/agent-protocol.ts';
import { parseEventLine } from '../../src/shared/events.ts';

let root: string;
beforeAll(async () => {
  root = await mkdtemp(path.join(tmpdir(), 'trainyard-parts-'));
});
afterAll(() => rm(root, { recursive: true, force: true }));

const identity = (pid: number) => ({ pid, startTime: '1', bootId: 'b' });

describe('where a worker stands', () => {
  const started = { process: identity(2), time: '', start: 1, gpus: [] };
  const exit = (fields: Partial<WorkerExit> = {}): WorkerExit => ({
    start: 1,
    exitCode: 0,
    signal: null,
    stopped: false,
    time: '',
    ...fields,
  });
  const stand = (
    files: Partial<WorkerFiles>,
    told: Partial<{ start: number; endTold: boolean; retry: boolean }> = {},
    ...alive: number[]
  ) =>
    standingOf(
      { supervisor: null, started: null, exit: null, ...files },
      { start: 0, endTold: false, retry: false, ...told },
      (process) => alive.includes(process.pid),
    );
  const supervisor = identity(1);
  const told = { start: 1, endTold: true };

  test('never started, about to start, running, without its supervisor', () => {
    expect(stand({})).toEqual({ kind: 'to-start', start: 1, lost: null });
    expect(stand({ supervisor }, {}, 1)).toEqual({ kind: 'running', supervisor });
    expect(stand({ supervisor })).toEqual({ kind: 'to-start', start: 1, lost: null });
    expect(stand({ supervisor, started }, {}, 1, 2)).toEqual({ kind: 'running', supervisor });
    expect(stand({ supervisor, started }, {}, 2)).toEqual({ kind: 'running', supervisor: null });
  });
  test('an exit counts although the supervisor has not gone yet', () => {
    expect(stand({ supervisor, started, exit: exit() }, {}, 1).kind).toBe('ended');
  });
  test('finished never starts again, failed only in a retry and once told, lost always', () => {
    expect(stand({ supervisor, started, exit: exit() }, { ...told, retry: true }).kind).toBe(
      'ended',
    );
    const failed = { supervisor, started, exit: exit({ exitCode: 1 }) };
    expect(stand(failed, told).kind).toBe('ended');
    expect(stand(failed, { start: 1, retry: true }).kind).toBe('ended');
    expect(stand(failed, { ...told, retry: true })).toEqual({
      kind: 'to-start',
      start: 2,
      lost: null,
    });
    const stopped = { supervisor, started, exit: exit({ stopped: true }) };
    expect(stand(stopped, { ...told, retry: true })).toEqual({
      kind: 'to-start',
      start: 2,
      lost: null,
    });
    expect(stand({ supervisor, started }, { start: 1 })).toEqual({
      kind: 'to-start',
      start: 2,
      lost: started,
    });
    expect(stand({ supervisor, started }, told)).toEqual({
      kind: 'to-start',
      start: 2,
      lost: null,
    });
  });
});

describe('events.jsonl', () => {
  test('numbers go on, a torn line is closed and passed over, unknown kinds count', () => {
    const file = path.join(root, 'events.jsonl');
    const first = openEventLog(file);
    if (!first.ok) throw new Error();
    first.value.append({ kind: 'stage-started', stage: 'staging' });
    first.value.close();
    writeFileSync(file, '{"format":1,"seq":7,"time":"t","kind":"of-tomorrow"}\n{"format":1,"se', {
      flag: 'a',
    });
    const second = openEventLog(file);
    if (!second.ok) throw new Error();
    expect(second.value.earlier).toHaveLength(1);
    second.value.append({ kind: 'warning', message: 'm', hint: '' });
    second.value.close();
    const third = openEventLog(file);
    expect(third.ok && third.value.earlier.map((event) => [event.seq, event.kind])).toEqual([
      [1, 'stage-started'],
      [8, 'warning'],
    ]);
    if (third.ok) third.value.close();
  });
  test('numbers with a gap go on above the highest, lines that are no events are passed over, a later format is refused', () => {
    const file = path.join(root, 'gaps.jsonl');
    const line = (seq: number): string =>
      `{"format":1,"seq":${seq},"time":"t","kind":"stage-started","stage":"staging"}\n`;
    writeFileSync(
      file,
      `${line(1)}\0\0\0\n[]\n${line(40)}${line(7)}{"format":1,"seq":41,"time":"t","ki`,
    );
    const log = openEventLog(file);
    if (!log.ok) throw new Error();
    expect(log.value.earlier.map((event) => event.seq)).toEqual([1, 40, 7]);
    log.value.append({ kind: 'warning', message: 'm', hint: '' });
    expect(log.value.stuck()).toBe(false);
    log.value.close();
    const last = readFileSync(file, 'utf8').trimEnd().split('\n').at(-1) ?? '';
    expect(JSON.parse(last)).toMatchObject({ seq: 41, kind: 'warning' });
    writeFileSync(file, `${line(1)}{"format":9,"seq":2,"time":"t","kind":"x"}\n`);
    expect(openEventLog(file)).toMatchObject({
      ok: false,
      problem: { code: 'input.run-format', hint: expect.stringContaining('Update') as string },
    });
  });
  test('the history of attempts', () => {
    const lines = [
      { kind: 'agent-started', agent: identity(1), version: 'v', attempt: 1 },
      { kind: 'setup-ended', exitCode: 1, seconds: 1 },
      { kind: 'ended', state: 'failed', stage: 'staging', problem: null },
      { kind: 'agent-started', agent: identity(1), version: 'v', attempt: 2 },
      { kind: 'worker-started', worker: 0, pid: 1, startTime: '1', start: 2, gpus: [] },
    ].map((event, index) => JSON.stringify({ format: 1, seq: index + 1, time: 't', ...event }));
    const history = readHistory(
      lines.map((line) => {
        const parsed = parseEventLine(line);
        if (!('event' in parsed)) throw new Error(line);
        return parsed.event;
      }),
    );
    expect(history).toMatchObject({
      attempts: 2,
      ended: null,
      setupDone: false,
      stagingDone: false,
    });
    expect(history.worker(0)).toEqual({
      start: 2,
      endTold: false,
      leftTold: 0,
      logFullTold: false,
    });
    expect(history.worker(1).start).toBe(0);
  });
});

describe('the environment of the login shell', () => {
  test('is read between its markers', () => {
    expect(parseEnvironment('noise MA=1\0B=x=y\nz\0BROKEN\0M more', 'M')).toEqual({
      A: '1',
      B: 'x=y\nz',
    });
    expect(parseEnvironment('MA=1', 'M')).toBeNull();
    expect(joinPaths('/a:/b', '/b:/c:')).toBe('/a:/b:/c');
    // What npm added to the PATH of the program that it starts comes back through the login shell, too.
    const npm =
      '/p/node_modules/.bin:/node_modules/.bin:/u/.npm/_npx/12/x/bin:/n/lib/node-gyp-bin:/b';
    expect(joinPaths(`/a:${npm}`, npm)).toBe('/a:/b');
    expect(joinPaths('/mine/node_modules/.bin:/a', '/b')).toBe('/mine/node_modules/.bin:/a:/b');
  });
  test('a shell that hangs, fails or is missing is told in a warning, in time', async () => {
    const hangs = path.join(root, 'hangs');
    writeFileSync(hangs, '#!/bin/sh\nsleep 60\n');
    chmodSync(hangs, 0o755);
    const began = performance.now();
    for (const shell of [hangs, '/bin/false', '/nowhere']) {
      const captured = await captureEnvironment(shell, 500);
      expect(captured.shell).toBeNull();
      expect(captured.warning?.message).toContain(shell);
    }
    expect(performance.now() - began).toBeLessThan(20_000);
  });
  test('what its start-up files set is there, and noise is not', async () => {
    const home = await mkdtemp(path.join(root, 'home-'));
    writeFileSync(
      path.join(home, '.bash_profile'),
      'echo hello; export FROM_PROFILE=yes TRAINYARD_HOME=/x; . ~/.bashrc\n',
    );
    writeFileSync(
      path.join(home, '.bashrc'),
      'case $- in *i*) ;; *) return;; esac\nexport FROM_RC=yes\n',
    );
    const before = process.env['HOME'];
    process.env['HOME'] = home;
    try {
      const { variables, warning } = await captureEnvironment('/bin/bash');
      expect(warning).toBeNull();
      expect(variables).toMatchObject({ FROM_PROFILE: 'yes', FROM_RC: 'yes' });
      expect(variables).not.toHaveProperty('TRAINYARD_HOME');
    } finally {
      process.env['HOME'] = before;
    }
  });
  test('controls and secrets do not pass', () => {
    expect(
      withoutControls({
        A: '1',
        TRAINYARD_PASSPHRASE_FILE: 'x',
        GOOGLE_APPLICATION_CREDENTIALS: 'x',
        npm_config_cache: 'x',
        ELECTRON_RUN_AS_NODE: '1',
        NODE_OPTIONS: 'x',
      }),
    ).toEqual({ A: '1' });
  });
});

test('what logging out does, as logind tells it', () => {
  expect(readSurvival('KillUserProcesses=no', null, 'u').survivesLogout).toBe(true);
  expect(readSurvival('KillUserProcesses=yes', 'Linger=no', 'u').survivesLogout).toBe(false);
  expect(readSurvival('KillUserProcesses=yes', 'Linger=yes', 'u').survivesLogout).toBe(true);
  expect(
    readSurvival('KillUserProcesses=yes\nKillExcludeUsers=root u', null, 'u').survivesLogout,
  ).toBe(true);
  expect(readSurvival('KillUserProcesses=yes\nKillOnlyUsers=other', null, 'u').survivesLogout).toBe(
    true,
  );
  expect(readSurvival('', null, 'u').survivesLogout).toBeNull();
  expect(readSurvival('KillUserProcesses=yes', 'Linger=no', 'u').survivesLogoutReason).toContain(
    'loginctl enable-linger u',
  );
});

test('the key folder: 0700 with the file 0600, swept by its record, and a record that names another folder is not believed', async () => {
  const run = await mkdtemp(path.join(root, 'run-'));
  const precious = await mkdtemp(path.join(root, 'precious-'));
  const { mkdirSync, existsSync } = await import('node:fs');
  mkdirSync(path.join(run, 'private'));
  const placed = placeKeyFile(run, 'secret');
  expect(statSync(placed.keyFile).mode & 0o777).toBe(0o600);
  expect(statSync(path.dirname(placed.keyFile)).mode & 0o777).toBe(0o700);
  expect(placeKeyFile(run, 'secret').keyFile).toBe(placed.keyFile);
  emptyPrivate(run);
  expect(existsSync(path.dirname(placed.keyFile))).toBe(false);
  expect(readdirSync(path.join(run, 'private'))).toEqual([]);
  writeFileSync(path.join(run, 'private/key-folder.json'), JSON.stringify({ folder: precious }));
  emptyPrivate(run);
  expect(existsSync(precious)).toBe(true);
});

test('where a file goes that changed after it was uploaded', () => {
  expect(attemptPath('worker-3/a/b', 2, true)).toBe('worker-3/attempt-2/a/b');
  expect(attemptPath('a/b', 2, false)).toBe('attempt-2/a/b');
});
