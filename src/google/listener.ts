import { readFileSync } from 'node:fs';
import { leadsNowhere } from '../shared/endpoints.ts';
import { isLoopback } from './routes.ts';

/** Thrown in place of a request to an address of this machine at which another user's program listens. */
export class StrangerListensError extends Error {
  /** `127.0.0.1:8080`. */
  readonly host: string;
  /** The number of the user whose program listens there. */
  readonly uid: number;

  constructor(host: string, uid: number) {
    super(`A program of the user with number ${uid} listens at ${host}.`);
    this.host = host;
    this.uid = uid;
  }
}

/** Thrown in place of a request to an emulated Google that has ended. */
export class EmulatorEndedError extends Error {}

const LISTEN = '0A';

/** The addresses of `/proc/net/tcp` and `tcp6` that answer for loopback: any address, and loopback itself, in the byte order of this machine or not. */
function answersForLoopback(hex: string): boolean {
  if (hex.length === 8) return hex === '00000000' || hex.startsWith('7F') || hex.endsWith('7F');
  const isMapped = /^0{16}(FFFF0000|0000FFFF)/i.test(hex);
  if (isMapped) return answersForLoopback(hex.slice(24));
  return /^0{32}$/.test(hex) || /^0{24}(01000000|00000001)$/.test(hex);
}

/**
 * The users whose programs listen at a port of this machine's loopback, by the kernel's own list (proc(5), `/proc/net/tcp`). `table`: the text of
 * one such file. Pure.
 */
export function listenersIn(table: string, port: number): readonly number[] {
  return table
    .split('\n')
    .slice(1)
    .flatMap((line) => {
      const [, local = '', , state, , , , uid] = line.trim().split(/\s+/);
      const [address = '', hexPort = ''] = local.split(':');
      const listens = state === LISTEN && parseInt(hexPort, 16) === port;
      return listens && answersForLoopback(address) ? [Number(uid)] : [];
    });
}

function readTable(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}

/** How long one look at the kernel's list counts, milliseconds. */
const LOOK_LASTS = 1_000;
const looked = new Map<string, number>();

/**
 * Google's addresses lead to this machine only where the environment moved them. Any user may take a free port there and would be sent what is meant
 * for the emulator: so its listener must belong to this user or to root. Where the system does not tell (not Linux, or a port that is forwarded) and
 * where nobody listens, nothing is refused. Throws {@link StrangerListensError}, {@link EmulatorEndedError}.
 */
export function assertOwnListener(address: string): void {
  if (leadsNowhere(address)) throw new EmulatorEndedError();
  const mine = process.getuid?.();
  if (process.platform !== 'linux' || mine === undefined || !URL.canParse(address)) return;
  const { host, hostname, port, protocol } = new URL(address);
  if (!isLoopback(hostname)) return;
  const now = performance.now();
  if (now < (looked.get(host) ?? -1)) return;
  const number = Number(port === '' ? (protocol === 'https:' ? 443 : 80) : port);
  const uids = ['/proc/net/tcp', '/proc/net/tcp6'].flatMap((file) =>
    listenersIn(readTable(file), number),
  );
  const stranger = uids.find((uid) => uid !== mine && uid !== 0);
  if (stranger !== undefined) throw new StrangerListensError(host, stranger);
  looked.set(host, now + LOOK_LASTS);
}
