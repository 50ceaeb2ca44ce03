import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** What a real keyring needs of this machine; empty where all is there. */
export const KEYRING_LACKS: readonly string[] = [
  'dbus-daemon',
  'gnome-keyring-daemon',
  'gdbus',
].filter((program) => spawnSync('which', [program]).status !== 0);

/** A gnome-keyring under a D-Bus session of its own. */
export interface Keyring {
  /** Where it keeps what it was given, sealed. */
  readonly folder: string;
  /** What a program needs to find it. */
  readonly env: Readonly<Record<string, string>>;
  lock: () => void;
  /** Ends both processes and removes what was kept. */
  stop: () => Promise<void>;
}

const PASSWORD = 'a password';
const BUS = 'org.freedesktop.DBus';
const SECRETS = 'org.freedesktop.secrets';
const SECRETS_PATH = '/org/freedesktop/secrets';
const READ_ALIAS = 'org.freedesktop.Secret.Service.ReadAlias';

export async function startKeyring(): Promise<Keyring> {
  const folder = await mkdtemp(join(tmpdir(), 'trainyard-keyring-'));
  const runtime = join(folder, 'run');
  await mkdir(runtime, { mode: 0o700 });
  const base = {
    PATH: process.env['PATH'] ?? '',
    HOME: folder,
    XDG_RUNTIME_DIR: runtime,
    XDG_DATA_HOME: join(folder, 'data'),
  };
  const bus = spawn('dbus-daemon', ['--session', '--nofork', '--print-address=1'], {
    env: base,
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const [address] = (await once(bus.stdout, 'data')) as [Buffer];
  const env = { DBUS_SESSION_BUS_ADDRESS: address.toString().trim() };
  const daemon = spawn(
    'gnome-keyring-daemon',
    ['--foreground', '--unlock', '--components=secrets'],
    {
      env: { ...base, ...env },
      stdio: ['pipe', 'pipe', 'ignore'],
    },
  );
  daemon.stdin.end(PASSWORD);
  const ask = (destination: string, path: string, method: string, ...args: string[]) =>
    spawnSync(
      'gdbus',
      [
        ...['call', '--session', '--dest', destination, '--object-path', path],
        ...['--method', method, ...args],
      ],
      { env: { ...base, ...env }, encoding: 'utf8' },
    );
  // Whoever asks for the service before it is there has the bus start another one, which is locked.
  const isThere = () =>
    ask(BUS, '/org/freedesktop/DBus', `${BUS}.NameHasOwner`, SECRETS).stdout.includes('true');
  const isOpen = () =>
    ask(SECRETS, SECRETS_PATH, READ_ALIAS, 'default').stdout.includes('/collection/');
  const stop = async () => {
    for (const child of [daemon, bus]) await end(child);
    await rm(folder, { recursive: true, force: true, maxRetries: 5 });
  };
  for (const until = Date.now() + 15_000; !(isThere() && isOpen());) {
    if (Date.now() > until) {
      await stop();
      throw new Error('The keyring did not open within 15 seconds.');
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  return {
    folder,
    env,
    lock: () => {
      const locked = ask(
        SECRETS,
        SECRETS_PATH,
        'org.freedesktop.Secret.Service.Lock',
        '["/org/freedesktop/secrets/aliases/default"]',
      );
      if (locked.status !== 0) throw new Error(locked.stderr);
    },
    stop,
  };
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill('SIGTERM');
  await ended;
}
