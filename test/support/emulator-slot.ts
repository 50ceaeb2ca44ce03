import { request } from 'node:http';
import { join } from 'node:path';

/** The folder with the sockets of {@link ./emulator-host.ts}; not set where every emulator is to be a process of its own. */
export const HOSTS_VARIABLE = 'TRAINYARD_TEST_EMULATOR_HOSTS';

/** The socket of a test worker's host. Workers are counted from 1. */
export const socketOf = (folder: string, worker: number): string =>
  join(folder, `${String(worker)}.sock`);

export interface HostedEmulator {
  /** Of the host. */
  readonly pid: number;
  readonly environment: Readonly<Record<string, string>>;
  readonly close: () => Promise<void>;
}

/** Starts an emulator in the host of this test worker; null where there is none. Throws what the emulator says of its options. */
export async function openHosted(argv: readonly string[]): Promise<HostedEmulator | null> {
  const folder = process.env[HOSTS_VARIABLE];
  const worker = Number(process.env['VITEST_POOL_ID']);
  if (folder === undefined || !Number.isInteger(worker)) return null;
  const socketPath = socketOf(folder, worker);
  const { id, pid, environment } = (await ask(socketPath, '/open', { argv })) as {
    readonly id: number;
    readonly pid: number;
    readonly environment: Readonly<Record<string, string>>;
  };
  return {
    pid,
    environment,
    close: async () => {
      await ask(socketPath, '/close', { id });
    },
  };
}

function ask(socketPath: string, path: string, body: object): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const sent = request({ socketPath, path, method: 'POST', agent: false }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (piece: string) => (text += piece));
      response.on('error', reject).on('end', () => {
        const value = JSON.parse(text) as { readonly message?: string };
        if (response.statusCode === 200) resolve(value);
        else reject(new Error(value.message));
      });
    });
    sent.on('error', reject);
    sent.end(JSON.stringify(body));
  });
}
