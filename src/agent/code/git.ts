import { execFile } from 'node:child_process';
import type { CodeState } from '../../shared/events.ts';
import {
  CONFIG_LISTING,
  gitEnvironment,
  gitWords,
  guardedEnvironment,
  guardsFor,
  hasSecret,
  SECRET_HINT,
  SECRET_REFUSED,
  STATUS,
  withoutSecrets,
} from '../../shared/git.ts';
import { fail, ok, problem, type Result } from '../../shared/problem.ts';
import { byteNameOf, type ByteName } from './byte-name.ts';

const MAX_OUTPUT = 64 * 1024 * 1024;
const STATE_TIME = 20_000;

export const NO_CODE_STATE: CodeState = {
  commit: null,
  branch: null,
  dirty: null,
  unpushed: null,
};

interface GitAnswer {
  readonly ok: boolean;
  readonly output: string;
  readonly error: string;
}

function git(
  parameters: readonly string[],
  options: {
    /** The whole of it. */
    readonly environment: Readonly<Record<string, string | undefined>>;
    readonly signal?: AbortSignal | undefined;
    readonly timeout?: number;
    /** Of the answer; UTF-8 by default. */
    readonly encoding?: BufferEncoding;
  },
): Promise<GitAnswer> {
  return new Promise((resolve) => {
    execFile(
      'git',
      ['-c', 'core.fsmonitor=false', ...parameters],
      {
        env: options.environment,
        maxBuffer: MAX_OUTPUT,
        timeout: options.timeout ?? 0,
        encoding: options.encoding ?? 'utf8',
        ...(options.signal === undefined ? {} : { signal: options.signal }),
      },
      (error, output, errors) =>
        resolve({ ok: error === null, output, error: errors.trim() || (error?.message ?? '') }),
    );
  });
}

/** Asks git about a folder without running anything that the folder's own configuration names. */
async function looker(
  folder: string,
): Promise<(parameters: readonly string[], encoding?: BufferEncoding) => Promise<GitAnswer>> {
  const ask = (
    parameters: readonly string[],
    environment: Readonly<Record<string, string | undefined>>,
    encoding: BufferEncoding = 'utf8',
  ): Promise<GitAnswer> =>
    git(['-C', folder, ...parameters], { environment, timeout: STATE_TIME, encoding });
  const listed = await ask(CONFIG_LISTING, guardedEnvironment(process.env));
  // Without its configuration it is no repository that git would read, or git is too old to tell: nothing is asked.
  if (!listed.ok) return () => Promise.resolve({ ok: false, output: '', error: listed.error });
  const environment = guardedEnvironment(process.env, guardsFor(listed.output));
  return (parameters, encoding) => ask(parameters, environment, encoding);
}

/** Commit, branch, dirty, unpushed of a folder; nulls where it is no checkout, or git is missing or refuses. */
export async function readCodeState(folder: string): Promise<CodeState> {
  const look = await looker(folder);
  const ask = (...parameters: string[]): Promise<GitAnswer> => look(parameters);
  const head = await ask('rev-parse', '--verify', '--quiet', 'HEAD');
  const commit = head.output.trim();
  if (!head.ok || commit === '') return NO_CODE_STATE;
  const [branch, changes, ahead] = await Promise.all([
    ask('symbolic-ref', '--short', '--quiet', 'HEAD'),
    look(STATUS),
    ask('rev-list', '--count', 'HEAD', '--not', '--remotes'),
  ]);
  return {
    commit,
    branch: branch.ok ? branch.output.trim() : null,
    dirty: changes.ok ? changes.output !== '' : null,
    unpushed: ahead.ok ? Number(ahead.output.trim()) > 0 : null,
  };
}

