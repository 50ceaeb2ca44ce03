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
import { execute, type Executed } from '../platform/execute.ts';
import type { Environment } from '../platform/paths.ts';

/** Milliseconds. */
const STATE_TIME = 10_000;
const REMOTE_TIME = 20_000;

const NO_STATE: CodeState = { commit: null, branch: null, dirty: null, unpushed: null };

/** Runs git with exactly this environment. */
function git(
  parameters: readonly string[],
  options: { readonly env: Environment; readonly signal: AbortSignal; readonly timeoutMs: number },
): Promise<Executed> {
  return execute('git', ['-c', 'core.fsmonitor=false', ...parameters], {
    ...options,
    // Outside of any repository, whose configuration would count.
    cwd: '/',
    maxOutput: 1_000_000,
  });
}

/**
 * Commit, branch, uncommitted changes and unpushed commits of a folder; nulls where it is no checkout, or git is missing or refuses. Nothing that the
 * folder's own configuration names is run.
 */
export async function lookAtCheckout(
  folder: string,
  env: Environment,
  signal: AbortSignal,
): Promise<CodeState> {
  const askWith = (guarded: Environment, parameters: readonly string[]): Promise<Executed> =>
    git(['-C', folder, ...parameters], { env: guarded, signal, timeoutMs: STATE_TIME });
  const listed = await askWith(guardedEnvironment(env), CONFIG_LISTING);
  if (listed.exitCode !== 0) return NO_STATE;
  const guarded = guardedEnvironment(env, guardsFor(listed.stdout));
  const ask = (...parameters: string[]): Promise<Executed> => askWith(guarded, parameters);
  const head = await ask('rev-parse', '--verify', '--quiet', 'HEAD');
  const commit = head.stdout.trim();
  if (head.exitCode !== 0 || commit === '') return NO_STATE;
  const [branch, changes, ahead] = await Promise.all([
    ask('symbolic-ref', '--short', '--quiet', 'HEAD'),
    ask(...STATUS),
    ask('rev-list', '--count', 'HEAD', '--not', '--remotes'),
  ]);
  return {
    commit,
    branch: branch.exitCode === 0 ? branch.stdout.trim() : null,
    dirty: changes.exitCode === 0 ? changes.stdout !== '' : null,
    unpushed: ahead.exitCode === 0 ? Number(ahead.stdout.trim()) > 0 : null,
  };
}

/**
 * Whether a repository answers, and whether it has a branch or tag of that name; null for a commit, which only a clone can tell.
 * Errors: `input.code-git`, `host.git`.
 */
export async function lookAtRepository(
  wanted: { readonly url: string; readonly ref: string | null },
  env: Environment,
  signal: AbortSignal,
): Promise<Result<{ readonly hasRef: boolean | null }>> {
  const { url, ref } = wanted;
  const refuse = (message: string, hint: string): ReturnType<typeof fail> =>
    fail(
      problem({
        code: 'input.code-git',
        op: 'look at the repository',
        subject: withoutSecrets(url),
        message,
        hint,
      }),
    );
  if (hasSecret(url)) return refuse(SECRET_REFUSED, SECRET_HINT);
  if (url.startsWith('-') || ref?.startsWith('-') === true)
    return refuse('It begins with "-", which git would take for an option.', 'Write it without.');
  const answer = await git(['ls-remote', '--', url, ref ?? 'HEAD'], {
    env: gitEnvironment(env),
    signal,
    timeoutMs: REMOTE_TIME,
  });
  if (answer.startError !== null)
    return fail(
      problem({
        code: 'host.git',
        op: 'look at the repository',
        subject: 'git',
        message: 'git could not be started on this machine.',
        hint: 'Install git, or take the code from a folder.',
      }),
    );
  if (answer.exitCode !== 0) {
    const said = gitWords(answer.stderr);
    return refuse(
      answer.timedOut ? 'The repository did not answer in time.' : `git could not read it: ${said}`,
      'Check the address. A private repository needs an SSH key or a credential helper that works without asking.',
    );
  }
  if (ref === null) return ok({ hasRef: true });
  if (answer.stdout.trim() !== '') return ok({ hasRef: true });
  return ok({ hasRef: /^[0-9a-f]{7,64}$/i.test(ref) ? null : false });
}
