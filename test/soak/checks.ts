import { createHash } from 'node:crypto';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { manifestSchema } from '../../src/shared/manifest.ts';
import type { JobView } from '../../src/shared/views.ts';
import { processesIn } from './processes.ts';
import { filesBelow, look } from './state.ts';
import { OUTPUT, textOf, WORKERS, type World } from './world.ts';

/** What a finished job left, without what differs from job to job. */
export interface Outcome {
  /** Name below the output's prefix to `size crc32c`, the manifest left out. */
  readonly bucket: Readonly<Record<string, string>>;
  /** Name below `output/` to SHA-256. */
  readonly disk: Readonly<Record<string, string>>;
  readonly logs: readonly string[];
}

interface Listed {
  readonly name: string;
  readonly size: string;
  readonly crc32c: string;
  readonly generation: string;
}

async function objectsBelow(world: World, prefix: string): Promise<readonly Listed[]> {
  const query = `prefix=${encodeURIComponent(prefix)}&maxResults=1000`;
  const answer = await world.admin('GET', `/storage/v1/b/${OUTPUT}/o?${query}`);
  return ((await answer.json()) as { readonly items?: readonly Listed[] }).items ?? [];
}

const sha256 = (file: string): string =>
  createHash('sha256').update(readFileSync(file)).digest('hex');

const treeOf = (folder: string): Record<string, string> =>
  Object.fromEntries(filesBelow(folder).map((name) => [name, sha256(path.join(folder, name))]));

export const prefixOf = (id: string): string => `results/soak/${id}/`;

export async function outcomeOf(world: World, id: string): Promise<Outcome> {
  const prefix = prefixOf(id);
  const { directory } = look(world, id);
  const objects = await objectsBelow(world, prefix);
  const bucket = Object.fromEntries(
    objects
      .filter(({ name }) => name !== `${prefix}manifest.json`)
      .map(({ name, size, crc32c }) => [name.slice(prefix.length), `${size} ${crc32c}`]),
  );
  const logs = await Promise.all(
    Array.from({ length: WORKERS }, (_, worker) =>
      textOf(path.join(directory, `logs/worker-${worker}.log`)),
    ),
  );
  return { bucket, disk: treeOf(path.join(directory, 'output')), logs };
}

/** Names the first differences between two records. */
function differences(
  what: string,
  now: Readonly<Record<string, string>>,
  wanted: Readonly<Record<string, string>>,
): string[] {
  const names = [...new Set([...Object.keys(now), ...Object.keys(wanted)])].sort();
  return names
    .filter((name) => now[name] !== wanted[name])
    .slice(0, 5)
    .map((name) => `${what}: ${name} is ${now[name] ?? 'missing'}, not ${wanted[name] ?? 'there'}`);
}

