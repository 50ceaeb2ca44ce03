import type { InputPlan, OutputPlan } from '../shared/plan.ts';
import { fail, ok, problem, type Result } from '../shared/problem.ts';
import {
  belowExpression,
  bucketResource,
  CREATED_KINDS,
  isExpressible,
  foldersAbove,
  objectExpression,
  READ_KINDS,
  resourceName,
} from './resources.ts';

/** One rule of a Credential Access Boundary, as the Security Token Service takes it. */
export interface BoundaryRule {
  readonly availableResource: string;
  readonly availablePermissions: readonly string[];
  readonly availabilityCondition?: { readonly title: string; readonly expression: string };
}

/**
 * What a narrowed token may do: the sum of its rules, and of that only what the account may do itself
 * (https://cloud.google.com/iam/docs/downscoping-short-lived-credentials).
 */
export interface AccessBoundary {
  readonly rules: readonly BoundaryRule[];
}

/** What a token narrowed to a job is narrowed to: the plan's own input and output. */
export interface BoundaryOf {
  readonly input: InputPlan | null;
  readonly output: Pick<OutputPlan, 'bucket' | 'prefix'> | null;
}

const READ = 'inRole:roles/storage.objectViewer';
const CREATE = 'inRole:roles/storage.objectCreator';

/**
 * The boundary of a job's workers: reading what lies at its input (below a prefix also listing with that prefix), and creating below its output
 * prefix. Pure. Errors: `input.worker-key-name` (a name that cannot stand in an expression), `input.worker-key-nothing` (the job has neither).
 */
export function jobBoundary(job: BoundaryOf): Result<AccessBoundary> {
  const rules: BoundaryRule[] = [];
  const add = (bucket: string, name: string, permissions: string, expression: string | null) => {
    if (!isExpressible(bucket) || !isExpressible(name)) return unsafe(bucket, name);
    rules.push({
      availableResource: `//storage.googleapis.com/${bucketResource(bucket)}`,
      availablePermissions: [permissions],
      ...(expression === null
        ? {}
        : { availabilityCondition: { title: 'this job alone', expression } }),
    });
    return null;
  };
  if (job.input?.kind === 'gcs') {
    const { bucket, target } = job.input;
    const name = target.kind === 'folder' ? target.prefix : target.object;
    const wrong = add(bucket, name, READ, readExpression(bucket, target.kind === 'folder', name));
    if (wrong !== null) return wrong;
  }
  if (job.output !== null) {
    const { bucket, prefix } = job.output;
    const wrong = add(bucket, prefix, CREATE, createExpression(bucket, prefix));
    if (wrong !== null) return wrong;
  }
  return rules.length > 0 ? ok({ rules }) : nothing();
}

/** Null: the whole bucket. */
function readExpression(bucket: string, isFolder: boolean, name: string): string | null {
  if (!isFolder) return objectExpression(bucket, name, "'");
  if (name === '') return null;
  return `${belowExpression(bucket, name, READ_KINDS, "'") ?? ''} || api.getAttribute('storage.googleapis.com/objectListPrefix', '').startsWith('${name}')`;
}

/** Folders above an output, the nearest: those further up are there. An expression may not grow without end. */
const FOLDERS_ABOVE = 6;

/** Everything below the prefix, and the folders of this run above it, which a bucket with hierarchical namespace makes with the first object. Null: a name that cannot be expressed. */
function createExpression(bucket: string, prefix: string): string | null {
  const below = belowExpression(bucket, prefix, CREATED_KINDS, "'");
  if (below === null) return null;
  const above = foldersAbove(prefix)
    .slice(-FOLDERS_ABOVE)
    .map((folder) => `resource.name == '${resourceName(bucket, 'folders', folder)}'`);
  return [below, ...above].join(' || ');
}

const OTHER_MODES =
  'With mode account-token the workers get the whole access of the account, with key-file its key.';

function unsafe(bucket: string, name: string) {
  return fail(
    problem({
      code: 'input.worker-key-name',
      op: 'narrow the access of the workers',
      subject: `gs://${bucket}/${name}`,
      message:
        'Access cannot be narrowed to a name with quotes, backslashes or control characters.',
      hint: `Take another folder of the bucket for the workers. ${OTHER_MODES}`,
    }),
  );
}

function nothing() {
  return fail(
    problem({
      code: 'input.worker-key-nothing',
      op: 'narrow the access of the workers',
      subject: 'workerKeys',
      message:
        'With mode token the workers reach the input and output of the job, and this job has neither in Cloud Storage.',
      hint: `Give it one, or leave workerKeys out. ${OTHER_MODES}`,
    }),
  );
}
