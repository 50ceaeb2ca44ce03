type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Names that steer Trainyard, hold its secrets, or belong to the program that started it: no worker sees them. `NODE_DEBUG` is among them because
 * Node.js would then write pieces of what the agent receives, tokens too, into the agent's log.
 */
const CONTROL = /^(TRAINYARD|TRAINML|npm|ELECTRON|NODE_CHANNEL|VITEST|CHROME)_|^npm_config_/;
const CONTROLS: ReadonlySet<string> = new Set([
  'GOOGLE_APPLICATION_CREDENTIALS',
  'CLOUDSDK_CONFIG',
  'NODE_DEBUG',
  'NODE_DEBUG_NATIVE',
  'NODE_OPTIONS',
  'NODE_ENV',
  'STORAGE_EMULATOR_HOST',
  'INIT_CWD',
  'PWD',
  'OLDPWD',
  'SHLVL',
  '_',
]);

export function isControl(name: string): boolean {
  return CONTROL.test(name) || CONTROLS.has(name);
}

/** An environment without Trainyard's controls and secrets: the agent's own, and what workers inherit where the login shell tells nothing. */
export function withoutControls(environment: Environment): Record<string, string> {
  const kept: Record<string, string> = {};
  for (const [name, value] of Object.entries(environment))
    if (value !== undefined && !isControl(name)) kept[name] = value;
  return kept;
}

/** What is not for workers, though the login shell exports it: what Trainyard sets for them itself, and what leads elsewhere than the job does. */
const NOT_FOR_WORKERS =
  /^((TRAINYARD|TRAINML)_.*|GOOGLE_APPLICATION_CREDENTIALS|CLOUDSDK_CONFIG|STORAGE_EMULATOR_HOST|PWD|OLDPWD|SHLVL|_)$/;

/** What the user's login shell exports, for workers: it was started without anything of Trainyard's, so the rest is the user's own. Pure. */
export function withoutOurs(login: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(login).filter(([name]) => !NOT_FOR_WORKERS.test(name)));
}

/** What a login shell is started with: who and where the user is, and nothing of the program that asks. */
const LOGIN =
  /^(HOME|USER|LOGNAME|SHELL|PATH|LANG|LANGUAGE|LC_[A-Z]+|TZ|TMPDIR|XDG_RUNTIME_DIR|SSH_AUTH_SOCK|DBUS_SESSION_BUS_ADDRESS|[a-z]+_proxy|[A-Z]+_PROXY)$/;

export function loginEnvironment(environment: Environment): Record<string, string> {
  return {
    ...Object.fromEntries(
      Object.entries(withoutControls(environment)).filter(([name]) => LOGIN.test(name)),
    ),
    TERM: 'dumb',
  };
}
