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

/** An address as `/proc/net/tcp` and `tcp6` spell 127.0.0.1: 32-bit words in the byte order of the machine, hexadecimal. */
function loopbackWords(littleEndian: boolean): readonly [tcp: string, tcp6: string] {
  return littleEndian
    ? ['0100007F', '0000000000000000FFFF00000100007F']
    : ['7F000001', '00000000000000000000FFFF7F000001'];
}

/**
 * The user who holds the end of a connection that lies at `127.0.0.1:from`, towards `127.0.0.1:to`, by the text of `/proc/net/tcp` or `tcp6`;
 * null where no such connection is established. Pure.
 */
export function uidOfConnection(
  table: string,
  from: number,
  to: number,
  littleEndian = true,
): number | null {
  const port = (number: number): string => number.toString(16).toUpperCase().padStart(4, '0');
  for (const words of loopbackWords(littleEndian)) {
    const local = `${words}:${port(from)}`;
    const remote = `${words}:${port(to)}`;
    for (const line of table.split('\n')) {
      const [, at, towards, state, , , , uid, , inode] = line.trim().split(/\s+/);
      // A connection that nobody holds any more is shown as root's, without an inode.
      if (at === local && towards === remote && state === ESTABLISHED && inode !== '0')
        return Number(uid);
    }
  }
  return null;
}

/**
 * The user at the other end of a connection to this process; null where it cannot be told. Linux alone. All of 127.0.0.0/8 is this machine: from
 * another address of it another user may come with the port number of a connection of ours, so only 127.0.0.1 is looked up.
 */
export async function uidOfPeer(socket: Socket): Promise<number | null> {
  const { remoteAddress, remotePort, localAddress, localPort } = socket;
  if (remotePort === undefined || localPort === undefined) return null;
  if (remoteAddress !== LOOPBACK || localAddress !== LOOPBACK) return null;
  for (let look = 0; look < LOOKS; look += 1) {
    if (look > 0) await sleep(20);
    for (const name of ['tcp', 'tcp6']) {
      const table = await readFile(`/proc/self/net/${name}`, 'utf8').catch(() => '');
      const uid = uidOfConnection(table, remotePort, localPort, endianness() === 'LE');
      if (uid !== null) return uid;
    }
  }
  return null;
}

/** Whether the other end of a connection belongs to the user of this process. Where that cannot be told (not on Linux) it is taken for granted. */
export async function isOwnPeer(socket: Socket): Promise<boolean> {
  return !canCheckPeers || (await uidOfPeer(socket)) === process.getuid?.();
}
