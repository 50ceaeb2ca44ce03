import { createHash } from 'node:crypto';
import { mkdir, readFile, readdir, rename } from 'node:fs/promises';
import path from 'node:path';
import { buffer } from 'node:stream/consumers';
import { gunzipSync, gzipSync } from 'node:zlib';
import tar from 'tar-stream';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { manifestSchema, type Manifest } from '../../src/shared/manifest.ts';
import type { JobView } from '../../src/shared/views.ts';
import { emailOf, startEmulator, type RunningEmulator } from '../emulator/start.ts';
import { makeHome, type TestHome } from './harness.ts';
import { mintFor } from './mint.ts';

vi.setConfig({ testTimeout: 90_000 });

const INPUT = 'input-data-bucket';
const OUTPUT = 'artifacts-bucket';

interface Shown extends JobView {
  readonly leftOut: readonly {
    readonly what: string;
    readonly counts: { readonly refused: number; readonly failed: number };
    readonly refused: readonly { readonly name: string; readonly reason: string }[];
    readonly failed: readonly { readonly name: string }[];
    readonly list: string;
  }[];
  readonly mapped: readonly { readonly what: string; readonly mapped: readonly object[] }[];
}

let google: RunningEmulator;
let home: TestHome;

async function admin(method: string, address: string, body?: Uint8Array | string) {
  return fetch(`${google.url}${address}`, {
    method,
    headers: {
      authorization: `Bearer ${await mintFor(google, 'setup')}`,
      'content-type': 'application/json',
    },
    ...(body === undefined ? {} : { body: body as BodyInit }),
  });
}
const put = async (name: string, bytes: Uint8Array | string) => {
  const query = `uploadType=media&name=${encodeURIComponent(name)}`;
  expect((await admin('POST', `/upload/storage/v1/b/${INPUT}/o?${query}`, bytes)).status).toBe(200);
};
const namesBelow = async (prefix: string): Promise<string[]> => {
  const query = `prefix=${encodeURIComponent(prefix)}`;
  const answer = await admin('GET', `/storage/v1/b/${OUTPUT}/o?${query}`);
  const { items = [] } = (await answer.json()) as { items?: { name: string }[] };
  return items.map(({ name }) => name.slice(prefix.length)).sort();
};
const bytesOf = async (name: string): Promise<Buffer> => {
  const object = encodeURIComponent(name);
  const answer = await admin('GET', `/storage/v1/b/${OUTPUT}/o/${object}?alt=media`);
  return Buffer.from(await answer.arrayBuffer());
};
const manifestOf = async (name: string): Promise<Manifest> =>
  manifestSchema.parse(JSON.parse((await bytesOf(name)).toString()));
const sha = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');

/** The checksum of each, by name. */
async function sumsOf(names: readonly string[], read: (name: string) => Promise<Buffer>) {
  const sums: Record<string, string> = {};
  for (const name of names) sums[name] = sha(await read(name));
  return sums;
}
/** The checksum of each file in a tar.gz, by name. */
async function sumsInArchive(archive: Buffer) {
  const sums: Record<string, string> = {};
  const extract = tar.extract();
  extract.end(gunzipSync(archive));
  for await (const entry of extract) {
    const bytes = await buffer(entry);
    if (entry.header.type === 'file') sums[entry.header.name] = sha(bytes);
  }
  return sums;
}

const jobFile = (name: string, worker: string, lines: readonly string[]) =>
  home.file(
    `${name}.yaml`,
    [
      `name: ${name}`,
      'host: local',
      'code: { dir: ./code }',
      `workers: [${JSON.stringify(worker)}]`,
      ...lines,
      '',
    ].join('\n'),
  );

beforeAll(async () => {
  google = await startEmulator({
    accounts: [{ name: 'trainer' }, { name: 'setup' }],
    admins: [emailOf('setup')],
    grants: [
      `${emailOf('trainer')}=roles/storage.objectViewer@${INPUT}`,
      `${emailOf('trainer')}=roles/storage.objectCreator@${OUTPUT}`,
    ],
  });
  home = await makeHome(google.environment);
  await mkdir(path.join(home.folder, 'code'));
  for (const name of [INPUT, OUTPUT])
    expect(
      (await admin('POST', '/storage/v1/b?project=demo-project', JSON.stringify({ name }))).status,
    ).toBe(200);
  await home.json(['keys', 'add', google.keyFiles['trainer'] ?? '', '--name', 'lab']);
}, 60_000);
afterAll(async () => {
  await home.remove();
  await google.stop();
}, 60_000);

