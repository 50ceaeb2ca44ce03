import { execFileSync } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { askShell, callFor } from '../../src/agent/environment/ask-shell.ts';
import { findProgram } from '../../src/agent/environment/find-program.ts';
import { keepAnswer, keptAnswer } from '../../src/agent/environment/kept-answer.ts';
import { mergeTerminal } from '../../src/agent/environment/merge.ts';
import {
  limitsToSet,
  openFilesAbove,
  parseLimits,
} from '../../src/agent/environment/soft-limits.ts';
import { captureEnvironment, timeLimitAt } from '../../src/agent/login-shell.ts';
import { withoutOurs } from '../../src/agent/own-environment.ts';
import { withOwnVariables } from '../../src/agent/own-variables.ts';
import { bytesOfText, isRaw, textOfBytes } from '../../src/shared/raw-text.ts';
import {
  activatedIn,
  pythonText,
  terminalVariables,
} from '../../src/shared/terminal-environment.ts';
import { fc } from '../support/properties.ts';
import { makeWorld, type World } from './harness.ts';

let root: string;
beforeAll(async () => {
  root = await mkdtemp(path.join(tmpdir(), 'trainyard-environment-'));
});
afterAll(() => rm(root, { recursive: true, force: true }));

describe('bytes that are no UTF-8', () => {
  test('come back as they were, whatever they are, also over JSON', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
        const text = JSON.parse(JSON.stringify(textOfBytes(bytes))) as string;
        expect(Buffer.from(bytesOfText(text))).toEqual(Buffer.from(bytes));
      }),
    );
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (text) => {
        expect(textOfBytes(Buffer.from(text))).toBe(text);
        expect(isRaw(text)).toBe(false);
      }),
    );
    // A surrogate and an overlong form, each written as if they were characters.
    for (const bytes of [
      [0xed, 0xa0, 0x80],
      [0xc0, 0xaf],
      [0xf5, 0x80, 0x80, 0x80],
      [0xe2, 0x82],
    ])
      expect(isRaw(textOfBytes(Uint8Array.from(bytes)))).toBe(true);
  });
});

