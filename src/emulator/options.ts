import { parseArgs } from 'node:util';
import { fail, ok, problem, type Result } from '../shared/problem.ts';
import { isBucketName } from '../shared/address.ts';
import { parseExpression } from './iam/expression.ts';
import type { Binding } from './iam/policy.ts';
import { isPermission, permissionsOf, PREDEFINED_ROLES, type CustomRoles } from './iam/roles.ts';
import { MOST_FILLED } from './state/store.ts';

/** Everything the command line may say. */
export interface Options {
  readonly port: number;
  /** Where objects are kept; null: a temporary folder, gone at the end. */
  readonly dir: string | null;
  readonly open: boolean;
  readonly accounts: readonly string[];
  /** Bindings by bucket; the project's own under the empty name. */
  readonly grants: ReadonlyMap<string, readonly Binding[]>;
  readonly roles: CustomRoles;
  readonly admins: ReadonlySet<string>;
  readonly tokenLifetimeSeconds: number;
  readonly project: string;
  readonly evaluateListPrefix: boolean;
  readonly overwriteAnswers403: boolean;
  /** Buckets with hierarchical namespace. */
  readonly hierarchical: ReadonlySet<string>;
  readonly narrowedTokensTellExpiry: boolean;
  readonly requestLog: string | null;
  /** Where every token is written down that is handed out or taken in. */
  readonly tokenLog: string | null;
  /** How many objects without content a bucket begins with. */
  readonly fill: ReadonlyMap<string, number>;
  /** Seconds without a request that it lives on when the parent that holds a channel to it goes; 0: it ends with it. */
  readonly lingerSeconds: number;
  /** A file of fault rules. */
  readonly faults: string | null;
  /** The rules may be changed by requests. */
  readonly allowFaults: boolean;
}

export const USAGE = `Usage: trainyard emulator [options]

An embedded Google on 127.0.0.1: Cloud Storage, OAuth tokens, permissions.

  --port N                  the port; 0, the default, takes a free one
  --dir D                   keep buckets and objects in this folder
  --open                    let requests without a token do everything
  --account FILE            register the service account of a key file; a missing file is written
  --grant EMAIL=ROLE-OR-PERMISSION@BUCKET[@EXPRESSION]
                            give an account (or allUsers) a role on a bucket (or on projects/ID)
  --role ID=PERM,PERM       a custom role, projects/PROJECT/roles/ID
  --admin EMAIL             this account may do everything
  --token-lifetime SECONDS  how long tokens live; 3600
  --project ID              demo-project
  --evaluate-list-prefix    answer the list prefix attribute in policies of buckets
  --overwrite-answers-403   answer a create-only clash by 403 instead of 412
  --hierarchical BUCKET     a new object of this bucket makes the folders above it, which needs
                            storage.folders.create on each that is not there
  --sts-tells-expiry        say in answers of /v1/token how long a narrowed token lives
  --fill BUCKET=COUNT       begin with empty objects data/0000000.bin and so on, never kept: for
                            listings of any size
  --request-log FILE        append one JSON object a line for every request
  --token-log FILE          append every token, for tests that look for leaked ones (0600)
  --linger SECONDS          outlive the program that started it until nothing was asked for so long; 0
  --faults FILE             go wrong by the rules of this JSON file (docs/emulator.md)
  --allow-faults            rules may be set while it runs, at /trainyard/faults
`;

const refuse = (subject: string, message: string): ReturnType<typeof fail> =>
  fail(
    problem({
      code: 'input.option',
      op: 'read the options',
      subject,
      message,
      hint: 'See the options with `trainyard emulator --help`.',
    }),
  );

function wholeNumber(option: string, text: string, least: number, most: number): Result<number> {
  const value = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
  if (value >= least && value <= most) return ok(value);
  return refuse(
    option,
    `--${option} must be a whole number from ${least} to ${most}, not "${text}".`,
  );
}

interface Grant {
  readonly bucket: string;
  readonly binding: Binding;
}

/** Parses `EMAIL=ROLE-OR-PERMISSION@BUCKET[@EXPRESSION]`. Errors: `input.option`, for an expression with the position. */
export function parseGrant(text: string, project: string, roles: CustomRoles): Result<Grant> {
  const wrong = (what: string): ReturnType<typeof fail> => refuse(text, `--grant ${text}: ${what}`);
  const match = /^([^=]+)=([^@]+)@([^@]+)(?:@(.+))?$/s.exec(text);
  const [, email, role, where, expression] = match ?? [];
  if (email === undefined || role === undefined || where === undefined)
    return wrong('write EMAIL=ROLE-OR-PERMISSION@BUCKET[@EXPRESSION].');
  const everyone = email === 'allUsers' || email === 'allAuthenticatedUsers';
  if (!everyone && !/^[^@\s]+@[^@\s]+$/.test(email))
    return wrong(`"${email}" is neither an e-mail address nor allUsers.`);
  const name = roles.has(`projects/${project}/roles/${role}`)
    ? `projects/${project}/roles/${role}`
    : role;
  if (permissionsOf(name, roles) === null)
    return wrong(
      `"${role}" is no role; known are ${PREDEFINED_ROLES.join(', ')}, those of --role, and a permission such as storage.objects.list.`,
    );
  const onProject = where === `projects/${project}`;
  if (!onProject && !isBucketName(where)) return wrong(`"${where}" is not a bucket name.`);
  const members = [everyone ? email : `serviceAccount:${email}`];
  const bucket = onProject ? '' : where;
  if (expression === undefined)
    return ok({ bucket, binding: { role: name, members, condition: null } });
  const parsed = parseExpression(expression);
  if (!parsed.ok) return wrong(`${parsed.message} of the expression.`);
  const condition = { title: 'given at the start', expression, program: parsed.expression };
  return ok({ bucket, binding: { role: name, members, condition } });
}

