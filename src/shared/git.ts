/**
 * git as it is called on folders that somebody else may have made, on addresses that users write, and what it says. Pure: programs that call it stand
 * in `src/agent/code` and `src/main/jobs`.
 */

type Variables = Readonly<Record<string, string | undefined>>;

/** The environment of git that asks nobody, locks nothing that it need not, and takes no repository from the environment. Pure. */
export function gitEnvironment(environment: Variables): Record<string, string | undefined> {
  return {
    ...Object.fromEntries(
      Object.entries(environment).filter(
        ([name]) => !/^GIT_(DIR|WORK_TREE|INDEX_FILE|PREFIX|COMMON_DIR|EXTERNAL_DIFF)$/.test(name),
      ),
    ),
    GIT_OPTIONAL_LOCKS: '0',
    GIT_TERMINAL_PROMPT: '0',
    GIT_SSH_COMMAND: environment['GIT_SSH_COMMAND'] ?? 'ssh -o BatchMode=yes',
    LC_ALL: 'C',
  };
}

/** A setting that git is given in place of what a repository says. */
export interface GitSetting {
  readonly key: string;
  readonly value: string;
}

/** What a repository's own configuration must never decide while a folder is only looked at: each of these starts a program. */
const ALWAYS: readonly GitSetting[] = [
  { key: 'core.fsmonitor', value: 'false' },
  { key: 'core.hooksPath', value: '/dev/null' },
];

/** Keys whose value is a command; names between the dots are the repository's own. */
const COMMANDS =
  /^(filter\..*\.(clean|smudge|process)|diff\.(external|.*\.(command|textconv))|merge\..*\.driver|core\.(sshcommand|gitproxy|askpass|editor|pager|alternaterefscommand|hookspath|fsmonitor)|credential\.(.*\.)?helper|pager\..*|gpg\.(.*\.)?program|remote\..*\.(uploadpack|receivepack|vcs|proxy)|alias\..*|sequence\.editor|interactive\.difffilter|trailer\..*\.(command|cmd)|submodule\..*\.update)$/i;
const REQUIRED = /^filter\..*\.required$/i;

/** The scopes that are the user's or the machine's own: what they say may run. */
const OWN_SCOPES: readonly string[] = ['system', 'global', 'command'];

/** `git` with these before the verb tells the configuration for {@link guardsFor}. It runs nothing. */
export const CONFIG_LISTING: readonly string[] = ['config', '--list', '--show-scope', '-z'];

/**
 * The settings that take every command out of a repository's own configuration, whichever file it was included from. A command that the user's own
 * configuration has under the same key stays. `listing`: what {@link CONFIG_LISTING} printed. Pure.
 */
export function guardsFor(listing: string): readonly GitSetting[] {
  const parts = listing.split('\0');
  const own = new Map<string, string>();
  const foreign = new Set<string>();
  for (let at = 0; at + 1 < parts.length; at += 2) {
    const scope = parts[at] ?? '';
    const line = parts[at + 1] ?? '';
    const end = line.indexOf('\n');
    const key = end < 0 ? line : line.slice(0, end);
    if (OWN_SCOPES.includes(scope)) own.set(key, end < 0 ? '' : line.slice(end + 1));
    else if (COMMANDS.test(key) || REQUIRED.test(key)) foreign.add(key);
  }
  const guards = [...foreign].map((key) => ({
    key,
    value: own.get(key) ?? (REQUIRED.test(key) ? 'false' : ''),
  }));
  return [...guards, ...ALWAYS];
}

/**
 * The environment that makes git take these settings before those of any file, starts no helper of a transport, and fetches nothing. Pure.
 */
export function guardedEnvironment(
  environment: Variables,
  settings: readonly GitSetting[] = ALWAYS,
): Record<string, string | undefined> {
  const before = Number(environment['GIT_CONFIG_COUNT'] ?? '0');
  const first = Number.isSafeInteger(before) && before > 0 ? before : 0;
  return {
    ...gitEnvironment(environment),
    // A repository that lacks objects would fetch them, by a program of its own choice.
    GIT_NO_LAZY_FETCH: '1',
    GIT_ALLOW_PROTOCOL: 'none',
    GIT_CONFIG_COUNT: String(first + settings.length),
    ...Object.fromEntries(
      settings.flatMap(({ key, value }, index) => [
        [`GIT_CONFIG_KEY_${first + index}`, key],
        [`GIT_CONFIG_VALUE_${first + index}`, value],
      ]),
    ),
  };
}

/** `status` of a folder that is only looked at. A submodule has a configuration of its own: its files are not looked into. */
export const STATUS: readonly string[] = [
  'status',
  '--porcelain',
  '--ignore-submodules=dirty',
  '--',
  '.',
];

/** Tokens that stand where a name would. */
const TOKEN = /^(gh[a-z]_|github_pat_|glpat-|gho_|bbp_|ATBB|x-token-)|^[A-Za-z0-9_-]{30,}$/;
const SECRET_QUERY = /[?&](access_token|private_token|token|password|auth|key|secret)=[^&\s]/i;
const USER_INFO = /([a-z][a-z0-9+.-]*:\/\/)([^\s/?#'"]*)@/gi;

/** Whether an address of a repository has a password or a token in it, which a list of processes, plans and logs would show. Pure. */
export function hasSecret(address: string): boolean {
  const [, , user = ''] = /^([a-z][a-z0-9+.-]*:\/\/)([^\s/?#]*)@/i.exec(address.trim()) ?? [];
  const colon = user.indexOf(':');
  if (colon >= 0 && colon < user.length - 1) return true;
  return TOKEN.test(colon < 0 ? user : user.slice(0, colon)) || SECRET_QUERY.test(address);
}

/** A text of git without what stands before the `@` of an address in it. Pure. */
export function withoutSecrets(text: string): string {
  return text
    .replace(USER_INFO, (all, scheme: string, user: string) =>
      /^[A-Za-z0-9._-]{1,20}$/.test(user) && !TOKEN.test(user) ? all : scheme,
    )
    .replace(new RegExp(SECRET_QUERY.source.replace('[^&\\s]', '[^&\\s\'"]+'), 'gi'), '');
}

/** What is said where an address has a password. The address is not repeated. */
export const SECRET_REFUSED =
  'The address of the repository has a password or token in it, which a list of processes, the plan and the logs would show.';
export const SECRET_HINT =
  'Write the address without it, and let git get it by itself: from a credential helper (`git credential approve`, or gh auth setup-git), ~/.netrc, or an SSH key with git@host:path.';

const BOILERPLATE =
  /^(Cloning into |Please make sure you have the correct access rights|and the repository exists\.|hint: |warning: templates not found|\s*$)/;
const MOST_LINES = 4;
const MOST_LETTERS = 600;

/** What git says of the cause, in one line: its last lines without the advice that it always gives, and without passwords. Pure. */
export function gitWords(stderr: string): string {
  const lines = withoutSecrets(stderr)
    .split(/\r\n|\n|\r/)
    .map((line) => line.trim())
    .filter((line) => !BOILERPLATE.test(line));
  const told = lines.filter((line) =>
    /^(fatal|error|remote|ssh|ERROR): ?|denied|failed/i.test(line),
  );
  const words = (told.length > 0 ? told : lines).slice(-MOST_LINES).join(' ');
  return words.length > MOST_LETTERS ? `${words.slice(0, MOST_LETTERS)}...` : words;
}
