import { connect } from 'node:net';
import { join } from 'node:path';
import type { Environment } from '../platform/paths.ts';

/**
 * One question to the session's D-Bus, in the protocol itself: on Linux a tray is there when somebody owns the name of the watcher of status
 * notifier items. No program of the system is needed to ask.
 */

const BUS = 'org.freedesktop.DBus';
const TIME = 1_500;
const METHOD_CALL = 1;
const METHOD_RETURN = 2;

/** The socket of the session's bus: `unix:path=...` or `unix:abstract=...`, else the place where systemd puts it. Pure. */
export function busSocket(env: Environment): string | null {
  const address = env['DBUS_SESSION_BUS_ADDRESS'] ?? '';
  for (const one of address.split(';')) {
    const [, path] = /^unix:(?:.*,)?path=([^,]+)/.exec(one) ?? [];
    if (path !== undefined) return decodeURIComponent(path);
    const [, name] = /^unix:(?:.*,)?abstract=([^,]+)/.exec(one) ?? [];
    if (name !== undefined) return `\0${decodeURIComponent(name)}`;
  }
  const runtime = env['XDG_RUNTIME_DIR'] ?? '';
  return address === '' && runtime !== '' ? join(runtime, 'bus') : null;
}

const padded = (bytes: Buffer, to: number): Buffer =>
  Buffer.concat([bytes, Buffer.alloc((to - (bytes.length % to)) % to)]);
const number = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
};
const text = (value: string): Buffer =>
  Buffer.concat([number(Buffer.byteLength(value)), Buffer.from(`${value}\0`)]);

/** A header field: its code, a variant of type object path or string. */
const field = (code: number, type: 'o' | 's' | 'g', value: string): Buffer =>
  Buffer.concat([
    Buffer.from([code, 1, type.charCodeAt(0), 0]),
    type === 'g' ? Buffer.from([value.length, ...Buffer.from(value), 0]) : text(value),
  ]);

/** A call of the bus itself, with strings and whole numbers. Pure. */
export function busCall(
  serial: number,
  member: string,
  given: readonly (string | number)[] = [],
): Buffer {
  const body = given.reduce<Buffer>(
    (all, one) =>
      Buffer.concat([padded(all, 4), typeof one === 'string' ? text(one) : number(one)]),
    Buffer.alloc(0),
  );
  const signature = given.map((one) => (typeof one === 'string' ? 's' : 'u')).join('');
  const fields = [
    field(1, 'o', '/org/freedesktop/DBus'),
    field(2, 's', BUS),
    field(3, 's', member),
    field(6, 's', BUS),
    ...(signature === '' ? [] : [field(8, 'g', signature)]),
  ];
  // Each field begins at a multiple of eight; the array's length counts no padding behind the last.
  const array = fields.reduce<Buffer>(
    (all, one) => Buffer.concat([padded(all, 8), one]),
    Buffer.alloc(0),
  );
  const head = Buffer.concat([
    Buffer.from(['l'.charCodeAt(0), METHOD_CALL, 0, 1]),
    number(body.length),
    number(serial),
    number(array.length),
    array,
  ]);
  return Buffer.concat([padded(head, 8), body]);
}

/** The first whole message in what came, and where it ends; null: more must come. Pure. */
export function busMessage(bytes: Buffer): {
  readonly type: number;
  readonly replyTo: number | null;
  readonly body: Buffer;
  readonly end: number;
} | null {
  if (bytes.length < 16) return null;
  const bodyLength = bytes.readUInt32LE(4);
  const fieldsEnd = 16 + bytes.readUInt32LE(12);
  const bodyStart = fieldsEnd + ((8 - (fieldsEnd % 8)) % 8);
  const end = bodyStart + bodyLength;
  if (bytes.length < end) return null;
  let replyTo: number | null = null;
  for (let at = 16; at + 8 <= fieldsEnd;) {
    const type = String.fromCharCode(bytes[at + 2] ?? 0);
    if (bytes[at] === 5) replyTo = bytes.readUInt32LE(at + 4);
    const length =
      type === 'u'
        ? 8
        : type === 'g'
          ? 4 + (bytes[at + 4] ?? 0) + 2
          : 8 + bytes.readUInt32LE(at + 4) + 1;
    at += length + ((8 - (length % 8)) % 8);
  }
  return { type: bytes[1] ?? 0, replyTo, body: bytes.subarray(bodyStart, end), end };
}

/** Whether somebody on the session's bus owns a name. Whatever goes wrong: no. */
export function isOnSessionBus(env: Environment, name: string): Promise<boolean> {
  const socket = busSocket(env);
  if (socket === null) return Promise.resolve(false);
  return new Promise((resolve) => {
    const connection = connect(socket);
    let received = Buffer.alloc(0);
    let isIn = false;
    const answer = (yes: boolean) => {
      clearTimeout(late);
      connection.destroy();
      resolve(yes);
    };
    const late = setTimeout(() => answer(false), TIME);
    connection.once('error', () => answer(false));
    connection.once('close', () => answer(false));
    connection.once('connect', () => {
      const user = Buffer.from(String(process.getuid?.() ?? 0)).toString('hex');
      connection.write(`\0AUTH EXTERNAL ${user}\r\n`);
    });
    connection.on('data', (bytes) => {
      received = Buffer.concat([received, bytes]);
      if (!isIn) {
        const end = received.indexOf('\r\n');
        if (end < 0) return;
        if (!received.subarray(0, end).toString().startsWith('OK ')) {
          answer(false);
          return;
        }
        isIn = true;
        received = received.subarray(end + 2);
        connection.write('BEGIN\r\n');
        connection.write(busCall(1, 'Hello'));
        connection.write(busCall(2, 'NameHasOwner', [name]));
      }
      for (;;) {
        const message = busMessage(received);
        if (message === null) return;
        received = received.subarray(message.end);
        if (message.replyTo !== 2) continue;
        answer(message.type === METHOD_RETURN && message.body.readUInt32LE(0) === 1);
        return;
      }
    });
  });
}

/** Whether closed windows can be opened again from a tray. */
export async function hasTray(platform: NodeJS.Platform, env: Environment): Promise<boolean> {
  return platform === 'linux' ? isOnSessionBus(env, 'org.kde.StatusNotifierWatcher') : true;
}
