import { once } from 'node:events';
import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createConnection, createServer, type AddressInfo, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { peers, usersTowards } from '../../src/agent/token-server/peer.ts';
import {
  workerEnvironment,
  type WorkerEnvironmentOptions,
} from '../../src/agent/worker-environment.ts';
import { GOOGLE_ENDPOINTS } from '../../src/shared/endpoints.ts';
import { jobSpecSchema } from '../../src/shared/job-spec.ts';
import type { JobPlan } from '../../src/shared/plan.ts';

const plan: JobPlan = {
  format: 1,
  kind: 'training',
  id: '20260101-000000-aaaaaa',
  name: 'job',
  host: 'local',
  createdAt: '2026-01-01T00:00:00Z',
  application: 'test',
  endpoints: GOOGLE_ENDPOINTS,
  gpusPerWorker: 0,
  code: { kind: 'dir', path: '/code' },
  setup: null,
  workers: ['true'],
  env: {},
  input: null,
  output: null,
  workerKeys: [],
  unattended: false,
  stopGraceSeconds: 5,
  logLimitBytes: 1,
  spec: jobSpecSchema.parse({ name: 'j', host: 'local', code: { dir: '/' }, workers: ['true'] }),
};

function environment(more: Partial<WorkerEnvironmentOptions>): Record<string, string> {
  return workerEnvironment({
    plan,
    directory: '/run',
    inherited: {},
    worker: 0,
    gpus: [],
    cloudSdkConfig: '/private/cloudsdk',
    keyFile: null,
    tokenPort: null,
    ...more,
  });
}

describe('the environment of a worker', () => {
  const shell = {
    HOME: '/home/me',
    CLOUDSDK_AUTH_ACCESS_TOKEN_FILE: '/mine',
    CLOUDSDK_CORE_ACCOUNT: 'me@example.org',
    GOOGLE_CREDENTIALS: '{}',
    NO_GCE_CHECK: 'true',
    NO_PROXY: 'intranet.example.org, 127.0.0.1',
    HTTPS_PROXY: 'http://proxy.example.org:3128',
  };

  test('leads every client to the metadata server, past the proxy and past what the login shell says of credentials', () => {
    const found = environment({ inherited: shell, tokenPort: 23_456 });
    const around = 'intranet.example.org,127.0.0.1,localhost';
    expect(found).toMatchObject({
      GCE_METADATA_HOST: '127.0.0.1:23456',
      GCE_METADATA_IP: '127.0.0.1:23456',
      GCE_METADATA_ROOT: '127.0.0.1:23456',
      METADATA_SERVER_DETECTION: 'assume-present',
      CLOUDSDK_CONFIG: '/private/cloudsdk',
      NO_PROXY: around,
      no_proxy: around,
      HTTPS_PROXY: shell.HTTPS_PROXY,
      HOME: '/home/me',
    });
    for (const name of [
      'CLOUDSDK_AUTH_ACCESS_TOKEN_FILE',
      'CLOUDSDK_CORE_ACCOUNT',
      'GOOGLE_CREDENTIALS',
      'GOOGLE_APPLICATION_CREDENTIALS',
      'NO_GCE_CHECK',
    ])
      expect(found).not.toHaveProperty(name);
  });

  test('without a key of the job is the shell’s own; with a key file it names the file and no server', () => {
    expect(environment({ inherited: shell })).toMatchObject(shell);
    const found = environment({ inherited: shell, keyFile: '/private/key.json' });
    expect(found['GOOGLE_APPLICATION_CREDENTIALS']).toBe('/private/key.json');
    expect(found).not.toHaveProperty('GCE_METADATA_HOST');
    expect(found).not.toHaveProperty('CLOUDSDK_AUTH_ACCESS_TOKEN_FILE');
  });

  test('the job file cannot lead clients elsewhere', () => {
    const env = { GCE_METADATA_HOST: 'evil.example.org', NO_PROXY: '.example.org' };
    const found = environment({ plan: { ...plan, env }, tokenPort: 23_456 });
    expect(found['GCE_METADATA_HOST']).toBe('127.0.0.1:23456');
    expect(found['NO_PROXY']).toBe('.example.org,127.0.0.1,localhost');
  });

  test('tells where input and output lie', () => {
    const found = environment({
      plan: {
        ...plan,
        input: {
          kind: 'gcs',
          address: 'gs://in/data',
          bucket: 'in',
          target: { kind: 'folder', prefix: 'data/' },
          account: null,
        },
        output: {
          address: 'gs://out/results',
          bucket: 'out',
          prefix: 'results/job/1/',
          manifest: 'results/job/1/manifest.json',
          layout: 'per-run',
          archive: false,
          account: null,
        },
      },
    });
    expect(found).toMatchObject({
      TRAINYARD_INPUT_ADDRESS: 'gs://in/data/',
      TRAINYARD_OUTPUT_ADDRESS: 'gs://out/results/job/1/',
    });
    expect(environment({})).not.toHaveProperty('TRAINYARD_INPUT_ADDRESS');
  });
});

