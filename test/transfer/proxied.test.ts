import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { endpointsFromEnvironment } from '../../src/google/endpoints.ts';
import { download } from '../../src/transfer/download.ts';
import { upload } from '../../src/transfer/upload.ts';
import { startEmulator, type RunningEmulator } from '../emulator/start.ts';
import { PROXY_VARIABLES, startConnectProxy, type ConnectProxy } from '../support/connect-proxy.ts';
import { plant, tree, value } from './world.ts';
import { randomBytes } from '../support/random.ts';

/** Stands for Google: a name that no name server knows, so that only the proxy can reach it. */
const AWAY = 'http://storage.trainyard-test.invalid';
const NAMES = PROXY_VARIABLES;
const before = NAMES.map((name) => [name, process.env[name]] as const);

let emulator: RunningEmulator;
let proxy: ConnectProxy;
let folder: string;

beforeAll(async () => {
  for (const name of NAMES) Reflect.deleteProperty(process.env, name);
  emulator = await startEmulator({ open: true });
  folder = await mkdtemp(join(tmpdir(), 'trainyard-proxied-'));
  proxy = await startConnectProxy(emulator.url);
  const made = await fetch(`${emulator.url}/storage/v1/b?project=p`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ name: 'the-bucket' }),
  });
  expect(made.status).toBe(200);
});
afterEach(() => {
  for (const name of NAMES) Reflect.deleteProperty(process.env, name);
  proxy.forget();
});
afterAll(async () => {
  for (const [name, was] of before) if (was !== undefined) process.env[name] = was;
  await proxy.stop();
  await emulator.stop();
  await rm(folder, { recursive: true, force: true });
});

const files = { 'a.txt': 'alpha', 'middle.bin': randomBytes(3 * 1024 * 1024) };
const large = randomBytes(20 * 1024 * 1024);
let count = 0;
async function there(storage: string, reachable = true) {
  count += 1;
  const endpoints = { ...value(endpointsFromEnvironment(emulator.environment)), storage };
  const source = join(folder, `from-${count}`);
  await plant(source, files);
  const common = { endpoints, tokens: null, bucket: 'the-bucket', patienceMs: 1000 };
  const prefix = `run-${count}/`;
  const up = await upload({
    ...common,
    prefix,
    source,
    onlyOurs: true,
    journal: join(folder, `up-${count}`),
  });
  const query = `uploadType=media&name=${prefix}large.bin`;
  const put = await fetch(`${emulator.url}/upload/storage/v1/b/the-bucket/o?${query}`, {
    method: 'POST',
    body: large,
  });
  await put.arrayBuffer();
  await plant(source, { 'large.bin': large });
  const destination = join(folder, `to-${count}`);
  if (!reachable) return { up, down: null, source, destination };
  const down = await download({
    ...common,
    target: { kind: 'folder', prefix },
    destination,
    journal: join(folder, `down-${count}`),
  });
  return { up, down, source, destination };
}

describe('a proxy', { timeout: 60_000 }, () => {
  it.each(['HTTP_PROXY', 'http_proxy'])('of %s carries listings and bytes', async (name) => {
    process.env[name] = proxy.url;
    const { up, down, source, destination } = await there(AWAY);
    expect(value(up).failed).toEqual([]);
    expect(value(down!)).toMatchObject({ objects: 3, failed: [] });
    expect(await tree(destination)).toEqual(await tree(source));
    expect(proxy.asked().length).toBeGreaterThan(1);
    expect(new Set(proxy.asked())).toEqual(new Set(['storage.trainyard-test.invalid:80']));
  });

  it('is not asked for hosts of NO_PROXY', async () => {
    process.env['HTTP_PROXY'] = proxy.url;
    process.env['NO_PROXY'] = 'example.org,.trainyard-test.invalid';
    const { up } = await there(AWAY, false);
    for (const { problem } of value(up).failed) expect(problem.code).toBe('network.unreachable');
    expect(value(up).failed).toHaveLength(2);
    expect(proxy.asked()).toEqual([]);
  });

  it('is never asked for this machine', async () => {
    process.env['HTTP_PROXY'] = proxy.url;
    process.env['HTTPS_PROXY'] = proxy.url;
    const { down } = await there(emulator.url);
    expect(value(down!)).toMatchObject({ objects: 3, failed: [] });
    expect(proxy.asked()).toEqual([]);
  });

  it('that is not there is told, and its password is not', async () => {
    process.env['HTTP_PROXY'] = 'http://user:hunter2@127.0.0.1:9';
    const { up } = await there(AWAY, false);
    expect(value(up).failed[0]?.problem.code).toMatch(/^network\./);
    expect(JSON.stringify(up)).not.toContain('hunter2');
  });
});