/** Names that no object can have, and what they are renamed to afterwards. */
const WORKER = `cd "$TRAINYARD_OUTPUT_PATH"
echo good > good
for n in 1 2; do echo "broken $n" > "$(printf 'line\\nbreak %s' $n)"; done
echo bytes > "$(printf 'not-utf8-\\377')"
d=$(printf 'd%.0s' $(seq 200)); for n in 1 2 3 4 5 6; do mkdir $d; cd $d; done; echo deep > deep`;

describe('what a job leaves out', () => {
  it.each([false, true])(
    'of its output is told by name, makes the exit status 1, and goes up with retry once it has another name: archive %s',
    async (archive) => {
      // An archive can hold any name but one that is no text.
      const wanted = archive ? 1 : 4;
      const name = `left-out-${archive}`;
      const file = await jobFile(name, WORKER, [
        `output: { gcs: gs://${OUTPUT}/results, key: lab, archive: ${archive} }`,
      ]);
      const ran = await home.run(['run', file]);
      expect(ran.status, ran.stderr).toBe(1);
      expect(ran.stderr).toContain('Finished');
      const { id, runDirectory } = await home.job('latest');
      const shown = await home.json<Shown>(['job', id]);
      expect(shown.state).toBe('finished');
      const [left] = shown.leftOut;
      expect(left).toMatchObject({ what: 'output', counts: { refused: wanted, failed: 0 } });
      expect(left?.refused).toHaveLength(wanted);
      expect(JSON.parse(await readFile(left?.list ?? '', 'utf8'))).toMatchObject({
        refused: left?.refused,
      });
      for (const { name: path, reason } of left?.refused ?? []) {
        expect(ran.stderr, path).toContain(JSON.stringify(path).slice(1, 60));
        expect(reason).not.toBe('');
      }
      const prefix = `results/${name}/${id}/`;
      const manifest = await manifestOf(`${prefix}manifest.json`);
      expect(manifest.state).toBe('finished');
      expect(manifest.refused.map(({ path }) => path).sort()).toEqual(
        left?.refused.map(({ name: path }) => path).sort(),
      );
      const printed = await home.run(['job', id]);
      expect(printed.stdout).toContain(`of the output ${wanted === 1 ? 'was' : 'were'} left out`);

      // As it is, a retry tells the same.
      const same = await home.run(['retry', id, '--json']);
      expect(same.status, same.stderr).toBe(1);
      expect((JSON.parse(same.stdout) as Shown).leftOut[0]?.refused).toEqual(left?.refused);

      const folder = path.join(runDirectory, 'output', 'worker-0');
      for (const entry of await readdir(folder, { encoding: 'buffer' })) {
        const text = entry.toString('latin1');
        if (/[\n\xff]/.test(text))
          await rename(
            Buffer.concat([Buffer.from(`${folder}/`), entry]),
            path.join(folder, `renamed-${text.replace(/[^a-z0-9]/g, '-')}`),
          );
      }
      const long = (await readdir(folder)).find((entry) => entry.startsWith('ddd')) ?? '';
      await rename(
        path.join(folder, ...Array<string>(6).fill(long), 'deep'),
        path.join(folder, 'deep'),
      );
      const retried = await home.run(['retry', id]);
      expect(retried.status, retried.stderr).toBe(0);
      const again = await home.json<Shown>(['job', id]);
      expect(again).toMatchObject({ state: 'finished', leftOut: [] });
      expect(again.workers[0]?.starts).toBe(1);
      const last = await manifestOf(`${prefix}manifest.attempt-3.json`);
      expect(last.refused).toEqual([]);
      // All of it is in the bucket now: as files, or in the newest archive.
      const files = (await readdir(folder)).filter((entry) => !entry.startsWith('ddd')).sort();
      expect(files).toHaveLength(5);
      const newest = last.objects.map((object) => object.name).at(-1) ?? '';
      const found = archive
        ? await sumsInArchive(await bytesOf(newest))
        : await sumsOf(await namesBelow(`${prefix}worker-0/`), (one) =>
            bytesOf(`${prefix}worker-0/${one}`),
          );
      expect(found).toEqual(await sumsOf(files, (one) => readFile(path.join(folder, one))));
      const over = await home.run(['retry', id]);
      expect(over.status).toBe(2);
      expect(over.stderr).toContain('finished already');
    },
  );

  it('of its input is told by name while it runs and at the end: the rest arrives, the exit status is 1', async () => {
    const pack = tar.pack();
    const bad = ['../up', '/etc/absolute', 'a/../../b'];
    for (const name of [...bad, 'fine', 'deep/fine']) pack.entry({ name }, `bytes of ${name}`);
    pack.entry({ name: 'device', type: 'character-device', devmajor: 1, devminor: 3 });
    pack.finalize();
    const parts: Buffer[] = [];
    for await (const part of pack) parts.push(part as Buffer);
    await put('data/hostile.tar.gz', gzipSync(Buffer.concat(parts)));
    const file = await jobFile('hostile', 'cd "$TRAINYARD_DATA_PATH" && cat fine deep/fine', [
      `input: { gcs: gs://${INPUT}/data/hostile.tar.gz, key: lab }`,
    ]);
    const ran = await home.run(['run', file, '--json']);
    expect(ran.status, ran.stderr).toBe(1);
    const shown = JSON.parse(ran.stdout) as Shown;
    expect(shown.state).toBe('finished');
    const refused = shown.leftOut.flatMap(({ refused: all }) => all.map(({ name }) => name));
    expect(shown.leftOut.map(({ what }) => what)).toEqual(['data']);
    expect(refused.sort()).toEqual(
      [...bad, 'device'].map((name) => `data/hostile.tar.gz: ${name}`).sort(),
    );
    for (const name of refused) expect(ran.stderr).toContain(JSON.stringify(name));
    expect((await home.run(['logs', shown.id])).stdout).toBe('bytes of finebytes of deep/fine');
    // A job that did all of its output has nothing for a retry.
    expect((await home.run(['retry', shown.id])).status).toBe(2);
  });

  it('lists every input object that has another name in --json, too', async () => {
    for (const name of ['fine', '../evil', 'x//y']) await put(`mapped/${name}`, name);
    const file = await jobFile('mapped', 'true', [
      `input: { gcs: gs://${INPUT}/mapped/, key: lab }`,
    ]);
    const ran = await home.run(['run', file, '--json']);
    expect(ran.status, ran.stderr).toBe(0);
    expect((JSON.parse(ran.stdout) as Shown).mapped).toMatchObject([
      {
        what: 'data',
        mapped: [
          { object: 'mapped/../evil', path: '%2E%2E/evil' },
          { object: 'mapped/x//y', path: 'x/%empty/y' },
        ],
      },
    ]);
  });

  it('because it failed is listed whole, not only the first ten', async () => {
    await google.setFaults([
      {
        operation: 'upload-simple',
        object: { glob: '**/f*' },
        fault: { kind: 'status', status: 403 },
      },
    ]);
    const worker =
      'cd "$TRAINYARD_OUTPUT_PATH"; for n in $(seq 100 124); do echo $n > f$n; done; echo g > g';
    const file = await jobFile('failing', worker, [
      `output: { gcs: gs://${OUTPUT}/results, key: lab }`,
    ]);
    const ran = await home.run(['run', file, '--json']);
    await google.setFaults([]);
    expect(ran.status, ran.stderr).toBe(1);
    const shown = JSON.parse(ran.stdout) as Shown;
    expect(shown).toMatchObject({ state: 'failed', leftOut: [{ what: 'output' }] });
    expect(shown.leftOut[0]?.failed.map(({ name }) => name).sort()).toEqual(
      Array.from({ length: 25 }, (_, index) => `worker-0/f${index + 100}`),
    );
    const retried = await home.run(['retry', shown.id]);
    expect(retried.status, retried.stderr).toBe(0);
    expect(await namesBelow(`results/failing/${shown.id}/worker-0/`)).toHaveLength(26);
  });
});
