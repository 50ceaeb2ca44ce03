import path from 'node:path';
import { STAGES, type Stage } from '../../src/shared/events.ts';
import { hasEnded } from '../../src/shared/job-status.ts';
import { identityOf } from '../../src/agent/identity.ts';
import type { Application } from './application.ts';
import type { Command } from './program.ts';
import { windowCommand } from './window-command.ts';
import { argumentsOf, childrenOf, identityIn, killExactly } from './processes.ts';
import type { Random } from './random.ts';
import { keyFolder, look, readEvents, runDirectory } from './state.ts';
import { WORKERS, type World } from './world.ts';

export const VICTIMS = [
  'application',
  'agent',
  'follower',
  'launcher',
  'supervisor',
  'worker',
] as const;
export type Victim = (typeof VICTIMS)[number];

export type Weights = Readonly<Record<Victim, number>>;

/** How often each is chosen, of twelve, and the application besides where there is one. */
export const WEIGHTS: Weights = {
  application: 4,
  agent: 5,
  follower: 2,
  launcher: 2,
  supervisor: 2,
  worker: 1,
};

/** How many of the commands are asked of the application's window instead, where there is one. */
const BY_WINDOW = 0.35;

type Moment = 'start' | Stage | 'end';

const NEAR = 3;
const NEAR_WEIGHT = 3;

/** How long each moment lasts when nobody disturbs it. Milliseconds. */
export type Durations = Readonly<Record<Moment, number>>;

/** One kill that took place. */
export interface Kill {
  readonly victim: Victim;
  /** `opening`: the application was not there yet. */
  readonly moment: Moment | 'opening';
  /** Milliseconds after the moment began. */
  readonly after: number;
  readonly worker: number | null;
}

export interface Driven {
  readonly id: string | null;
  readonly kills: readonly Kill[];
  readonly commands: number;
  readonly keyFolders: ReadonlySet<string>;
  /** Why the job did not come to its end, or null. */
  readonly stuck: string | null;
  /** What commands said, for a report of a failure. */
  readonly said: readonly string[];
}

const pause = (milliseconds: number): Promise<void> =>
  new Promise((resolve) => setTimeout(resolve, milliseconds));

/** Commands for one job before it counts as stuck, beside those that a kill cut short. */
const MOST_COMMANDS = 25;

/** An error of the last few commands is enough to tell why. */
const SAID = 12;

/**
 * Takes one job to its end by the public commands alone: `run`, then `retry` (or `logs -f` where an agent still carries it), one after the other, and
 * kills `kills` times on the way.
 */
export async function driveJob(
  world: World,
  random: Random,
  kills: number,
  durations: Durations,
  until: number,
  weights: Weights = WEIGHTS,
): Promise<Driven> {
  const done: Kill[] = [];
  const said: string[] = [];
  const { window } = world;
  const keyFolders = new Set<string>();
  const before = new Set(await world.runIds());
  let id: string | null = null;
  let commands = 0;
  const end = (stuck: string | null): Driven => ({
    id,
    kills: done,
    commands,
    keyFolders,
    stuck,
    said: said.slice(-SAID),
  });
  for (;;) {
    const seen = id === null ? null : look(world, id);
    if (seen?.status.state === 'finished') return end(null);
    if (commands - done.length > (kills === 0 ? 3 : MOST_COMMANDS))
      return end('it was retried too often');
    if (performance.now() > until) return end('time is up');
    const carried = seen !== null && seen.agentAlive && !hasEnded(seen.status.state);
    const byWindow = window !== null && kills > 0 && random.next() < BY_WINDOW;
    if (byWindow) await window.open();
    else void window?.open().catch(() => undefined);
    const parameters =
      id === null ? ['run', world.jobFile] : carried ? ['logs', id, '-f'] : ['retry', id];
    const since = seen?.events.length ?? 0;
    const command = byWindow
      ? windowCommand(window, { submit: world.jobFile, id, carried })
      : world.start(parameters);
    commands += 1;
    const over = new AbortController();
    const known = id;
    const findId = async (): Promise<string | null> =>
      known ?? (await world.runIds()).find((name) => !before.has(name)) ?? null;
    const killing = killDuring(
      {
        world,
        random,
        durations,
        weights,
        command,
        byWindow,
        findId,
        since,
        carried,
        over: over.signal,
      },
      kills - done.length,
    );
    const ended = await command.ended;
    over.abort();
    const killed = await killing;
    done.push(...killed);
    const news = (await world.runIds()).filter((name) => !before.has(name));
    if (news.length > 1) return end(`one job became several: ${news.join(', ')}`);
    id = news[0] ?? null;
    const folder = id === null ? null : keyFolder(runDirectory(world, id));
    if (folder !== null) keyFolders.add(folder);
    const how = killed.map(({ victim, moment }) => `, ${victim} killed in ${moment}`).join('');
    said.push(
      `${parameters[0]}${byWindow ? ' by the window' : ''}: ${ended.status ?? ended.signal}${how}: ${ended.stderr.trim().split('\n').slice(-8).join(' | ')}`,
    );
    if (ended.late) return end(`${parameters.join(' ')} did not end in time`);
    if (parameters[0] === 'logs') await pause(200);
  }
}

interface Killing {
  readonly world: World;
  readonly random: Random;
  readonly durations: Durations;
  readonly weights: Weights;
  readonly command: Command;
  /** The application does what the command asks. */
  readonly byWindow: boolean;
  readonly findId: () => Promise<string | null>;
  /** Events that were there before this command. */
  readonly since: number;
  /** An agent carries the run already: nothing starts one. */
  readonly carried: boolean;
  /** The command has ended. */
  readonly over: AbortSignal;
}