describe('the other end of a connection', () => {
  // As /proc/net/tcp and tcp6 have them: 127.0.0.1:40000 to 127.0.0.1:23456 and back.
  const head =
    '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode';
  const row = (local: string, remote: string, state: string, uid: number, inode: number): string =>
    `   0: ${local} ${remote} ${state} 00000000:00000000 00:00000000 00000000  ${uid}        0 ${inode} 1 0000000000000000 20 4 30 10 -1`;
  const client = '0100007F:9C40';
  const server = '0100007F:5BA0';
  const find = (...rows: readonly string[]): number | null =>
    usersTowards([head, ...rows].join('\n'), 23_456).get(40_000) ?? null;

  test('is the row that begins where the client is', () => {
    expect(find(row(server, client, '01', 0, 11), row(client, server, '01', 1_000, 12))).toBe(
      1_000,
    );
    expect(find(row(server, client, '01', 0, 11))).toBeNull();
  });

  test('may be an IPv4 address in a table of IPv6', () => {
    const mapped = (end: string) => `0000000000000000FFFF0000${end}`;
    expect(find(row(mapped(client), mapped(server), '01', 1_000, 12))).toBe(1_000);
  });

  test('that nobody holds any more, or that is not established, is nobody’s: such rows are shown as root’s', () => {
    expect(find(row(client, server, '06', 0, 0))).toBeNull();
    expect(find(row(client, server, '01', 0, 0))).toBeNull();
    expect(find(row(client, server, '05', 0, 12))).toBeNull();
  });

  test('is not another connection', () => {
    expect(find(row('0100007F:9C41', server, '01', 1_000, 12))).toBeNull();
    expect(find(row(client, '0200007F:5BA0', '01', 1_000, 12))).toBeNull();
  });

  // All of 127.0.0.0/8 is this machine, on Linux without any setting up.
  test.skipIf(process.platform !== 'linux')(
    'is nobody’s where it lies at another loopback address, though a connection of ours has its port number',
    async () => {
      const server = createServer().listen(0, '127.0.0.1');
      await once(server, 'listening');
      const { port } = server.address() as AddressInfo;
      const connect = async (from: {
        readonly localAddress: string;
        readonly localPort?: number;
      }): Promise<readonly [taken: Socket, client: Socket]> => {
        const taken = once(server, 'connection') as Promise<[Socket]>;
        const client = createConnection({ port, host: '127.0.0.1', ...from });
        return [(await taken)[0], client];
      };
      const own = await connect({ localAddress: '127.0.0.1' });
      const { localPort = 0 } = own[1];
      const other = await connect({ localAddress: '127.0.0.2', localPort });
      const { uidOf } = peers();
      expect(await uidOf(own[0])).toBe(process.getuid?.());
      expect(await uidOf(other[0])).toBeNull();
      for (const socket of [...own, ...other]) socket.destroy();
      server.close();
    },
  );
});

describe('where the input is', () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'trainyard-input-'));
  afterAll(() => rmSync(folder, { recursive: true }));

  test('a folder of the host is named itself, whatever links lead to it, so that find looks into it', () => {
    const real = path.join(realpathSync(folder), 'real');
    mkdirSync(real);
    writeFileSync(path.join(real, 'one'), '');
    symlinkSync(real, path.join(folder, 'link'));
    mkdirSync(path.join(folder, 'run'));
    symlinkSync(path.join(folder, 'link'), path.join(folder, 'run/data'));
    const input = { kind: 'dir' as const, path: path.join(folder, 'link') };
    const found = environment({ directory: path.join(folder, 'run'), plan: { ...plan, input } });
    for (const prefix of ['TRAINYARD', 'TRAINML', 'ML'])
      expect(found[`${prefix}_DATA_PATH`]).toBe(real);
    expect(environment({})).toMatchObject({
      TRAINYARD_DATA_PATH: '/run/data',
      ML_DATA_PATH: '/run/data',
      ML_MODEL_PATH: '/run/workers/0/code',
      ML_OUTPUT_PATH: '/run/output/worker-0',
      ML_CHECKPOINT_PATH: '/run/checkpoints/worker-0',
    });
    // A run of an earlier version may have such a name of its own.
    const env = { ML_DATA_PATH: '/mine' };
    expect(environment({ plan: { ...plan, env } })['ML_DATA_PATH']).toBe('/mine');
  });
});
