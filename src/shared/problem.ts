/**
 * The area of a problem's code. It decides the exit status of the command line:
 *
 * | area       | what went wrong                                    | exit |
 * |------------|----------------------------------------------------|------|
 * | `input`    | what the user gave: a file, an address, an option  | 2    |
 * | `access`   | a key or a permission refused                      | 3    |
 * | `host`     | the machine that should do the work                | 4    |
 * | `network`  | the way to Google                                  | 4    |
 * | `storage`  | the bucket answered, but not as asked              | 1    |
 * | `transfer` | part of a copy                                     | 1    |
 * | `job`      | a job failed or was stopped                        | 1    |
 * | `internal` | a bug of ours                                      | 1    |
 */
export const PROBLEM_AREAS = [
  'input',
  'access',
  'host',
  'network',
  'storage',
  'transfer',
  'job',
  'internal',
] as const;

export type ProblemArea = (typeof PROBLEM_AREAS)[number];

/** `area.what-in-kebab-case`, for example `access.list-refused`. Stable: scripts compare it. */
export type ProblemCode = `${ProblemArea}.${string}`;

/**
 * An expected failure, as data. An exception is a bug; a problem is news.
 *
 * - `op`: what was being done, a verb phrase: `list objects`.
 * - `subject`: what it was done to: an address, a path, a key's name. Never a secret.
 * - `message`: what happened, one sentence.
 * - `hint`: what the user can do; for a refusal the exact role and condition to ask for. May be empty.
 * - `retryable`: whether the same call may succeed later without any change by the user.
 */
export interface Problem {
  readonly code: ProblemCode;
  readonly op: string;
  readonly subject: string;
  readonly message: string;
  readonly hint: string;
  readonly retryable: boolean;
}

export type Result<T> =
  { readonly ok: true; readonly value: T } | { readonly ok: false; readonly problem: Problem };

export function ok(): Result<void>;
export function ok<T>(value: T): Result<T>;
export function ok<T>(value?: T): Result<T | undefined> {
  return { ok: true, value };
}

export function fail(problem: Problem): { readonly ok: false; readonly problem: Problem } {
  return { ok: false, problem };
}

/** A problem with the usual defaults: no hint, not retryable. */
export function problem(
  fields: Pick<Problem, 'code' | 'op' | 'subject' | 'message'> &
    Partial<Pick<Problem, 'hint' | 'retryable'>>,
): Problem {
  return { hint: '', retryable: false, ...fields };
}

export function areaOf(problem: Problem): ProblemArea {
  const area = problem.code.slice(0, problem.code.indexOf('.'));
  return PROBLEM_AREAS.find((known) => known === area) ?? 'internal';
}

const OFFLINE: readonly ProblemCode[] = [
  'network.unreachable',
  'network.timeout',
  'network.broken',
];

/** Whether nobody answered. A service that is busy, a strange answer and a certificate that is not trusted are answers. */
export const isOffline = ({ code }: Problem): boolean => OFFLINE.includes(code);

/** The exit status of the command line for a problem: see {@link PROBLEM_AREAS}. */
export function exitStatusOf(problem: Problem): 1 | 2 | 3 | 4 {
  switch (areaOf(problem)) {
    case 'input':
      return 2;
    case 'access':
      return 3;
    case 'host':
    case 'network':
      return 4;
    case 'storage':
    case 'transfer':
    case 'job':
    case 'internal':
      return 1;
  }
}
