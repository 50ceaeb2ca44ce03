import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { keychainVault, readPart, toParts } from '../../../src/main/keys/keychain-vault.ts';
import { explainKeychain, explainLoad, type Keytar } from '../../../src/main/keys/keytar.ts';
import type { StoredCard, VaultStatus } from '../../../src/main/keys/vault.ts';
import { fail, ok, type Result } from '../../../src/shared/problem.ts';
import { problemOf, temporaryFolder, valueOf } from '../temp.ts';
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
      if ((await call<VaultStatus>('state')).state === 'unlocked') return;
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

  const program = fileURLToPath(new URL('keychain-program.ts', import.meta.url));
  const call = async <T>(verb: string, ...rest: string[]): Promise<T> =>
    callAs<T>('/home-a', verb, ...rest);
  const callAs = async <T>(owner: string, verb: string, ...rest: string[]): Promise<T> => {
    const child = spawn(process.execPath, [program, verb, owner, ...rest], {
      env,
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    let text = '';
    child.stdout.setEncoding('utf8').on('data', (piece: string) => (text += piece));
    const [code, signal] = (await once(child, 'close')) as [number | null, string | null];
    if (code !== 0) throw new Error(`${verb} ended with ${code ?? signal}`);
    return JSON.parse(text) as T;
  };
  type Listed = Result<{ cards: StoredCard[]; complete: boolean }>;
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
    valueOf(await call<Result<void>>('put', 'id-1', 'lab', '410'));
    valueOf(await call<Result<void>>('put', 'id-2', 'big', '800'));
    valueOf(await callAs<Result<void>>('/home-b', 'put', 'id-3', 'other', '1'));
    expect(valueOf(await call<Result<string>>('get', 'id-1'))).toBe('aB3+'.repeat(410));
    expect(valueOf(await call<Result<string>>('get', 'id-2'))).toBe('aB3+'.repeat(800));
    valueOf(await call<Result<void>>('rename', 'id-1', 'bench'));
    const listed = valueOf(await call<Listed>('list'));
    const shown = listed.cards.map(({ card, ownHome }) => `${card.id} ${card.name} ${ownHome}`);
    expect(shown.sort()).toEqual(['id-1 bench true', 'id-2 big true', 'id-3 other false']);
    expect(problemOf(await call<Result<string>>('get', 'id-9')).code).toBe('access.key-missing');
    valueOf(await call<Result<void>>('remove', 'id-2'));
    expect(problemOf(await call<Result<string>>('get', 'id-2')).code).toBe('access.key-missing');

    lock();
    expect((await call<VaultStatus>('state')).state).toBe('locked');
    expect(problemOf(await call<Result<string>>('get', 'id-1')).code).toBe(
      'access.keychain-locked',
    );
    expect(problemOf(await call<Result<void>>('put', 'id-1', 'new', '1')).code).toBe(
      'access.keychain-locked',
    );
    expect(problemOf(await call<Result<void>>('rename', 'id-1', 'new')).code).toBe(
      'access.keychain-locked',
    );
    expect(problemOf(await call<Result<void>>('remove', 'id-1')).code).toBe(
      'access.keychain-locked',
    );
    expect(valueOf(await call<Listed>('list'))).toEqual({ cards: [], complete: false });
  }, 60_000);

  test('a session without a keychain service is told with the way out', async () => {
    const found = await (async () => {
      const before = env;
      env = { PATH: env['PATH'], HOME: home, DBUS_SESSION_BUS_ADDRESS: 'unix:path=/no/such/bus' };
      try {
        return await call<VaultStatus>('state');
      } finally {
        env = before;
      }
    })();
    if (found.state !== 'unavailable') throw new Error(found.state);
    expect(found.problem.code).toBe('access.keychain-unavailable');
    expect(found.problem.hint).toContain('TRAINYARD_VAULT=passphrase');
  });
});
