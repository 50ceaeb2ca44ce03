import * as z from 'zod';
import type { PowerFinding, PowerReport } from '../shared/access-check.ts';
import { isOffline, ok, problem, type Problem, type Result } from '../shared/problem.ts';
import type { StorageAccess } from './client.ts';
import { exchange, parseRetryAfter } from './http.ts';
import { testBucketPermissions } from './permissions.ts';
import { withRetry, type Attempt } from './retry.ts';
import { quoteServer } from './token-refusal.ts';

/**
 * The scope that such questions are asked with: with a narrower one the answer may leave out what the key could do with a wider. The token is
 * used for them alone and never handed on.
 */
export const POWER_SCOPE = 'https://www.googleapis.com/auth/cloud-platform';

const OP = 'ask how much the key can do';
const REQUEST_TIME = 15_000;

/** What makes a key an administrator's, and what somebody could do with it. */
const POWERS: Readonly<Record<string, { readonly project: boolean; readonly what: string }>> = {
  'storage.buckets.delete': {
    project: false,
    what: 'delete whole buckets once they are emptied',
  },
  'storage.buckets.setIamPolicy': {
    project: false,
    what: 'open buckets to anybody, the public included, and shut others out',
  },
  'storage.objects.delete': {
    project: false,
    what: 'delete and overwrite objects outside of the output, the input data included',
  },
  'storage.objects.setIamPolicy': {
    project: false,
    what: 'open single objects to anybody, the public included',
  },
  'resourcemanager.projects.setIamPolicy': {
    project: true,
    what: 'take over the whole project: give itself or anybody every right in it',
  },
  'iam.serviceAccountKeys.create': {
    project: true,
    what: 'make keys of other service accounts and act as them, also after this key is deleted',
  },
  'storage.buckets.create': {
    project: true,
    what: 'create buckets that the project pays for, and copy data into them',
  },
};
const BUCKET_POWERS = Object.keys(POWERS).filter((name) => POWERS[name]?.project === false);
const PROJECT_POWERS = Object.keys(POWERS).filter((name) => POWERS[name]?.project === true);

const answerSchema = z.object({ permissions: z.array(z.string()).default([]) });

export interface ProjectRequest extends StorageAccess {
  readonly project: string;
  readonly permissions: readonly string[];
}

/**
 * Which of these permissions the account holds on a project (Cloud Resource Manager). Asking needs none. As with buckets, one that is not among
 * them means "could not tell".
 * Errors: `access.project-unknown` (refused, or the service is switched off in the project), `input.permission`, those of `exchange` and `withRetry`.
 */
export async function testProjectPermissions(
  request: ProjectRequest,
): Promise<Result<{ readonly held: readonly string[] }>> {
  const { project, permissions, endpoints, tokens, signal, deadlineMs } = request;
  const subject = `projects/${project}`;
  const address = `${endpoints.resourceManager}/v1/projects/${encodeURIComponent(project)}:testIamPermissions`;
  const timeoutMs = Math.min(deadlineMs ?? REQUEST_TIME, REQUEST_TIME);
  const attempt = async (
    token: string | null,
  ): Promise<Attempt<{ readonly held: readonly string[] }>> => {
    const sent = await exchange(
      address,
      {
        method: 'POST',
        headers: {
          accept: 'application/json',
          'content-type': 'application/json',
          ...(token === null ? {} : { authorization: `Bearer ${token}` }),
        },
        body: JSON.stringify({ permissions }),
      },
      { op: OP, subject, signal, timeoutMs },
    );
    if (!sent.ok) return sent;
    const { status, headers, text } = sent.answer;
    if (status === 200) {
      const parsed = answerSchema.safeParse(parseJson(text));
      if (parsed.success)
        return ok({ held: permissions.filter((one) => parsed.data.permissions.includes(one)) });
    }
    return {
      ok: false,
      problem: explain(status, text, subject),
      retryAfterMs: parseRetryAfter(headers.get('retry-after'), Date.now()),
      unauthorized: status === 401,
    };
  };
  return withRetry(OP, ({ token }) => attempt(token), {
    signal,
    tokens,
    subject,
    ...(deadlineMs === undefined ? {} : { deadlineMs }),
  });
}

