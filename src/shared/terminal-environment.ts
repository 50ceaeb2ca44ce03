type Environment = Readonly<Record<string, string | undefined>>;

/** Steer Trainyard or the programs that started it, or hold its secrets. */
const OURS = /^(TRAINYARD|TRAINML|npm|ELECTRON|NODE_CHANNEL|VITEST|CHROME)_|^npm_config_/;
const OURS_BY_NAME: ReadonlySet<string> = new Set([
  'NODE_DEBUG',
  'NODE_DEBUG_NATIVE',
  'NODE_OPTIONS',
  'NODE_V8_COVERAGE',
  'STORAGE_EMULATOR_HOST',
  'INIT_CWD',
  'PWD',
  'OLDPWD',
  'SHLVL',
  '_',
]);

/** Say who asks at Google: a job has credentials by its own keys alone. */
const CREDENTIALS =
  /^(GOOGLE_APPLICATION_CREDENTIALS|GOOGLE_OAUTH_ACCESS_TOKEN|GOOGLE_CREDENTIALS|GOOGLE_CLOUD_KEYFILE_JSON|GCLOUD_KEYFILE_JSON|CLOUDSDK_CONFIG|CLOUDSDK_AUTH_[A-Z_]+|CLOUDSDK_CORE_ACCOUNT)$/;

/** Belong to the terminal, to its session or to the service that started it, and mean nothing once it is closed. */
const OF_THE_TERMINAL = new RegExp(
  `^(${[
    'TERM(CAP|INFO)?|COLORTERM|COLUMNS|LINES|WINDOW(ID|PATH)?|STY|DISPLAY|WAYLAND_DISPLAY|XAUTHORITY|GPG_TTY|GPG_AGENT_INFO',
    'SSH_(CLIENT|CONNECTION|TTY|ORIGINAL_COMMAND|ASKPASS.*)|SESSION_MANAGER|DESKTOP_.*|GDMSESSION|XDG_(SESSION|SEAT|VTNR|CURRENT_DESKTOP|ACTIVATION_TOKEN).*',
    'INVOCATION_ID|JOURNAL_STREAM|NOTIFY_SOCKET|LISTEN_(FDS|PID|FDNAMES)|MANAGERPID|SYSTEMD_EXEC_PID|MAINPID|WATCHDOG_(PID|USEC)',
    'PS[0-4]|R?PROMPT|PROMPT_COMMAND|N?VIM(RUNTIME)?|EMACS|INSIDE_EMACS|COMP_.*|GIO_LAUNCHED_.*',
    '(TMUX|ZELLIJ|BYOBU|TERM_|LC_TERMINAL|VTE_|GNOME_TERMINAL_|KONSOLE_|KITTY_|ALACRITTY_|WEZTERM_|ITERM_|GHOSTTY_|TERMINATOR_|TILIX_|VSCODE_).*',
  ].join('|')})$`,
);

/**
 * What of a terminal's environment reaches the workers of a job that is started there: everything that was exported, but for what belongs to the
 * terminal or its session, what steers Trainyard, and credentials of Google. Pure.
 */
export function terminalVariables(environment: Environment): Record<string, string> {
  const kept: Record<string, string> = {};
  for (const [name, value] of Object.entries(environment))
    if (
      value !== undefined &&
      !OURS.test(name) &&
      !OURS_BY_NAME.has(name) &&
      !CREDENTIALS.test(name) &&
      !OF_THE_TERMINAL.test(name)
    )
      kept[name] = value;
  return kept;
}

/** A Python environment that was activated: a virtual one, or one of conda's. */
export const ACTIVATED_KINDS = ['venv', 'conda'] as const;
export interface Activated {
  readonly kind: (typeof ACTIVATED_KINDS)[number];
  /** Its folder, absolute. */
  readonly prefix: string;
}

export const binOf = ({ prefix }: Activated): string => `${prefix.replace(/\/+$/, '')}/bin`;

const entriesOf = (path: string | undefined): readonly string[] =>
  (path ?? '').split(':').map((entry) => (entry === '/' ? entry : entry.replace(/\/+$/, '')));

/**
 * The Python environment that is activated: of `VIRTUAL_ENV` and `CONDA_PREFIX` the one whose programs come first in `PATH`; null where those of
 * neither are there at all. Pure.
 */
export function activatedIn(environment: Environment): Activated | null {
  const path = entriesOf(environment['PATH']);
  const candidates: readonly Activated[] = [
    { kind: 'venv', prefix: environment['VIRTUAL_ENV'] ?? '' },
    { kind: 'conda', prefix: environment['CONDA_PREFIX'] ?? '' },
  ];
  const [first] = candidates
    .filter(({ prefix }) => prefix !== '')
    .map((activated) => ({ activated, at: path.indexOf(binOf(activated)) }))
    .filter(({ at }) => at >= 0)
    .toSorted((a, b) => a.at - b.at);
  return first?.activated ?? null;
}

/**
 * Which `python` a worker gets, in words: `python /x/bin/python of the virtual environment /x`. A shim chooses only when it runs. Pure.
 */
export function pythonText({
  python,
  activated,
}: {
  readonly python: string | null;
  readonly activated: Activated | null;
}): string {
  if (python === null) return 'no python in PATH';
  const isOf = activated !== null && python.startsWith(`${binOf(activated)}/`);
  const more = isOf
    ? ` of ${activatedText(activated)}`
    : python.includes('/shims/')
      ? ', which chooses by the folder it runs in'
      : '';
  return `python ${python}${more}`;
}

/** `the virtual environment /x` */
export const activatedText = ({ kind, prefix }: Activated): string =>
  `the ${kind === 'venv' ? 'virtual' : 'conda'} environment ${prefix}`;
