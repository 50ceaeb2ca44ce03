import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  busCall,
  busMessage,
  busSocket,
  hasTray,
  isOnSessionBus,
} from '../../src/main/app/session-bus.ts';

const WATCHER = 'org.kde.StatusNotifierWatcher';
const hasDaemon = spawnSync('which', ['dbus-daemon']).status === 0;

/** Takes the watcher's name on the bus and holds it until the connection is destroyed. */
function holdName(socket: string): Promise<Socket> {
  const connection = connect(socket);
  let received = Buffer.alloc(0);
  let isIn = false;
  const user = Buffer.from(String(process.getuid?.() ?? 0)).toString('hex');
  connection.write(`\0AUTH EXTERNAL ${user}\r\n`);
  return new Promise((resolve, reject) => {
    connection.once('error', reject);
    connection.on('data', (bytes) => {
      if (!isIn) {
        isIn = true;
        connection.write('BEGIN\r\n');
        connection.write(busCall(1, 'Hello'));
        connection.write(busCall(2, 'RequestName', [WATCHER, 4]));
        return;
      }
      received = Buffer.concat([received, bytes]);
      for (let found = busMessage(received); found !== null; found = busMessage(received)) {
        received = received.subarray(found.end);
        // 1: it is ours now.
        if (found.replyTo === 2 && found.body.readUInt32LE(0) === 1) resolve(connection);
      }
    });
  });
}

describe('the place for icons', () => {
  it.skipIf(!hasDaemon)('is there when somebody watches for them on the session bus', async () => {
    const daemon = spawn('dbus-daemon', ['--session', '--nofork', '--print-address=1'], {
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    try {
      const [address] = (await once(daemon.stdout, 'data')) as [Buffer];
      const env = { DBUS_SESSION_BUS_ADDRESS: address.toString().trim() };
      expect(await hasTray('linux', env)).toBe(false);
      expect(await isOnSessionBus(env, 'org.freedesktop.DBus')).toBe(true);
      const socket = busSocket(env);
      if (socket === null) throw new Error('no socket');
      const connection = await holdName(socket);
      expect(await hasTray('linux', env)).toBe(true);
      connection.destroy();
    } finally {
      daemon.kill();
      await once(daemon, 'exit');
    }
  });

  it('is not there without a bus, with a dead one, or with something else at its socket', async () => {
    expect(await hasTray('linux', {})).toBe(false);
    expect(await hasTray('linux', { DBUS_SESSION_BUS_ADDRESS: 'unix:path=/nowhere/bus' })).toBe(
      false,
    );
    expect(await hasTray('linux', { DBUS_SESSION_BUS_ADDRESS: 'tcp:host=localhost' })).toBe(false);
    const folder = await mkdtemp(join(tmpdir(), 'trainyard-bus-'));
    await writeFile(join(folder, 'bus'), '');
    expect(await hasTray('linux', { XDG_RUNTIME_DIR: folder })).toBe(false);
    await rm(folder, { recursive: true });
    expect(await hasTray('darwin', {})).toBe(true);
  });

  it('is looked for where the system says', () => {
    const at = (address: string) => busSocket({ DBUS_SESSION_BUS_ADDRESS: address });
    expect(at('unix:path=/run/user/1/bus')).toBe('/run/user/1/bus');
    expect(at('unix:guid=1,path=/tmp/a%20b;tcp:host=x')).toBe('/tmp/a b');
    expect(at('unix:abstract=/tmp/dbus-x,guid=1')).toBe('\0/tmp/dbus-x');
    expect(busSocket({ XDG_RUNTIME_DIR: '/run/user/1' })).toBe('/run/user/1/bus');
    expect(busSocket({})).toBeNull();
  });
});
