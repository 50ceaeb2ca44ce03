import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  keychainVault,
  readPart,
  toParts,
  type KeychainVaultOptions,
} from '../../../src/main/keys/keychain-vault.ts';
import {
  explainKeychain,
  explainLoad,
  keychainSilent,
  type Keytar,
} from '../../../src/main/keys/keytar.ts';
import type { Vault, VaultStatus } from '../../../src/main/keys/vault.ts';
import { fail, ok, type Result } from '../../../src/shared/problem.ts';
import { COMMAND_LINE } from '../../support/programs.ts';
import { problemOf, temporaryFolder, valueOf, writeKeyFile } from '../temp.ts';
import { cardOf } from './vault-suite.ts';

test('a long key is cut into parts that fit every platform', () => {
  for (const length of [0, 1, 1_200, 1_201, 3_300]) {
    const value = 'x'.repeat(length);
    const parts = toParts(value);
    expect(parts.every((part) => part.length <= 1_210)).toBe(true);
    const read = parts.map((part) => readPart(part));
    expect(read.map((part) => part?.content).join('')).toBe(value);
    expect(read.map((part) => part?.number)).toEqual(parts.map((_, index) => index + 1));
    expect(read.every((part) => part?.count === parts.length)).toBe(true);
  }
  expect(readPart('open')).toBeNull();
});

test('a missing system library is told with the package that has it, not as the library tells it', () => {
  const problem = explainLoad('libsecret-1.so.0: cannot open shared object file: No such file');
  expect(problem.code).toBe('access.keychain-unavailable');
  expect(problem.message).toContain('libsecret is not installed');
  expect(problem.hint).toContain('apt-get install libsecret-1-0');
  expect(problem.hint).toContain('TRAINYARD_VAULT=passphrase');
});

test('what keychains answer is told apart', () => {
  const code = (text: string): string => explainKeychain(new Error(text)).code;
  expect(code('Cannot create an item in a locked collection')).toBe('access.keychain-locked');
  expect(code('Cannot autolaunch D-Bus without X11 $DISPLAY')).toBe('access.keychain-unavailable');
  expect(
    explainKeychain(new Error('Could not connect: No such file or directory')).message,
  ).toContain('This session has no keychain service');
  expect(code('something new')).toBe('access.keychain-unavailable');
});

test('a keychain that is not there is never left for another vault', async () => {
  const load = (): Result<never> => fail(explainLoad('libsecret-1.so.0: cannot open'));
  const vault = keychainVault({ home: '/h', load });
  expect((await vault.state()).state).toBe('unavailable');
  expect(problemOf(await vault.get('x')).code).toBe('access.keychain-unavailable');
});

test('a replacement that fails leaves the earlier key, one that is cut off is told, and either can be done again', async () => {
  const items = new Map<string, string>();
  /** How many items can be written before the keychain fails; after `dies` nothing reaches it any more. */
  let left = Infinity;
  let dies = false;
  const load = () =>
    ok<Keytar>({
      getPassword: async (_service, account) => items.get(account) ?? null,
      setPassword: async (_service, account, password) => {
        left -= 1;
        if (left < 0 && (dies || left === -1)) throw new Error('no room');
        items.set(account, password);
      },
      deletePassword: async (_service, account) => items.delete(account),
      findCredentials: async () => [...items].map(([account, password]) => ({ account, password })),
    });
  const vault = keychainVault({ home: '/h', load });
  const card = cardOf('keychain');
  const [earlier, later] = ['a'.repeat(1_630), 'b'.repeat(1_630)];
  valueOf(await vault.put(card, earlier));
  // The second part, or the card, is refused once; then the keychain is well again.
  for (const writable of [0, 1, 2]) {
    left = writable;
    expect(problemOf(await vault.replace({ ...card, fingerprint: 'new' }, later)).code).toBe(
      'access.keychain-unavailable',
    );
    left = Infinity;
    expect(valueOf(await vault.get(card.id))).toBe(earlier);
    expect(valueOf(await vault.list()).cards.map((one) => one.card)).toEqual([card]);
  }
  // The program is killed after the first part: nothing can be put back.
  left = 1;
  dies = true;
  expect((await vault.replace(card, later)).ok).toBe(false);
  left = Infinity;
  expect(problemOf(await vault.get(card.id)).code).toBe('access.key-damaged');
  valueOf(await vault.replace(card, later));
  expect(valueOf(await vault.get(card.id))).toBe(later);
});

