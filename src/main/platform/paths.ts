import { homedir } from 'node:os';
import { isAbsolute, join, resolve } from 'node:path';
import { closeFolder, looksLikeHome } from './closed-folder.ts';
import { makeFolders } from './make-folders.ts';
import { fail, ok, problem, type Result } from '../../shared/problem.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

/** Where everything of Trainyard lies. All paths are absolute. */
export interface HomePaths {
  /** 0700: holds keys in the passphrase vault, and run directories. */
  readonly home: string;
  readonly database: string;
  /** `runs/<job id>/`: the truth of every run. */
  readonly runs: string;
  /** `agents/<version>/`: the agent programs that runs use. */
  readonly agents: string;
  readonly vaultFile: string;
  readonly logs: string;
}

/**
 * The home folder: `TRAINYARD_HOME`, else the platform's place for a program's data. Pure.
 * An empty variable counts as not set; a relative `TRAINYARD_HOME` is taken from the working directory.
 */
export function homeFolder(
  env: Environment,
  platform: NodeJS.Platform = process.platform,
  userHome: string = homedir(),
): string {
  const given = env['TRAINYARD_HOME'];
  if (given !== undefined && given !== '') return resolve(given);
  if (platform === 'darwin') return join(userHome, 'Library', 'Application Support', 'Trainyard');
  if (platform === 'win32') {
    const local = env['LOCALAPPDATA'];
    return join(
      local === undefined || local === '' ? join(userHome, 'AppData', 'Local') : local,
      'Trainyard',
    );
  }
  // The XDG base directory specification: a relative value is to be ignored.
  const data = env['XDG_DATA_HOME'];
  return join(
    data !== undefined && isAbsolute(data) ? data : join(userHome, '.local', 'share'),
    'trainyard',
  );
}

/** The paths below a home folder. Pure. */
export function pathsBelow(home: string): HomePaths {
  return {
    home,
    database: join(home, 'trainyard.db'),
    runs: join(home, 'runs'),
    agents: join(home, 'agents'),
    vaultFile: join(home, 'vault.json'),
    logs: join(home, 'logs'),
  };
}

/**
 * Decides the home folder and makes it and its folders, 0700 each. Those that are there are closed to others, or refused; see `closeFolder`.
 * Errors: `host.home-folder`, `host.home-not-private`.
 */
export function homePaths(env: Environment): Result<HomePaths> {
  const paths = pathsBelow(homeFolder(env));
  try {
    makeFolders(paths.home);
    const home = closeFolder(paths.home, looksLikeHome(paths.home));
    if (!home.ok) return home;
    for (const folder of [paths.runs, paths.agents, paths.logs]) {
      makeFolders(folder);
      const closed = closeFolder(folder, true);
      if (!closed.ok) return closed;
    }
  } catch (error) {
    return fail(
      problem({
        code: 'host.home-folder',
        op: 'make the home folder',
        subject: paths.home,
        message: `The folder ${paths.home} could not be made: ${reasonOf(error)}.`,
        hint: 'Make it writable for you, or set TRAINYARD_HOME to another folder of your own.',
      }),
    );
  }
  return ok(paths);
}

/** What the system said, in short: `EACCES: permission denied`. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const code = codeOf(error);
  if (code === null) return error.message;
  // Node.js appends the system call and the path, which the message around it has.
  const end = error.message.indexOf(', ');
  return end < 0 ? error.message : error.message.slice(0, end);
}

/** `ENOENT` and the like, or null. */
export function codeOf(error: unknown): string | null {
  if (!(error instanceof Error) || !('code' in error)) return null;
  return typeof error.code === 'string' ? error.code : null;
}