/** Parses `ID=PERM,PERM`. */
function parseRole(text: string): Result<readonly [string, ReadonlySet<string>]> {
  const [, id, list] = /^([A-Za-z0-9_.]{3,64})=(.+)$/.exec(text) ?? [];
  const permissions = (list ?? '').split(',').map((permission) => permission.trim());
  if (id === undefined || !permissions.every(isPermission))
    return refuse(
      text,
      `--role ${text}: write ID=PERMISSION,PERMISSION, an ID of 3 characters at least.`,
    );
  return ok([id, new Set(permissions)]);
}

/** Reads the arguments. `help`: the usage was asked for. Errors: `input.option`, one sentence. */
export function parseOptions(argv: readonly string[]): Result<Options | 'help'> {
  const text = { type: 'string' } as const;
  const list = { type: 'string', multiple: true } as const;
  const flag = { type: 'boolean' } as const;
  let values;
  try {
    ({ values } = parseArgs({
      args: [...argv],
      allowPositionals: false,
      options: {
        port: text,
        dir: text,
        open: flag,
        account: list,
        grant: list,
        role: list,
        admin: list,
        'token-lifetime': text,
        project: text,
        'evaluate-list-prefix': flag,
        'overwrite-answers-403': flag,
        hierarchical: list,
        'sts-tells-expiry': flag,
        'request-log': text,
        'token-log': text,
        fill: list,
        linger: text,
        faults: text,
        'allow-faults': flag,
        help: { type: 'boolean', short: 'h' },
      },
    }));
  } catch (error) {
    return refuse('', error instanceof Error ? (error.message.split('\n')[0] ?? '') : '');
  }
  if (values.help === true) return ok('help');
  const port = wholeNumber('port', values.port ?? '0', 0, 65_535);
  if (!port.ok) return port;
  const lifetime = wholeNumber('token-lifetime', values['token-lifetime'] ?? '3600', 1, 43_200);
  if (!lifetime.ok) return lifetime;
  const linger = wholeNumber('linger', values.linger ?? '0', 0, 86_400);
  if (!linger.ok) return linger;
  const project = values.project ?? 'demo-project';
  if (!/^[a-z][a-z0-9-]{4,28}[a-z0-9]$/.test(project))
    return refuse(
      'project',
      `--project must be 6 to 30 lower case letters, digits and "-", not "${project}".`,
    );
  for (const [name, value] of [
    ['dir', values.dir],
    ['request-log', values['request-log']],
    ...(values.account ?? []).map((path) => ['account', path] as const),
  ] as const)
    if (value === '') return refuse(name, `--${name} needs a path.`);
  const roles = new Map<string, ReadonlySet<string>>();
  for (const role of values.role ?? []) {
    const parsed = parseRole(role);
    if (!parsed.ok) return parsed;
    roles.set(`projects/${project}/roles/${parsed.value[0]}`, parsed.value[1]);
  }
  const grants = new Map<string, Binding[]>();
  for (const grant of values.grant ?? []) {
    const parsed = parseGrant(grant, project, roles);
    if (!parsed.ok) return parsed;
    const { bucket, binding } = parsed.value;
    grants.set(bucket, [...(grants.get(bucket) ?? []), binding]);
  }
  const fill = new Map<string, number>();
  for (const one of values.fill ?? []) {
    const [, bucket = '', count = ''] = /^([^=]*)=(.*)$/.exec(one) ?? [];
    if (!isBucketName(bucket)) return refuse('fill', `--fill ${one}: write BUCKET=COUNT.`);
    const wanted = wholeNumber('fill', count, 1, MOST_FILLED);
    if (!wanted.ok) return wanted;
    fill.set(bucket, wanted.value);
  }
  for (const bucket of values.hierarchical ?? [])
    if (!isBucketName(bucket))
      return refuse('hierarchical', `--hierarchical ${bucket}: that is not a bucket name.`);
  return ok({
    port: port.value,
    dir: values.dir ?? null,
    open: values.open === true,
    accounts: values.account ?? [],
    grants,
    roles,
    admins: new Set((values.admin ?? []).map((email) => email.toLowerCase())),
    tokenLifetimeSeconds: lifetime.value,
    project,
    evaluateListPrefix: values['evaluate-list-prefix'] === true,
    overwriteAnswers403: values['overwrite-answers-403'] === true,
    hierarchical: new Set(values.hierarchical ?? []),
    narrowedTokensTellExpiry: values['sts-tells-expiry'] === true,
    requestLog: values['request-log'] ?? null,
    tokenLog: values['token-log'] ?? null,
    fill,
    lingerSeconds: linger.value,
    faults: values.faults ?? null,
    allowFaults: values['allow-faults'] === true,
  });
}
