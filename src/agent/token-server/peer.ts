import { readFile } from 'node:fs/promises';
import type { Socket } from 'node:net';
import { endianness } from 'node:os';
import { sleep } from '../files.ts';

/** Whether this machine tells which user holds the other end of a loopback connection. */
export const canCheckPeers = process.platform === 'linux';

const LOOPBACK = '127.0.0.1';
const ESTABLISHED = '01';
/** A row may be missed while the table changes under the reader. */
const LOOKS = 3;
/** Reading the table takes the system a moment, more the more connections there are. Milliseconds. */
const BETWEEN_READS = 2;

/** An address as `/proc/net/tcp` and `tcp6` spell 127.0.0.1: 32-bit words in the byte order of the machine, hexadecimal. */
function loopbackWords(littleEndian: boolean): readonly [tcp: string, tcp6: string] {
  return littleEndian
    ? ['0100007F', '0000000000000000FFFF00000100007F']
    : ['7F000001', '00000000000000000000FFFF7F000001'];
}

/**
 * The users who hold the ends of established connections that lie at 127.0.0.1, towards `127.0.0.1:to`, by their ports: from the text of
 * `/proc/net/tcp` or `tcp6`. Pure. It reads each line once, and splits none but those.
 */
export function usersTowards(
  table: string,
  to: number,
  littleEndian = true,
): ReadonlyMap<number, number> {
  const found = new Map<number, number>();
  const port = to.toString(16).toUpperCase().padStart(4, '0');
  for (const words of loopbackWords(littleEndian)) {
    const wanted = new RegExp(
      `^ *\\d+: ${words}:([0-9A-F]{4}) ${words}:${port} ${ESTABLISHED} \\S+ \\S+ \\S+ +(\\d+) +\\d+ +(\\d+)`,
      'gm',
    );
    for (const [, from = '', uid, inode] of table.matchAll(wanted))
      // A connection that nobody holds any more is shown as root's, without an inode.
      if (inode !== '0') found.set(Number.parseInt(from, 16), Number(uid));
  }
  return found;
}

/**
 * Tells who is at the other end of connections to a port of this machine. However many ask at once, the system's table is read once for all of them:
 * reading it is what another user could make expensive.
 */
export interface Peers {
  /**
   * The user at the other end of a connection; null where it cannot be told. Linux alone. All of 127.0.0.0/8 is this machine: from another address
   * of it another user may come with the port number of a connection of ours, so only 127.0.0.1 is looked up.
   */
  readonly uidOf: (socket: Pick<Socket, PeerField>) => Promise<number | null>;
  /** Whether the other end belongs to the user of this process. Where that cannot be told (not on Linux) it is taken for granted. */
  readonly isOwn: (socket: Pick<Socket, PeerField>) => Promise<boolean>;
}

/** What is asked of a connection. */
type PeerField = 'remoteAddress' | 'remotePort' | 'localAddress' | 'localPort' | 'destroyed';

type Table = ReadonlyMap<number, number>;

export function peers(read: (port: number) => Promise<Table> = readTable): Peers {
  /** By the port of this process. `next` begins after everything that waits for it was asked. */
  const readings = new Map<number, { running: Promise<unknown>; next: Promise<Table> | null }>();

  const freshTable = (port: number): Promise<Table> => {
    const known = readings.get(port) ?? { running: Promise.resolve(), next: null };
    readings.set(port, known);
    known.next ??= known.running
      .then(() => sleep(BETWEEN_READS))
      .then(() => {
        const reading = read(port);
        known.next = null;
        known.running = reading
          .catch(() => undefined)
          .then(() => {
            if (known.next === null) readings.delete(port);
          });
        return reading;
      });
    return known.next;
  };

  const uidOf: Peers['uidOf'] = async (socket) => {
    const { remoteAddress, remotePort, localAddress, localPort } = socket;
    if (remotePort === undefined || localPort === undefined) return null;
    if (remoteAddress !== LOOPBACK || localAddress !== LOOPBACK) return null;
    for (let look = 0; look < LOOKS && !socket.destroyed; look += 1) {
      if (look > 0) await sleep(20);
      const uid = (await freshTable(localPort)).get(remotePort);
      if (uid !== undefined) return uid;
    }
    return null;
  };

  return {
    uidOf,
    isOwn: async (socket) => !canCheckPeers || (await uidOf(socket)) === process.getuid?.(),
  };
}

async function readTable(port: number): Promise<Table> {
  const texts = await Promise.all(
    ['tcp', 'tcp6'].map((name) => readFile(`/proc/self/net/${name}`, 'utf8').catch(() => '')),
  );
  return new Map(texts.flatMap((text) => [...usersTowards(text, port, endianness() === 'LE')]));
}

/** {@link Peers.isOwn} for a connection here and there. */
export const isOwnPeer = peers().isOwn;