describe('what a terminal adds', () => {
  const login = { HOME: '/h', PATH: '/usr/bin:/bin', LANG: 'C' };
  const merge = (
    terminal: Record<string, string> | null,
    more: Partial<Parameters<typeof mergeTerminal>[0]> = {},
  ) => mergeTerminal({ login, terminal, before: null, ownPath: undefined, ...more });

  test('its PATH and its variables, where it came from a login shell', () => {
    const found = merge({ PATH: '/v/bin:/usr/bin:/bin', VIRTUAL_ENV: '/v', SEED: '1', LANG: 'C' });
    expect(found.variables).toEqual({
      ...login,
      PATH: '/v/bin:/usr/bin:/bin',
      VIRTUAL_ENV: '/v',
      SEED: '1',
    });
    expect(found.activated).toEqual({ kind: 'venv', prefix: '/v' });
    expect(found.fromTerminal).toEqual(['SEED', 'VIRTUAL_ENV']);
  });
  test('of a service or cron only what stands in front', () => {
    const conda = { ...login, PATH: '/conda/bin:/home/bin:/usr/bin:/bin', CONDA_PREFIX: '/conda' };
    expect(merge({ PATH: '/usr/bin:/bin' }, { login: conda })).toMatchObject({
      variables: { PATH: '/conda/bin:/home/bin:/usr/bin:/bin', CONDA_PREFIX: '/conda' },
      activated: { prefix: '/conda' },
    });
    expect(
      merge({ PATH: '/v/bin:/usr/bin:/bin:/sbin', VIRTUAL_ENV: '/v' }, { login: conda }),
    ).toMatchObject({
      variables: { PATH: '/v/bin:/conda/bin:/home/bin:/usr/bin:/bin:/sbin', VIRTUAL_ENV: '/v' },
      activated: { prefix: '/v' },
    });
    expect(merge({ PATH: '/v/bin', VIRTUAL_ENV: '/v' }).variables['PATH']).toBe(
      '/v/bin:/usr/bin:/bin',
    );
  });
  test('an environment that it left is not there, though the login shell activates it', () => {
    const base = {
      ...login,
      PATH: '/conda/bin:/usr/bin:/bin',
      CONDA_PREFIX: '/conda',
      CONDA_SHLVL: '1',
    };
    const left = merge({ PATH: '/usr/bin:/bin', HOME: '/h' }, { login: base });
    expect(left).toMatchObject({ variables: { PATH: '/usr/bin:/bin' }, activated: null });
    expect(left.variables).not.toHaveProperty('CONDA_PREFIX');
    const other = { PATH: '/conda/envs/e/bin:/usr/bin:/bin', CONDA_PREFIX: '/conda/envs/e' };
    expect(merge(other, { login: base })).toMatchObject({
      variables: other,
      activated: { kind: 'conda', prefix: '/conda/envs/e' },
    });
  });
  test('of nested ones the first of PATH counts, and one that is not in PATH is none', () => {
    const nested = { VIRTUAL_ENV: '/v/', CONDA_PREFIX: '/c' };
    expect(activatedIn({ ...nested, PATH: '/v/bin:/c/bin:/bin' })?.kind).toBe('venv');
    expect(activatedIn({ ...nested, PATH: '/c/bin/:/v/bin:/bin' })?.kind).toBe('conda');
    expect(activatedIn({ ...nested, PATH: '/bin' })).toBeNull();
    expect(activatedIn({ VIRTUAL_ENV: '', PATH: '/bin' })).toBeNull();
  });
  test('a later attempt without a terminal, or with no other than the login shell’s, gets the first one’s', () => {
    const before = { kind: 'venv', prefix: '/v' } as const;
    const base = { ...login, PATH: '/conda/bin:/usr/bin:/bin', CONDA_PREFIX: '/conda' };
    for (const terminal of [null, base, { PATH: '/usr/bin:/bin' }]) {
      const again = merge(terminal, { login: base, before });
      expect(again).toMatchObject({ activated: before, variables: { VIRTUAL_ENV: '/v' } });
      expect(again.variables['PATH']).toMatch(/^\/v\/bin:(?!.*conda)/);
    }
    const own = { PATH: '/w/bin:/usr/bin:/bin', VIRTUAL_ENV: '/w' };
    expect(merge(own, { before }).activated?.prefix).toBe('/w');
  });
  test('not what belongs to it, nor what is ours, nor credentials; npm’s folders neither', () => {
    const kept = {
      SEED: '1',
      'BASH_FUNC_f%%': '() { :; }',
      WANDB_API_KEY: 'k',
      PYTHONPATH: '/p',
      NODE_ENV: 'production',
    };
    const dropped = [
      [
        'TERM',
        'COLORTERM',
        'TERM_PROGRAM',
        'TMUX_PANE',
        'STY',
        'DISPLAY',
        'WAYLAND_DISPLAY',
        'SSH_TTY',
        'VSCODE_PID',
        'KITTY_WINDOW_ID',
        'XDG_SESSION_ID',
        'INVOCATION_ID',
        'PS1',
        'COLUMNS',
      ],
      [
        'TRAINYARD_PASSPHRASE_FILE',
        'TRAINML_X',
        'NODE_OPTIONS',
        'NODE_DEBUG',
        'ELECTRON_RUN_AS_NODE',
        'npm_config_cache',
        'STORAGE_EMULATOR_HOST',
        'PWD',
        'SHLVL',
        '_',
      ],
      [
        'GOOGLE_APPLICATION_CREDENTIALS',
        'GOOGLE_OAUTH_ACCESS_TOKEN',
        'CLOUDSDK_AUTH_ACCESS_TOKEN',
        'CLOUDSDK_CONFIG',
      ],
    ].flat();
    const all = { ...kept, ...Object.fromEntries(dropped.map((name) => [name, 'x'])) };
    expect(terminalVariables(all)).toEqual(kept);
    expect(merge({ PATH: '/p/node_modules/.bin:/usr/bin:/bin' }).variables['PATH']).toBe(
      '/usr/bin:/bin',
    );
  });
  test('what the login shell exports is the user’s own, but for what would lead a worker elsewhere', () => {
    expect(
      withoutOurs({
        NODE_OPTIONS: '--x',
        'a.b': '1',
        TRAINYARD_HOME: 'x',
        GOOGLE_APPLICATION_CREDENTIALS: 'x',
        PWD: '/',
      }),
    ).toEqual({ NODE_OPTIONS: '--x', 'a.b': '1' });
  });
});