function explain(status: number, text: string, subject: string): Problem {
  const about = { op: OP, subject };
  if (status === 408 || status === 429 || status >= 500)
    return problem({
      ...about,
      code: 'network.server-busy',
      message: `Cloud Resource Manager answered ${status}.`,
      hint: 'It is usually over within minutes: try again.',
      retryable: true,
    });
  if (status === 400)
    return problem({
      ...about,
      code: 'input.permission',
      message: `Cloud Resource Manager does not know a permission (${quoteServer(text)}).`,
    });
  if ([401, 403, 404].includes(status))
    return problem({
      ...about,
      code: 'access.project-unknown',
      message: `The project does not say what the key can do in it (${status}): its Cloud Resource Manager may be switched off.`,
    });
  return problem({
    ...about,
    code: 'network.unexpected-answer',
    message: `The answer (${status}) is not Cloud Resource Manager’s own.`,
    hint: 'A proxy or the sign-in page of a network may stand between.',
  });
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return null;
  }
}

export interface PowerRequest extends StorageAccess {
  /** With {@link POWER_SCOPE}. */
  readonly tokens: NonNullable<StorageAccess['tokens']>;
  /** The key's own; null: not asked. */
  readonly project: string | null;
  /** The bucket that is to be used; null: only the project is asked, which also tells what holds for all its buckets. */
  readonly bucket: string | null;
  /** Deleting is no surplus: the whole bucket is the output. */
  readonly ownsBucket?: boolean;
}

const finding = (permission: string, on: string): PowerFinding => ({
  permission,
  on,
  what: POWERS[permission]?.what ?? '',
});

/** What is held on the project: the powers over projects, and those over buckets where the project grants them for all of its own. */
async function askProject(
  request: PowerRequest,
  project: string,
): ReturnType<typeof testProjectPermissions> {
  const { tokens, endpoints, signal, deadlineMs } = request;
  const access = {
    tokens,
    endpoints,
    signal,
    project,
    ...(deadlineMs === undefined ? {} : { deadlineMs }),
  };
  const all = await testProjectPermissions({
    ...access,
    permissions: [...PROJECT_POWERS, ...BUCKET_POWERS],
  });
  // Should the project not take questions about what lies in buckets, those about itself are still answered.
  return all.ok || all.problem.code !== 'input.permission'
    ? all
    : testProjectPermissions({ ...access, permissions: PROJECT_POWERS });
}

/**
 * Looks for what makes a key an administrator's, on the bucket and the project. Never an error: what cannot be asked is told in `state`, and a
 * network where nobody answers is `not-checked`.
 */
export async function findPower(request: PowerRequest): Promise<PowerReport> {
  const { project, bucket, ownsBucket = false } = request;
  const nothing = ok({ held: [] as readonly string[] });
  const [onProject, onBucket] = await Promise.all([
    project === null ? nothing : askProject(request, project),
    bucket === null
      ? nothing
      : testBucketPermissions({ ...request, bucket, permissions: BUCKET_POWERS }),
  ]);
  const asked = [
    ...(bucket === null ? [] : [`gs://${bucket}`]),
    ...(project === null ? [] : [`projects/${project}`]),
  ];
  const findings = [
    ...(onProject.ok
      ? onProject.value.held.map((one) => finding(one, `projects/${project ?? ''}`))
      : []),
    ...(onBucket.ok
      ? onBucket.value.held
          .filter((one) => !(ownsBucket && one === 'storage.objects.delete'))
          .filter((one) => !(onProject.ok && onProject.value.held.includes(one)))
          .map((one) => finding(one, `gs://${bucket ?? ''}`))
      : []),
  ];
  return { state: stateOf([onProject, onBucket], findings.length > 0), findings, asked };
}

function stateOf(answers: readonly Result<unknown>[], found: boolean): PowerReport['state'] {
  if (found) return 'found';
  const problems = answers.flatMap((answer) => (answer.ok ? [] : [answer.problem]));
  if (problems.length === 0) return 'nothing-found';
  return problems.some(isOffline) ? 'not-checked' : 'could-not-tell';
}
