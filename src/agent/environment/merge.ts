import { activatedIn, binOf, type Activated } from '../../shared/terminal-environment.ts';

type Variables = Readonly<Record<string, string>>;

/** Folders that npm and npx put into `PATH` for the program that they start: they would give a worker Trainyard's own packages and Node.js. */
const OF_NPM = /\/node_modules\/\.bin\/?$|\/_npx\/|\/node-gyp-bin\/?$/;

const entriesOf = (path: string | undefined): readonly string[] =>
  (path ?? '').split(':').filter((entry) => entry !== '');
const joined = (entries: readonly string[]): string => [...new Set(entries)].join(':');

/**
 * `PATH` of the login shell, then what only the agent's own has: a program that submit could find, a worker can. Without npm's folders, but
 * for those that the login shell itself adds. Pure.
 */
export function joinPaths(login: string | undefined, own: string | undefined): string {
  const ofNpm = new Set(entriesOf(own).filter((entry) => OF_NPM.test(entry)));
  return joined([...entriesOf(login), ...entriesOf(own)].filter((entry) => !ofNpm.has(entry)));
}

/** Says which Python environment is activated: taken all together, or not at all. */
const OF_ACTIVATION =
  /^(VIRTUAL_ENV(_PROMPT)?|CONDA_(PREFIX(_\d+)?|DEFAULT_ENV|SHLVL|PROMPT_MODIFIER)|PYTHONHOME)$/;

export interface Merged {
  readonly variables: Readonly<Record<string, string>>;
  /** The Python environment that workers find activated. */
  readonly activated: Activated | null;
  /** The names of the variables that come from the terminal, and are not what the login shell says. */
  readonly fromTerminal: readonly string[];
}

/**
 * What workers inherit: the login shell's environment, and over it what the terminal has in which the job was started. Pure.
 *
 * - `PATH` is the terminal's where that has every folder of the login shell's (those of Python environments aside): then the terminal came from
 *   such a shell, and a worker finds the programs that the user finds. Otherwise (cron, a service) the login shell's stands, with what the
 *   terminal puts in front of it.
 * - The activated Python environment is the terminal's. An attempt without one of its own, or with no other than the login shell's, gets the one
 *   in which an earlier attempt began.
 */
export function mergeTerminal(parts: {
  readonly login: Variables;
  /** Null where the job was not started in a terminal. */
  readonly terminal: Variables | null;
  /** What the first attempt found activated. */
  readonly before: Activated | null;
  /** The agent's own `PATH`. */
  readonly ownPath: string | undefined;
}): Merged {
  const { login, terminal, before, ownPath } = parts;
  const merged =
    terminal === null
      ? { variables: { ...login, PATH: joinPaths(login['PATH'], ownPath) }, fromTerminal: [] }
      : withTerminal(login, terminal);
  const found = activatedIn(merged.variables);
  const isOwn = found !== null && found.prefix !== activatedIn(login)?.prefix;
  const variables =
    before === null || isOwn || found?.prefix === before.prefix
      ? merged.variables
      : activate(merged.variables, before);
  return { ...merged, variables, activated: activatedIn(variables) };
}

function withTerminal(
  login: Variables,
  terminal: Variables,
): Pick<Merged, 'variables' | 'fromTerminal'> {
  const path = terminalPath(login, terminal);
  const decides = path.isTerminals || activatedIn(terminal) !== null;
  const keep = ([name]: readonly [string, string]): boolean => !OF_ACTIVATION.test(name);
  const variables: Record<string, string> = {
    ...(decides ? Object.fromEntries(Object.entries(login).filter(keep)) : login),
    ...(decides ? terminal : Object.fromEntries(Object.entries(terminal).filter(keep))),
    PATH: path.value,
  };
  const fromTerminal = Object.keys(variables).filter(
    (name) => name !== 'PATH' && name in terminal && variables[name] !== login[name],
  );
  return { variables, fromTerminal: fromTerminal.toSorted() };
}

function terminalPath(
  login: Variables,
  terminal: Variables,
): { readonly value: string; readonly isTerminals: boolean } {
  const theirs = entriesOf(terminal['PATH']).filter((entry) => !OF_NPM.test(entry));
  const logins = entriesOf(joinPaths(login['PATH'], terminal['PATH'])).filter((entry) =>
    entriesOf(login['PATH']).includes(entry),
  );
  const ofLoginsOwn = binsOf(login);
  const isTerminals = logins.every(
    (entry) => theirs.includes(entry) || ofLoginsOwn.includes(entry),
  );
  if (isTerminals) return { value: joined(theirs), isTerminals };
  const common = theirs.findIndex((entry) => logins.includes(entry));
  const activated = activatedIn(terminal);
  const front =
    common >= 0
      ? theirs.slice(0, common)
      : theirs.filter((entry) => activated !== null && entry === binOf(activated));
  return { value: joined([...front, ...logins, ...theirs]), isTerminals };
}

/** Where the Python environments that a login shell activates keep their programs. */
function binsOf(variables: Variables): readonly string[] {
  return ['VIRTUAL_ENV', 'CONDA_PREFIX'].flatMap((name) => {
    const prefix = variables[name];
    return prefix === undefined || prefix === '' ? [] : [binOf({ kind: 'venv', prefix })];
  });
}

/** As an activation does it, without the scripts of the environment. */
function activate(variables: Variables, activated: Activated): Variables {
  const others = binsOf(variables);
  const path = entriesOf(variables['PATH']).filter((entry) => !others.includes(entry));
  const kept = Object.entries(variables).filter(([name]) => !OF_ACTIVATION.test(name));
  const { kind, prefix } = activated;
  return {
    ...Object.fromEntries(kept),
    ...(kind === 'venv'
      ? { VIRTUAL_ENV: prefix }
      : {
          CONDA_PREFIX: prefix,
          CONDA_DEFAULT_ENV: prefix.split('/').at(-1) ?? prefix,
          CONDA_SHLVL: '1',
        }),
    PATH: joined([binOf(activated), ...path]),
  };
}