test('a value may name its own variable, and nothing else is replaced', () => {
  const inherited = { PATH: '/usr/bin', HOME: '/h', MONEY: '$&' };
  const own = (name: string, value: string): string | undefined =>
    withOwnVariables(inherited, { [name]: value })[name];
  expect(own('PATH', '/x:$PATH')).toBe('/x:/usr/bin');
  expect(own('PATH', '/x:${PATH}:/y:$PATH')).toBe('/x:/usr/bin:/y:/usr/bin');
  expect(own('PATH', '$PATHS:$HOME:\\n')).toBe('$PATHS:$HOME:\\n');
  expect(own('MONEY', 'a$MONEY')).toBe('a$&');
  expect([own('LD', '/x:$LD'), own('LD', '${LD}:/x'), own('LD', '/x:$LD:/y')]).toEqual([
    '/x',
    '/x',
    '/x:/y',
  ]);
  expect(withOwnVariables(inherited, {})).toEqual(inherited);
});

test('which python is told', () => {
  const activated = { kind: 'venv', prefix: '/v' } as const;
  expect(pythonText({ python: '/v/bin/python', activated })).toBe(
    'python /v/bin/python of the virtual environment /v',
  );
  expect(pythonText({ python: '/usr/bin/python3', activated })).toBe('python /usr/bin/python3');
  expect(pythonText({ python: '/h/.pyenv/shims/python', activated: null })).toContain(
    'chooses by the folder',
  );
  expect(pythonText({ python: null, activated: null })).toBe('no python in PATH');
});

test('soft limits, as /proc tells them and as ulimit takes them', () => {
  const text = [
    'Limit                     Soft Limit           Hard Limit           Units     ',
    'Max cpu time              unlimited            unlimited            seconds   ',
    'Max stack size            8388608              unlimited            bytes     ',
    'Max open files            1024                 524288               files     ',
  ].join('\n');
  const found = parseLimits(text);
  expect([...found].sort()).toEqual([
    ['n', '1024'],
    ['s', '8192'],
    ['t', 'unlimited'],
  ]);
  expect(
    limitsToSet(
      found,
      new Map([
        ['n', '524288'],
        ['s', '8192'],
        ['t', 'unlimited'],
      ]),
    ),
  ).toEqual([['n', '1024']]);
  expect(parseLimits('')).toEqual(new Map());
});

const shells = ['bash', 'dash', 'zsh', 'ksh', 'mksh', 'fish', 'tcsh', 'xonsh'].map((name) => ({
  name,
  file: findProgram(name, '/usr/bin:/bin'),
}));