/**
 * Kills while a command runs: once, as most kills end it; an application that only looks on dies and comes back any number of times.
 */
async function killDuring(killing: Killing, most: number): Promise<readonly Kill[]> {
  const done: Kill[] = [];
  while (!killing.over.aborted && done.length < most) {
    const kill = await tryKill(killing);
    if (kill !== null) done.push(kill);
    if (kill !== null && (kill.victim !== 'application' || killing.byWindow)) break;
    if (kill !== null) void killing.world.window?.open().catch(() => undefined);
    await pause(8);
  }
  return done;
}

/** Kills the application before its page is there, at a random moment of its start. */
async function killOpening(killing: Killing, window: Application): Promise<Kill | null> {
  const after = killing.random.next() * window.openTime;
  const wait = window.openedAt + after - performance.now();
  if (wait < 0) return null;
  await pause(wait);
  if (!window.isOpening || !(await window.kill())) return null;
  return { victim: 'application', moment: 'opening', after: Math.round(after), worker: null };
}

/** Chooses a victim and a moment, waits for it, and kills; null where the moment has passed or the victim is not there then. */
async function tryKill(killing: Killing): Promise<Kill | null> {
  const { random, durations, command, over } = killing;
  const { window } = killing.world;
  const victim = random.pick(
    VICTIMS.flatMap((name) => Array<Victim>(killing.weights[name]).fill(name)),
  );
  if (victim === 'application' && window === null) return null;
  if (victim === 'follower' && killing.byWindow) return null;
  if (victim === 'application' && window?.isOpening === true) return killOpening(killing, window);
  const worker = random.whole(0, WORKERS - 1);
  if (victim === 'launcher') return killLauncher(killing);
  const aimed: readonly Moment[] =
    victim === 'supervisor' || victim === 'worker' ? ['running'] : await possibleMoments(killing);
  const moment = random.pick(aimed);
  const id = await reached(killing, moment);
  if (id === null && moment !== 'start') return null;
  const after = random.next() * durations[moment] * 1.1;
  const wait = moment === 'start' ? command.started + after - performance.now() : after;
  if (wait < 0) return null;
  await pause(wait);
  if (over.aborted && victim !== 'agent') return null;
  const told = { victim, moment, after: Math.round(after) };
  if (victim === 'application')
    return (await window?.kill()) === true ? { ...told, worker: null } : null;
  if (victim === 'follower')
    return killExactly(identityOf(command.pid)) ? { ...told, worker: null } : null;
  const run = id ?? (await killing.findId());
  if (run === null) return null;
  const directory = runDirectory(killing.world, run);
  if (victim === 'agent')
    return killExactly(identityIn(path.join(directory, 'lock'))) ? { ...told, worker: null } : null;
  const file = victim === 'supervisor' ? 'pid.json' : 'started.json';
  return killExactly(identityIn(path.join(directory, `workers/${worker}/${file}`)))
    ? { ...told, worker }
    : null;
}

/** The moments that are still to come, or are now. The nearer are chosen more often, so that a job meets several kills. */
async function possibleMoments(killing: Killing): Promise<readonly Moment[]> {
  const id = await killing.findId();
  const events = id === null ? [] : readEvents(runDirectory(killing.world, id)).events;
  const over = (stage: Stage): boolean =>
    events.some((event) => event.kind === 'stage-ended' && event.stage === stage);
  const started = performance.now() - killing.command.started > killing.durations.start;
  const moments: readonly Moment[] = [
    ...(started ? [] : (['start'] as const)),
    ...STAGES.filter((stage) => !over(stage)),
    'end',
  ];
  return moments.flatMap((moment, index) =>
    Array<Moment>(index < NEAR ? NEAR_WEIGHT : 1).fill(moment),
  );
}

/** Waits until a moment comes; the run's id, or null where the command ended before. `start` is there at once. */
async function reached(killing: Killing, moment: Moment): Promise<string | null> {
  if (moment === 'start') return killing.findId();
  while (!killing.over.aborted) {
    const id = await killing.findId();
    const events = id === null ? [] : readEvents(runDirectory(killing.world, id)).events;
    const came = events
      .slice(Math.min(killing.since, events.length))
      .some((event) =>
        moment === 'end'
          ? event.kind === 'stage-ended' && event.stage === 'uploading'
          : event.kind === 'stage-started' && event.stage === moment,
      );
    if (came) return id;
    await pause(8);
  }
  return null;
}

async function hasStarted(killing: Killing): Promise<boolean> {
  const id = await killing.findId();
  if (id === null) return false;
  const { events } = readEvents(runDirectory(killing.world, id));
  return events.slice(killing.since).some((event) => event.kind === 'agent-started');
}

/** Kills the program that starts the agent, a child of the command that lives for a moment. */
async function killLauncher(killing: Killing): Promise<Kill | null> {
  const { command, over, random, durations } = killing;
  const parent = command.pid;
  if (killing.carried) return null;
  while (!over.aborted && !(await hasStarted(killing))) {
    for (const pid of childrenOf(parent)) {
      if (!argumentsOf(pid).includes('start')) continue;
      const launcher = identityOf(pid);
      const after = random.next() * durations.start * 0.25;
      await pause(after);
      const killed = killExactly(launcher);
      return killed
        ? { victim: 'launcher', moment: 'start', after: Math.round(after), worker: null }
        : null;
    }
    await pause(4);
  }
  return null;
}