/** Files below `folder` that git tracks although a rule ignores them; relative. Empty where git cannot tell. */
export async function trackedButIgnored(folder: string): Promise<readonly ByteName[]> {
  const look = await looker(folder);
  const answer = await look(
    ['ls-files', '-z', '--cached', '--ignored', '--exclude-standard'],
    'latin1',
  );
  const names = answer.ok ? answer.output.split('\0').filter((name) => name !== '') : [];
  return names.map((name) => byteNameOf(Buffer.from(name, 'latin1')));
}

/**
 * Clones a repository at a branch, tag or commit into a folder that is not there yet, without its submodules.
 * Errors: `input.git-url`, `input.git-ref`, `host.no-git`, `host.git-clone`, `job.cancelled`. What git says goes to `log`, without passwords.
 */
export async function cloneRepository(options: {
  readonly url: string;
  readonly ref: string | null;
  readonly folder: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly signal: AbortSignal;
  readonly log?: (line: string) => void;
}): Promise<Result<CodeState>> {
  const { url, ref, folder, signal, log = () => undefined } = options;
  const environment = gitEnvironment(options.environment);
  const shownUrl = withoutSecrets(url);
  const refuse = (
    code: 'input.git-url' | 'input.git-ref' | 'host.no-git' | 'host.git-clone' | 'job.cancelled',
    message: string,
    hint: string,
  ) => fail(problem({ code, op: 'clone the code', subject: shownUrl, message, hint }));
  if (hasSecret(url)) return refuse('input.git-url', SECRET_REFUSED, SECRET_HINT);
  if (url.startsWith('-'))
    return refuse(
      'input.git-url',
      `"${url}" is no git address.`,
      'Give https://... or git@host:...',
    );
  if (ref?.startsWith('-') === true)
    return refuse('input.git-ref', `"${ref}" is no branch, tag or commit.`, 'Correct code.ref.');
  /** What git had to say is kept whole. */
  const told = (answer: GitAnswer): GitAnswer => {
    for (const line of withoutSecrets(answer.error).split('\n'))
      if (line.trim() !== '') log(`git: ${line.trimEnd()}`);
    return answer;
  };
  log(`git clone ${shownUrl}`);
  const clone = told(
    await git(['clone', '--quiet', '--no-checkout', '--', url, folder], { environment, signal }),
  );
  if (signal.aborted) return refuse('job.cancelled', 'The clone was stopped.', '');
  if (!clone.ok)
    return clone.error.includes('ENOENT')
      ? refuse('host.no-git', 'git is not installed on this machine.', 'Install git, then retry.')
      : refuse(
          'host.git-clone',
          `git could not clone ${shownUrl}: ${gitWords(clone.error)}`,
          'Check the address, and that this machine may read the repository without being asked for a password.',
        );
  const inside = (...parameters: string[]): Promise<GitAnswer> =>
    git(['-C', folder, ...parameters], { environment, signal });
  const target = await firstCommit(inside, ref);
  if (target === null)
    return refuse(
      'input.git-ref',
      ref === null
        ? `${shownUrl} has no commit.`
        : `${shownUrl} has no branch, tag or commit "${ref}".`,
      'Correct code.ref, or push it first.',
    );
  const checkout = told(await inside('checkout', '--quiet', '--detach', target));
  if (!checkout.ok)
    return refuse(
      'host.git-clone',
      `git could not check out ${target}: ${gitWords(checkout.error)}`,
      'Check room and permissions, and that the programs are there which the repository needs (git-lfs).',
    );
  return ok({ commit: target, branch: ref, dirty: false, unpushed: false });
}

async function firstCommit(
  inside: (...parameters: string[]) => Promise<GitAnswer>,
  ref: string | null,
): Promise<string | null> {
  const names = ref === null ? ['HEAD'] : [`refs/remotes/origin/${ref}`, `refs/tags/${ref}`, ref];
  for (const name of names) {
    const found = await inside(
      'rev-parse',
      '--verify',
      '--quiet',
      '--end-of-options',
      `${name}^{commit}`,
    );
    if (found.ok) return found.output.trim();
  }
  return null;
}