const installed = (program: string): boolean => spawnSync('which', [program]).status === 0;
const missing = ['dbus-daemon', 'gnome-keyring-daemon', 'gdbus'].filter((name) => !installed(name));
const reason = missing.length === 0 ? '' : ` (skipped: ${missing.join(', ')} not installed)`;

describe.skipIf(missing.length > 0)(`a real keyring${reason}`, () => {
  const home = temporaryFolder();
  const runtime = join(home, 'run');
  const children: ChildProcess[] = [];
  let env: NodeJS.ProcessEnv;

  beforeAll(async () => {
    mkdirSync(runtime, { mode: 0o700 });
    const base = {
      PATH: process.env['PATH'],
      HOME: home,
      XDG_RUNTIME_DIR: runtime,
      XDG_DATA_HOME: join(home, 'data'),
    };
    const bus = spawn('dbus-daemon', ['--session', '--nofork', '--print-address=1'], {
      env: base,
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    children.push(bus);
    const [address] = (await once(bus.stdout, 'data')) as [Buffer];
    env = { ...base, DBUS_SESSION_BUS_ADDRESS: address.toString().trim() };
    const keyring = spawn(
      'gnome-keyring-daemon',
      ['--foreground', '--unlock', '--components=secrets'],
      {
        env,
        stdio: ['pipe', 'pipe', 'ignore'],
      },
    );
    children.push(keyring);
    keyring.stdin.end('a password');
    for (const end = Date.now() + 10_000; Date.now() < end;) {
      if ((await open().state()).state === 'unlocked') return;
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
    throw new Error('the keyring did not open');
  });
  afterAll(async () => {
    for (const child of children.reverse()) {
      const ended = once(child, 'exit');
      child.kill('SIGTERM');
      await ended;
    }
  });

  /** Each vault with a library's process of its own, as each program has it. */
  const open = (owner = '/home-a', more: Partial<KeychainVaultOptions> = {}): Vault =>
    keychainVault({ home: owner, env, ...more });
  const keyOf = (length: number): string => 'aB3+'.repeat(length);
  const named = (id: string, name: string) => ({ ...cardOf('keychain'), id, name });
  const lock = (): void => {
    const { status } = spawnSync(
      'gdbus',
      [
        'call',
        '--session',
        '--dest',
        'org.freedesktop.secrets',
        '--object-path',
        '/org/freedesktop/secrets',
        '--method',
        'org.freedesktop.Secret.Service.Lock',
        '["/org/freedesktop/secrets/aliases/default"]',
      ],
      { env },
    );
    expect(status).toBe(0);
  };

  test('keeps keys in parts, finds them by their cards, and tells locked from missing', async () => {
    const vault = open();
    valueOf(await vault.put(named('id-1', 'lab'), keyOf(410)));
    valueOf(await vault.put(named('id-2', 'big'), keyOf(800)));
    valueOf(await open('/home-b').put(named('id-3', 'other'), keyOf(1)));
    expect(valueOf(await vault.get('id-1'))).toBe(keyOf(410));
    expect(valueOf(await vault.get('id-2'))).toBe(keyOf(800));
    valueOf(await vault.updateCard(named('id-1', 'bench')));
    const listed = valueOf(await vault.list());
    const shown = listed.cards.map(({ card, ownHome }) => `${card.id} ${card.name} ${ownHome}`);
    expect(shown.sort()).toEqual(['id-1 bench true', 'id-2 big true', 'id-3 other false']);
    expect(problemOf(await vault.get('id-9')).code).toBe('access.key-missing');
    valueOf(await vault.remove('id-2'));
    expect(problemOf(await vault.get('id-2')).code).toBe('access.key-missing');

    lock();
    // As the next command finds it.
    const later = open();
    expect((await later.state()).state).toBe('locked');
    const refused = [
      await later.get('id-1'),
      await later.put(named('id-1', 'new'), keyOf(1)),
      await later.updateCard(named('id-1', 'new')),
      await later.remove('id-1'),
    ];
    for (const one of refused)
      expect(problemOf(one as Result<unknown>).code).toBe('access.keychain-locked');
    expect(valueOf(await later.list())).toEqual({ cards: [], complete: false });
  }, 60_000);

  const answers = (): void => {
    children[1]?.kill('SIGCONT');
  };

  test('one that does not answer is left, told, and not waited for again', async () => {
    children[1]?.kill('SIGSTOP');
    try {
      const told: string[] = [];
      const vault = open('/home-a', { patience: 1_000, onSilence: () => told.push('silent') });
      const began = performance.now();
      const first = await vault.state();
      // What follows in the same command does not wait again.
      const then = await vault.list();
      if (first.state !== 'unavailable') throw new Error(first.state);
      expect(first.problem).toEqual(keychainSilent);
      expect(problemOf(then)).toEqual(keychainSilent);
      expect(told).toEqual(['silent']);
      expect(performance.now() - began).toBeLessThan(5_000);
    } finally {
      answers();
    }
  });

  test('a command that waits for one says so, and ends when it is asked to', async () => {
    const file = join(home, 'key.json');
    writeKeyFile(file);
    children[1]?.kill('SIGSTOP');
    try {
      for (const [signal, status] of [
        ['SIGINT', 130],
        ['SIGTERM', 143],
      ] as const) {
        const child = spawn(process.execPath, [COMMAND_LINE, 'keys', 'add', file], {
          env: { ...env, TRAINYARD_HOME: join(home, 'trainyard'), TRAINYARD_VAULT: 'keychain' },
          stdio: ['ignore', 'ignore', 'pipe'],
        });
        let said = '';
        await new Promise<void>((resolve) => {
          child.stderr.setEncoding('utf8').on('data', (text: string) => {
            said += text;
            if (said.includes('Waits for the keychain')) resolve();
          });
          child.once('exit', () => resolve());
        });
        const asked = performance.now();
        child.kill(signal);
        expect(await once(child, 'close'), said).toEqual([status, null]);
        expect(performance.now() - asked).toBeLessThan(3_000);
      }
    } finally {
      answers();
    }
  }, 60_000);

  test('a service without a default keyring is told with its cure', async () => {
    const empty = temporaryFolder();
    mkdirSync(join(empty, 'run'), { mode: 0o700 });
    const own = {
      PATH: process.env['PATH'],
      HOME: empty,
      XDG_RUNTIME_DIR: join(empty, 'run'),
      XDG_DATA_HOME: join(empty, 'data'),
    };
    const bus = spawn('dbus-daemon', ['--session', '--nofork', '--print-address=1'], {
      env: own,
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    const [address] = (await once(bus.stdout, 'data')) as [Buffer];
    const before = env;
    env = { ...own, DBUS_SESSION_BUS_ADDRESS: address.toString().trim() };
    const keyring = spawn('gnome-keyring-daemon', ['--foreground', '--components=secrets'], {
      env,
      stdio: 'ignore',
    });
    children.push(bus, keyring);
    try {
      const vault = open();
      const isTold = (found: VaultStatus): boolean =>
        'problem' in found && found.problem.message.includes('no keyring to keep keys in');
      let found = await vault.state();
      // Until the daemon is on the bus there is no service.
      for (let tries = 0; tries < 20 && !isTold(found); tries += 1) found = await vault.state();
      if (found.state !== 'unavailable') throw new Error(found.state);
      expect(found.problem.message).toContain('there is no default one');
      expect(found.problem.hint).toContain('seahorse');
      expect(found.problem.hint).toContain('TRAINYARD_VAULT=passphrase');
    } finally {
      env = before;
    }
  }, 30_000);

  test('a session without a keychain service is told with the way out', async () => {
    const found = await (async () => {
      const before = env;
      env = { PATH: env['PATH'], HOME: home, DBUS_SESSION_BUS_ADDRESS: 'unix:path=/no/such/bus' };
      try {
        return await open().state();
      } finally {
        env = before;
      }
    })();
    if (found.state !== 'unavailable') throw new Error(found.state);
    expect(found.problem.code).toBe('access.keychain-unavailable');
    expect(found.problem.hint).toContain('TRAINYARD_VAULT=passphrase');
  });
});