describe.skipIf(process.platform !== 'linux')('the login shell', () => {
  const asked = async (
    shell: string,
    files: Readonly<Record<string, string>>,
    timeLimit = 30_000,
    way: 'full' | 'login-only' = 'full',
  ) => {
    const home = await mkdtemp(path.join(root, 'home-'));
    for (const [name, text] of Object.entries(files)) {
      mkdirSync(path.dirname(path.join(home, name)), { recursive: true });
      writeFileSync(path.join(home, name), text.replaceAll('HOME_FOLDER', home));
    }
    return askShell(shell, way, {
      timeLimit,
      environment: { HOME: home, PATH: '/usr/bin:/bin', TERM: 'dumb' },
      openFiles: null,
    });
  };

  const START_FILES: Readonly<Record<string, Readonly<Record<string, string>>>> = {
    bash: { '.bash_profile': 'echo noise\nexport FOUND=yes' },
    dash: { '.profile': 'export FOUND=yes' },
    ksh: { '.profile': 'export FOUND=yes' },
    mksh: { '.profile': 'export FOUND=yes' },
    zsh: { '.zprofile': 'export FOUND=no', '.zshrc': 'echo noise; export FOUND=yes' },
    fish: {
      '.config/fish/config.fish':
        'echo noise; status is-interactive; and status is-login; and set -x FOUND yes',
    },
    tcsh: { '.tcshrc': 'echo noise\nif ($?prompt) setenv FOUND yes', '.login': 'echo noise' },
    xonsh: { '.xonshrc': 'print("noise")\n$FOUND = "yes"' },
  };
  for (const { name, file } of shells)
    test.skipIf(file === null)(`${name} is asked in its own way`, async () => {
      const { answer, failure } = await asked(file ?? '', START_FILES[name] ?? {}, 60_000);
      expect(failure).toBeNull();
      expect(answer?.variables['FOUND']).toBe('yes');
      expect(answer?.limits.get('n')).toMatch(/^(\d+|unlimited)$/);
    });
  test('one that is not known is asked as each can be', () => {
    expect(callFor('/usr/bin/elvish', 'login-only', 'x')).toEqual({
      parameters: ['-c', 'x'],
      name: '-elvish',
    });
    expect(callFor('/opt/nu', 'full', 'x')).toEqual({
      parameters: ['-l', '-i', '-c', 'x'],
      name: 'nu',
    });
    expect(callFor('-tcsh', 'login-only', 'x')).toEqual({ parameters: ['-c', 'x'], name: '-tcsh' });
  });

  test('start-up files may read, fail under set -e later, and leave a program that holds the pipe', async () => {
    const profile =
      'cat > /dev/null; export A=$\'1\\n2\\xff\'; f() { echo "in f"; }; export -f f; sleep 300 & set -e\n';
    const began = performance.now();
    const { answer } = await asked('/bin/bash', { '.bash_profile': profile });
    expect(performance.now() - began).toBeLessThan(20_000);
    expect(answer?.variables).toMatchObject({
      A: '1\n2\udcff',
      'BASH_FUNC_f%%': '() {  echo "in f"\n}',
    });
  });
  test.skipIf(!existsSync('/usr/bin/zsh'))(
    'start-up files may hand over to another shell, which is asked in its way',
    async () => {
      const { answer } = await asked('/bin/bash', {
        '.bash_profile': 'export OUTER=1\n[ -x /usr/bin/zsh ] && exec /usr/bin/zsh -l',
        '.zshrc': 'export INNER=2',
      });
      expect(answer?.variables).toMatchObject({ OUTER: '1', INNER: '2' });
    },
  );
  test('what fails is told as what it is, and no failure as a time-out', async () => {
    const failure = async (shell: string, files = {}, time?: number) =>
      (await asked(shell, files, time)).failure;
    expect(await failure('/nowhere/sh')).toBe('is not there');
    expect(await failure('/etc/passwd')).toBe('is no program that can be started');
    expect(await failure('/bin/bash', { '.bash_profile': 'exit 3' })).toBe(
      'ended with exit status 3 before it told its environment',
    );
    expect(await failure('/bin/bash', { '.bash_profile': 'kill -9 $$' })).toBe(
      'ended by SIGKILL before it told its environment',
    );
    expect(await failure('/bin/bash', { '.bash_profile': 'sleep 60' }, 1_000)).toBe(
      'did not tell its environment within 1 seconds',
    );
  });

  test('a busy machine has longer to answer', () => {
    expect([0, 1, 2, 3.5, 40].map(timeLimitAt)).toEqual([15_000, 15_000, 30_000, 52_500, 60_000]);
  });
  test('without an answer: without what is for terminals, then the last answer, then the agent’s own, each told', async () => {
    const home = await mkdtemp(path.join(root, 'home-'));
    const kept = path.join(root, 'kept');
    const profile = (text: string): void => writeFileSync(path.join(home, '.bash_profile'), text);
    const before = process.env['HOME'];
    process.env['HOME'] = home;
    try {
      profile('export FOUND=whole');
      const capture = (time = 20_000) => captureEnvironment('/bin/bash', time, { kept });
      expect(await capture()).toMatchObject({
        source: 'login',
        warning: null,
        variables: { FOUND: 'whole' },
      });
      profile('export FOUND=part; case $- in *i*) exit 1;; esac');
      const part = await capture();
      expect(part).toMatchObject({ source: 'login-only', variables: { FOUND: 'part' } });
      expect(part.warning?.message).toContain('ended with exit status 1');
      profile('exit 1');
      const last = await capture();
      expect(last).toMatchObject({
        source: 'kept',
        shell: '/bin/bash',
        variables: { FOUND: 'whole' },
      });
      expect(last.warning?.message).toMatch(/the environment that it told at 20\d\d-/);
      expect(readFileSync(path.join(kept, 'login.json'), 'utf8')).toContain('whole');
      chmodSync(kept, 0o755);
      expect((await capture()).source).toBe('own');
      // Nor does what another shell, or another home, said.
      chmodSync(kept, 0o700);
      expect(keptAnswer('/bin/zsh', kept)).toBeNull();
      process.env['HOME'] = '/other';
      expect(keptAnswer('/bin/bash', kept)).toBeNull();
      keepAnswer('/bin/bash', { variables: { A: '\udcff' }, limits: new Map([['n', '9']]) }, kept);
      expect(keptAnswer('/bin/bash', kept)?.answer).toEqual({
        variables: { A: '\udcff' },
        limits: new Map([['n', '9']]),
      });
    } finally {
      process.env['HOME'] = before;
    }
  });
});