/** The name that an object would have had if it had not been sent again: that below `attempt-<k>/`. */
const firstName = (name: string): string => name.replace(/^attempt-\d+\//, '');

/**
 * The objects of a job whose large files may have arrived damaged, without the damaged ones that were sent again: what was sent again stands under
 * its first name.
 */
export function withoutDamaged(
  objects: Readonly<Record<string, string>>,
  wanted: Readonly<Record<string, string>>,
): Record<string, string> {
  const kept: Record<string, string> = {};
  const isRight = ([name, told]: readonly [string, string]) => wanted[firstName(name)] === told;
  const sentAgain = new Set(
    Object.entries(objects).flatMap((one) =>
      isRight(one) && firstName(one[0]) !== one[0] ? [firstName(one[0])] : [],
    ),
  );
  for (const [name, told] of Object.entries(objects)) {
    const first = firstName(name);
    const counts = !sentAgain.has(first) || objects[first] === wanted[first];
    if (counts) kept[name] = told;
    else if (isRight([name, told])) kept[first] = told;
  }
  return kept;
}

/** What was done to a job. */
export interface Doings {
  /** Kills of a worker or of its supervisor, by worker. */
  readonly lost: readonly number[];
  /** Bytes of its uploads may have arrived wrong. */
  readonly damaged?: boolean;
  /** Where key files were seen to lie. */
  readonly keyFolders: ReadonlySet<string>;
}

/** How long processes may take to leave after a job's end. Milliseconds. */
const LEAVE_TIME = 15_000;

/** Everything that is wrong with a finished job; empty when nothing is. */
export async function wrongWith(
  world: World,
  id: string,
  wanted: Outcome,
  doings: Doings,
): Promise<readonly string[]> {
  const view = await world.json<JobView>(['job', id]);
  const wrong: string[] = [];
  if (view.state !== 'finished') wrong.push(`the job is ${view.state}`);
  const left = await stragglers(world);
  wrong.push(...left.map((command) => `a process is left: ${command}`));
  const now = await outcomeOf(world, id);
  wrong.push(
    ...differences(
      'bucket',
      doings.damaged === true ? withoutDamaged(now.bucket, wanted.bucket) : now.bucket,
      wanted.bucket,
    ),
    ...differences('disk', now.disk, wanted.disk),
    ...differences(
      'input',
      treeOf(path.join(look(world, id).directory, 'data')),
      Object.fromEntries(world.input),
    ),
    ...(await wrongManifest(world, id, doings.damaged === true ? wanted : null)),
    ...wrongEvents(world, id),
    ...(await wrongStarts(world, id, now, wanted, doings)),
    ...wrongLeftovers(world, id, doings),
    ...(await wrongWindow(world, id)),
  );
  return wrong;
}

/** What the application, where one is open, shows or wrote that is not as it should be. */
async function wrongWindow(world: World, id: string): Promise<readonly string[]> {
  const { window } = world;
  if (window === null) return [];
  const wrong: string[] = [];
  try {
    await window.open();
    const until = performance.now() + LEAVE_TIME;
    for (;;) {
      const listed = await window.call('jobs-list', {});
      const state = listed.ok ? listed.value.find((job) => job.id === id)?.state : 'not told';
      if (state === 'finished') break;
      if (performance.now() > until) {
        wrong.push(`the window says that the job is ${state ?? 'not there'}`);
        break;
      }
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  } catch (error) {
    wrong.push(`the window: ${String(error)}`);
  }
  const log = await textOf(path.join(world.home, 'logs/window.log'));
  const bugs = log.split('\n').filter((line) => /^\S+ \d+ error /.test(line));
  wrong.push(...bugs.slice(0, 3).map((line) => `the window's log: ${line}`));
  wrong.push(...window.wrong());
  return wrong;
}

async function stragglers(world: World): Promise<readonly string[]> {
  const until = performance.now() + LEAVE_TIME;
  for (;;) {
    const left = processesIn(world.home, [world.google.pid, ...(world.window?.processes() ?? [])]);
    if (left.length === 0) return [];
    if (performance.now() > until) return left.map(({ command }) => command);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

async function wrongManifest(
  world: World,
  id: string,
  /** What is right, where damaged objects may lie beside it: those the manifest must not name. */
  right: Outcome | null,
): Promise<readonly string[]> {
  const prefix = prefixOf(id);
  const name = encodeURIComponent(`${prefix}manifest.json`);
  const answer = await world.admin('GET', `/storage/v1/b/${OUTPUT}/o/${name}?alt=media`);
  if (!answer.ok) return [`the manifest is not in the bucket (${answer.status})`];
  const text = await answer.text();
  const manifest = manifestSchema.parse(JSON.parse(text));
  const kept = await textOf(path.join(look(world, id).directory, 'manifest.json'));
  const listed = (await objectsBelow(world, prefix)).filter(
    ({ name: object, size, crc32c }) =>
      object !== `${prefix}manifest.json` &&
      (right === null ||
        right.bucket[firstName(object.slice(prefix.length))] === `${size} ${crc32c}`),
  );
  const told = (
    objects: readonly {
      readonly name: string;
      readonly size: string | number;
      readonly crc32c: string;
    }[],
  ) => Object.fromEntries(objects.map((one) => [one.name, `${one.size} ${one.crc32c}`]));
  const generations = manifest.objects.filter(
    (object) =>
      object.generation !== null &&
      object.generation !== listed.find((one) => one.name === object.name)?.generation,
  );
  return [
    ...(kept === text ? [] : ['manifest.json in the run directory is not the one in the bucket']),
    ...(manifest.state === 'finished' ? [] : [`the manifest says ${manifest.state}`]),
    ...manifest.workers
      .filter((worker) => worker.exitCode !== 0)
      .map((worker) => `the manifest says that worker ${worker.index} ended ${worker.exitCode}`),
    ...differences('manifest', told(manifest.objects), told(listed)),
    ...generations.map((object) => `manifest: ${object.name} has another generation`),
  ];
}

function wrongEvents(world: World, id: string): readonly string[] {
  const { events, torn, status } = look(world, id);
  const wrong = torn.map((line) => `a line of the events is torn: ${line.slice(0, 80)}`);
  const gap = events.findIndex((event, index) => event.seq !== index + 1);
  if (gap >= 0) wrong.push(`event ${gap + 1} has the number ${events[gap]?.seq}`);
  if (status.state !== 'finished') wrong.push(`the events say ${status.state}`);
  if (events.at(-1)?.kind !== 'ended') wrong.push(`the last event is ${events.at(-1)?.kind}`);
  const finished = events.filter((event) => event.kind === 'ended' && event.state === 'finished');
  if (finished.length !== 1) wrong.push(`${finished.length} events say finished`);
  for (const kind of ['code-staged', 'manifest-uploaded'] as const) {
    const told = events.filter((event) => event.kind === kind).length;
    if (kind === 'code-staged' ? told !== 1 : told < 1) wrong.push(`${told} events ${kind}`);
  }
  for (let worker = 0; worker < WORKERS; worker += 1) {
    const starts = events.flatMap((event) =>
      event.kind === 'worker-started' && event.worker === worker ? [event.start] : [],
    );
    if (starts.some((start, index) => start !== index + 1))
      wrong.push(`the starts of worker ${worker} are told as ${starts.join(', ')}`);
  }
  return wrong;
}

async function wrongStarts(
  world: World,
  id: string,
  now: Outcome,
  wanted: Outcome,
  doings: Doings,
): Promise<readonly string[]> {
  const wrong: string[] = [];
  for (let worker = 0; worker < WORKERS; worker += 1) {
    const lines = (await textOf(path.join(world.notes, `${id}-${worker}`))).trim().split('\n');
    const of = (word: string): readonly string[] =>
      lines
        .filter((line) => line.startsWith(`${word} `))
        .map((line) => line.slice(word.length + 1));
    const starts = of('start');
    const lost = doings.lost.filter((one) => one === worker).length;
    if (of('overlap').length > 0) wrong.push(`worker ${worker} ran twice at once`);
    if (starts.length < 1 || starts.length > 1 + lost)
      wrong.push(`worker ${worker} was started ${starts.length} times, lost ${lost} times`);
    if (new Set(starts).size !== starts.length) wrong.push(`worker ${worker} has a pid twice`);
    if (of('end').length < 1) wrong.push(`worker ${worker} did not come to its end`);
    for (const file of of('key'))
      if (existsSync(path.dirname(file))) wrong.push(`the key folder of ${file} is left`);
    if (lost === 0 && now.logs[worker] !== wanted.logs[worker])
      wrong.push(`the log of worker ${worker} differs: ${now.logs[worker]?.slice(0, 300)}`);
  }
  return wrong;
}

function wrongLeftovers(world: World, id: string, doings: Doings): readonly string[] {
  const { directory } = look(world, id);
  const secret = path.join(directory, 'private');
  const names = existsSync(secret) ? readdirSync(secret) : [];
  return [
    ...names.map((name) => `private/ holds ${name}`),
    ...[...doings.keyFolders].filter((folder) => existsSync(folder)).map((one) => `${one} is left`),
    ...keysInMemory(world).map((folder) => `${folder} holds a key of this soak`),
    ...filesBelow(directory)
      .filter((name) => /partial/.test(name))
      .map((name) => `${name} is left`),
  ];
}

/** Folders on the memory file system that hold a key file of this world's account. */
function keysInMemory(world: World): readonly string[] {
  const memory = '/dev/shm';
  if (!existsSync(memory)) return [];
  return readdirSync(memory)
    .filter((name) => name.startsWith('trainyard-'))
    .map((name) => path.join(memory, name))
    .filter((folder) => {
      try {
        return readFileSync(path.join(folder, 'key.json'), 'utf8').includes(world.account);
      } catch {
        return false;
      }
    });
}
