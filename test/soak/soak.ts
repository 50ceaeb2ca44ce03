import { outcomeOf, wrongWith } from './checks.ts';
import { driveJob, VICTIMS, type Durations, type Kill, type Weights } from './drive.ts';
import type { Runtime } from './application.ts';
import { faultRules } from './faults.ts';
import { seeded } from './random.ts';
import { look } from './state.ts';
import { makeWorld } from './world.ts';

export interface SoakOptions {
  readonly kills: number;
  readonly seed: number;
  /** Share of requests that meet a fault, from 0 to 1. */
  readonly faults: number;
  /** No job is begun after this many minutes. */
  readonly minutes: number;
  /** Kills in one job, at most. */
  readonly perJob?: number;
  /** Where the application runs, one of the victims then. */
  readonly window?: Runtime;
  /** How often each victim is chosen. */
  readonly weights?: Weights;
  /** Aborted: no further job is begun. */
  readonly signal?: AbortSignal;
  readonly say?: (line: string) => void;
}

export interface SoakReport {
  readonly jobs: number;
  readonly kills: readonly Kill[];
  /** Requests that met a fault. */
  readonly faults: number;
  /** By job: everything that was not as promised. */
  readonly wrong: readonly string[];
  readonly seconds: number;
}

/** The tenth job differs from the second in no moment that matters: what an undisturbed one takes is measured once. */
function measure(events: ReturnType<typeof look>['events'], whole: number): Durations {
  const at = (test: (event: (typeof events)[number]) => boolean): number =>
    Date.parse(events.find(test)?.time ?? '');
  const began = at((event) => event.kind === 'agent-started');
  const ended = at((event) => event.kind === 'ended');
  const lasted = (stage: string): number =>
    at((event) => event.kind === 'stage-ended' && event.stage === stage) -
    at((event) => event.kind === 'stage-started' && event.stage === stage);
  return {
    start: Math.max(200, whole - (ended - began)),
    staging: lasted('staging'),
    waiting: 50,
    running: lasted('running'),
    uploading: lasted('uploading'),
    end: 60,
  };
}

/** Runs jobs and kills their processes until so many kills took place, and compares every job's end with that of an undisturbed one. */
export async function soak(options: SoakOptions): Promise<SoakReport> {
  const say = options.say ?? (() => undefined);
  const began = performance.now();
  const until = began + options.minutes * 60_000;
  const random = seeded(options.seed);
  const world = await makeWorld(options.window === undefined ? {} : { window: options.window });
  const kills: Kill[] = [];
  const wrong: string[] = [];
  let jobs = 0;
  let faults = 0;
  try {
    await world.window?.open();
    const started = performance.now();
    const first = await driveJob(world, random, 0, NO_DURATIONS, until);
    const whole = performance.now() - started;
    if (first.id === null || first.stuck !== null || first.commands !== 1)
      throw new Error(
        `the undisturbed job did not finish: ${first.said.join('\n')}\n${first.id === null ? '' : (await outcomeOf(world, first.id)).logs.join('')}`,
      );
    const wanted = await outcomeOf(world, first.id);
    const durations = measure(look(world, first.id).events, whole);
    wrong.push(
      ...(await wrongWith(world, first.id, wanted, { lost: [], keyFolders: first.keyFolders })),
    );
    say(`undisturbed: ${JSON.stringify(durations)}`);
    while (
      kills.length < options.kills &&
      performance.now() < until &&
      options.signal?.aborted !== true
    ) {
      const some = Math.min(options.kills - kills.length, random.whole(3, options.perJob ?? 9));
      if (options.faults > 0)
        await world.google.setFaults(faultRules(options.faults, options.seed + jobs * 1_009));
      const driven = await driveJob(
        world,
        random,
        some,
        durations,
        until + 120_000,
        options.weights,
      );
      if (options.faults > 0) {
        faults += (await world.google.firedFaults()).reduce((sum, { fired }) => sum + fired, 0);
        await world.google.setFaults([]);
      }
      jobs += 1;
      kills.push(...driven.kills);
      const lost = driven.kills.flatMap(({ worker }) => (worker === null ? [] : [worker]));
      const found =
        driven.stuck !== null || driven.id === null
          ? [`it did not finish: ${driven.stuck ?? 'it is not there'}`]
          : await wrongWith(world, driven.id, wanted, {
              lost,
              keyFolders: driven.keyFolders,
              damaged: options.faults > 0,
            });
      const told = driven.kills.map(
        ({ victim, moment, after, worker }) => `${victim}${worker ?? ''}@${moment}+${after}`,
      );
      say(`job ${jobs}, ${kills.length} kills: ${told.join(' ')}, ${driven.commands} commands`);
      for (const one of found) {
        wrong.push(`job ${jobs} (${driven.id}): ${one}`);
        say(`  WRONG: ${one}`);
      }
      if (found.length > 0) for (const line of driven.said) say(`    ${line}`);
    }
    await world.window?.close();
    wrong.push(...(world.window?.wrong() ?? []));
    return { jobs, kills, faults, wrong, seconds: (performance.now() - began) / 1000 };
  } finally {
    if (wrong.length === 0 || process.env['TRAINYARD_SOAK_KEEP'] === undefined)
      await world.remove();
    else {
      say(`kept: ${world.folder}`);
      await world.window?.close();
      await world.google.stop();
    }
  }
}

const NO_DURATIONS: Durations = {
  start: 0,
  staging: 0,
  waiting: 0,
  running: 0,
  uploading: 0,
  end: 0,
};

/** `agent 80, follower 41, ...` */
export function byVictim(kills: readonly Kill[]): string {
  return VICTIMS.map(
    (victim) => `${victim} ${kills.filter((kill) => kill.victim === victim).length}`,
  ).join(', ');
}