describe.skipIf(process.platform !== 'linux')('a worker and setup', () => {
  let world: World;
  beforeAll(async () => {
    world = await makeWorld();
  });
  afterAll(() => world.remove());

  test('find what the login shell exports byte for byte, its functions and its soft limits, and what the terminal has', async () => {
    writeFileSync(
      path.join(world.root, 'user/.bash_profile'),
      'export ODD=$\'a\\nb\\xff\' EQUAL="=x="; greet() { echo "hello $1"; }; export -f greet; ulimit -Sn 321; export BASH_ENV=~/.env\n',
    );
    writeFileSync(path.join(world.root, 'user/.env'), 'echo "BASH_ENV was read"\n');
    const venv = path.join(world.root, 'venv');
    mkdirSync(path.join(venv, 'bin'), { recursive: true });
    writeFileSync(path.join(venv, 'bin/python'), '#!/bin/sh\necho python of the venv\n', {
      mode: 0o755,
    });
    const print = (to: string) => `{ env -0; greet you; ulimit -Sn; python; } > ${to}`;
    const data = path.join(world.root, 'data');
    mkdirSync(data);
    writeFileSync(path.join(data, 'one'), 'of the input');
    const account = {
      keyId: 'k',
      name: 'n',
      email: 'a@p.example',
      projectId: 'p',
      privateKeyId: 'i',
    };
    const run = await world.run({
      input: { kind: 'dir', path: data },
      workerKeys: [{ account, mode: 'key-file' }],
      setup: `cat "$ML_DATA_PATH/one"; grep -c '"client_email": "a@p.example"' "$GOOGLE_APPLICATION_CREDENTIALS"; ${print('"$TRAINYARD_MODEL_PATH/../setup.txt"')}`,
      workers: [print('"$TRAINYARD_OUTPUT_PATH/w"')],
    });
    await run.begin({
      format: 1,
      tokens: [],
      keys: [
        {
          keyId: 'k',
          key: {
            projectId: 'p',
            privateKeyId: 'i',
            privateKey: generateKeyPairSync('ec', { namedCurve: 'P-256' })
              .privateKey.export({ type: 'pkcs8', format: 'der' })
              .toString('base64'),
            clientEmail: account.email,
            clientId: null,
            tokenUri: 'https://oauth2.googleapis.com/token',
          },
        },
      ],
      terminal: {
        PATH: `${venv}/bin:${process.env['PATH'] ?? ''}`,
        VIRTUAL_ENV: venv,
        SEED: '\udcfe',
      },
    });
    const ended = await run.ended();
    expect(ended, JSON.stringify(ended)).toMatchObject({ state: 'finished' });
    for (const file of ['setup.txt', 'output/worker-0/w']) {
      const bytes = readFileSync(run.at(file));
      const end = bytes.subarray(bytes.lastIndexOf(0) + 1).toString();
      expect(end).toBe('hello you\n321\npython of the venv\n');
      const variables = bytes.toString('latin1').split('\0');
      expect(variables).toEqual(
        expect.arrayContaining(['ODD=a\nb\xff', 'EQUAL==x=', 'SEED=\xfe', `VIRTUAL_ENV=${venv}`]),
      );
      expect(variables).toContainEqual(expect.stringMatching(/^BASH_FUNC_greet%%=/));
    }
    // Setup runs once the input is there, and gets the key as workers do.
    expect(run.read('logs/stage.log')).toMatch(/in place\nBASH_ENV was read\nof the input1\n$/);
    expect(run.read('logs/worker-0.log')).toBe('BASH_ENV was read\n');
    const told = run.events().find(({ kind }) => kind === 'environment');
    expect(told).toMatchObject({
      source: 'login',
      python: `${venv}/bin/python`,
      activated: { kind: 'venv', prefix: venv },
      terminal: ['SEED', 'VIRTUAL_ENV'],
    });
  });
});

test.skipIf(process.platform !== 'linux')(
  'the soft limit of open files is that of the shell above, which Node.js raises for itself',
  () => {
    const script = `import { openFilesAbove } from ${JSON.stringify(path.resolve(import.meta.dirname, '../../src/agent/environment/soft-limits.ts'))}; console.log(openFilesAbove());`;
    const found = execFileSync(
      'bash',
      [
        '-c',
        'ulimit -Sn 432; "$1" --input-type=module -e "$2"; true',
        'bash',
        process.execPath,
        script,
      ],
      { encoding: 'utf8' },
    );
    expect(found.trim()).toBe('432');
    expect(openFilesAbove(1)).toMatch(/^(\d+|unlimited)$/);
  },
);
