import { readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { userName } from '../../shared/process-words.ts';
import { note } from '../run.ts';

/**
 * Locks of cards for everybody on the machine, whatever their home: a name in Linux's abstract socket namespace, `trainyard-gpu-<UUID>`, which one
 * process at a time can have, which needs no folder that others may write, and which is free when the last holder of the socket is gone, however
 * it ended. The supervisors of the workers that use a card hold it too, so it outlives an agent that dies. A second name, `<first>:<uid>:<run>`, tells
 * others who has it; it is nobody's proof of anything. Who takes a name without a right to it keeps Trainyard off that card, and does no more.
 */
const PREFIX = 'trainyard-gpu-';
/** A name has at most so many bytes after its first NUL (unix(7)). */
const LONGEST = 107;

export interface MachineLock {
  /** To be left open in a process that holds the lock, too. */
  readonly descriptors: readonly number[];
  release(): void;
}

/** Who has a card, as they say it themselves. */
export interface MachineHolder {
  readonly user: string | null;
  readonly run: string | null;
}

/** Null: somebody has it. Undefined: this system has no such locks. */
export async function takeMachineLock(
  uuid: string,
  run: string,
): Promise<MachineLock | null | undefined> {
  if (process.platform !== 'linux') return undefined;
  const name = `${PREFIX}${uuid}`;
  const lock = await bind(name);
  if (lock === 'in-use') return null;
  if (lock === 'refused') {
    note(`the name ${name} cannot be had: this card is locked against runs of this home alone`);
    return undefined;
  }
  const told = await bind(`${name}:${process.getuid?.() ?? ''}:${run}`);
  const servers = typeof told === 'string' ? [lock] : [lock, told];
  return {
    descriptors: servers.flatMap(descriptorOf),
    release: () => servers.forEach((server) => server.close()),
  };
}

function bind(name: string): Promise<Server | 'in-use' | 'refused'> {
  if (Buffer.byteLength(name) > LONGEST) return Promise.resolve('refused');
  return new Promise((resolve) => {
    const server = createServer((socket) => socket.destroy());
    server.on('error', (error: NodeJS.ErrnoException) =>
      resolve(error.code === 'EADDRINUSE' ? 'in-use' : 'refused'),
    );
    server.listen({ path: `\0${name}`, backlog: 1 }, () => resolve(server));
    server.unref();
  });
}

/** Node.js has no public name for it. */
function descriptorOf(server: Server): readonly number[] {
  const { _handle: handle } = server as unknown as { readonly _handle?: { readonly fd?: number } };
  return typeof handle?.fd === 'number' && handle.fd >= 0 ? [handle.fd] : [];
}

/** The cards that are locked on this machine, by UUID. */
export function machineHolders(): ReadonlyMap<string, MachineHolder> {
  let table = '';
  let passwd = '';
  try {
    table = readFileSync('/proc/net/unix', 'utf8');
    passwd = readFileSync('/etc/passwd', 'utf8');
  } catch {
    // Not Linux; or users are told by their numbers.
  }
  return readHolders(table, passwd);
}

/** The holders in the text of `/proc/net/unix`: a name that tells who has a lock counts where the lock is had, too. Pure. */
export function readHolders(table: string, passwd: string): ReadonlyMap<string, MachineHolder> {
  const names = table
    .split('\n')
    .flatMap((line) => /\s@trainyard-gpu-(\S+)$/.exec(line)?.[1] ?? [])
    .map((name) => name.split(':'));
  return new Map(
    names
      .filter((parts) => parts.length === 1)
      .map(([uuid = '']) => {
        const [, uid = '', run = ''] =
          names.find((parts) => parts.length === 3 && parts[0] === uuid) ?? [];
        return [
          uuid,
          {
            user: /^\d{1,10}$/.test(uid) ? userName(passwd, Number(uid)) : null,
            run: /^[\w-]{1,64}$/.test(run) ? run : null,
          },
        ];
      }),
  );
}
