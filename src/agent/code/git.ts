import { execFile } from 'node:child_process';
import type { CodeState } from '../../shared/events.ts';
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

/** git that asks nobody, locks nothing that it need not, and takes no repository from the environment. */
export function gitEnvironment(
  environment: Readonly<Record<string, string | undefined>>,
): Record<string, string | undefined> {
  return {
    ...Object.fromEntries(
      Object.entries(environment).filter(
        ([name]) => !/^GIT_(DIR|WORK_TREE|INDEX_FILE|PREFIX)$/.test(name),
      ),
    ),
    GIT_OPTIONAL_LOCKS: '0',
    GIT_TERMINAL_PROMPT: '0',
    GIT_SSH_COMMAND: environment['GIT_SSH_COMMAND'] ?? 'ssh -o BatchMode=yes',
    LC_ALL: 'C',
  };
}

interface GitAnswer {
  readonly ok: boolean;
  readonly output: string;
  readonly error: string;
}

function git(
  parameters: readonly string[],
  options: {
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
        env: gitEnvironment(options.environment),
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

/** Commit, branch, dirty, unpushed of a folder; nulls where it is no checkout, or git is missing or refuses. */
export async function readCodeState(folder: string): Promise<CodeState> {
  const ask = (...parameters: string[]): Promise<GitAnswer> =>
    git(['-C', folder, ...parameters], { environment: process.env, timeout: STATE_TIME });
  const head = await ask('rev-parse', '--verify', '--quiet', 'HEAD');
  const commit = head.output.trim();
  if (!head.ok || commit === '') return NO_CODE_STATE;
  const [branch, changes, ahead] = await Promise.all([
    ask('symbolic-ref', '--short', '--quiet', 'HEAD'),
    ask('status', '--porcelain', '--', '.'),
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
  const answer = await git(
    ['-C', folder, 'ls-files', '-z', '--cached', '--ignored', '--exclude-standard'],
    { environment: process.env, timeout: STATE_TIME, encoding: 'latin1' },
  );
  const names = answer.ok ? answer.output.split('\0').filter((name) => name !== '') : [];
  return names.map((name) => byteNameOf(Buffer.from(name, 'latin1')));
}

/**
 * Clones a repository at a branch, tag or commit into a folder that is not there yet, with submodules left out.
 * Errors: `input.git-url`, `input.git-ref`, `host.no-git`, `host.git-clone`, `job.cancelled`.
 */
export async function cloneRepository(options: {
  readonly url: string;
  readonly ref: string | null;
  readonly folder: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly signal: AbortSignal;
}): Promise<Result<CodeState>> {
  const { url, ref, folder, environment, signal } = options;
  const refuse = (
    code: 'input.git-url' | 'input.git-ref' | 'host.no-git' | 'host.git-clone' | 'job.cancelled',
    message: string,
    hint: string,
  ) => fail(problem({ code, op: 'clone the code', subject: url, message, hint }));
  if (url.startsWith('-'))
    return refuse(
      'input.git-url',
      `"${url}" is no git address.`,
      'Give https://... or git@host:...',
    );
  if (ref?.startsWith('-') === true)
    return refuse('input.git-ref', `"${ref}" is no branch, tag or commit.`, 'Correct code.ref.');
  const clone = await git(['clone', '--quiet', '--no-checkout', '--', url, folder], {
    environment,
    signal,
  });
  if (signal.aborted) return refuse('job.cancelled', 'The clone was stopped.', '');
  if (!clone.ok)
    return clone.error.includes('ENOENT')
      ? refuse('host.no-git', 'git is not installed on this machine.', 'Install git, then retry.')
      : refuse(
          'host.git-clone',
          `git could not clone ${url}: ${lastLine(clone.error)}`,
          'Check the address, and that this machine may read the repository without being asked for a password.',
        );
  const inside = (...parameters: string[]): Promise<GitAnswer> =>
    git(['-C', folder, ...parameters], { environment, signal });
  const target = await firstCommit(inside, ref);
  if (target === null)
    return refuse(
      'input.git-ref',
      ref === null ? `${url} has no commit.` : `${url} has no branch, tag or commit "${ref}".`,
      'Correct code.ref, or push it first.',
    );
  const checkout = await inside('checkout', '--quiet', '--detach', target);
  if (!checkout.ok)
    return refuse(
      'host.git-clone',
      `git could not check out ${target}: ${lastLine(checkout.error)}`,
      '',
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

function lastLine(text: string): string {
  return text.trim().split('\n').at(-1) ?? '';
}
