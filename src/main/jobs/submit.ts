import { resolve } from 'node:path';
import { resolveInput } from '../../google/input.ts';
import type { RetryNews } from '../../google/retry.ts';
import { addressOfText } from '../../shared/read-address.ts';
import type { GoogleEndpoints } from '../../shared/endpoints.ts';
import { hasSecret, SECRET_HINT, SECRET_REFUSED } from '../../shared/git.ts';
import type { JobSpec } from '../../shared/job-spec.ts';
import type { Account, KeyCard } from '../../shared/key.ts';
import type { CodePlan, InputPlan, JobPlan } from '../../shared/plan.ts';
import { fail, ok, problem, type Problem, type Result } from '../../shared/problem.ts';
import type { Hosts } from '../hosts/hosts.ts';
import type { Host } from '../hosts/types.ts';
import type { PowerBook } from '../keys/power-book.ts';
import type { KeyService } from '../keys/service.ts';
import { isoTime, type Clock } from '../platform/clock.ts';
import { gatherAccess, toldOf, type Access } from './access.ts';
import type { FieldPath } from './job-file-words.ts';
import { NO_RULES, planGpus, type ChosenGpus, type GpuRules } from './choose-gpus.ts';
import { accountOf, makePlan, newJobId, tokensNeeded } from './make-plan.ts';
import { warnOfVariables } from './look-at-variables.ts';
import { warnOfKeyFile } from './look-for-key-file.ts';
import { moreThanJobNeeds } from './more-than-job-needs.ts';
import { lookForTakenNames } from './output-taken.ts';
import { tryNarrowed } from './try-narrowed.ts';
import { refuseUnconfirmed } from './unconfirmed.ts';

export { refuseGpus } from './choose-gpus.ts';

export interface SubmitParts {
  readonly hosts: Hosts;
  readonly keys: KeyService;
  /** What checks found that keys can do. */
  readonly powers: Pick<PowerBook, 'read'>;
  readonly endpoints: GoogleEndpoints;
  /** The application's version. */
  readonly version: string;
  readonly clock: Clock;
  /** Of which cards jobs choose; without it of all. */
  readonly gpuRules?: () => GpuRules;
}

export interface SubmitOptions {
  /** Relative paths of the specification are taken from here: the job file's folder. Absolute. */
  readonly baseFolder: string;
  readonly signal?: AbortSignal;
  /** Told of each wait before a bucket is asked again what code and input are. */
  readonly onRetry?: (news: RetryNews) => void;
  /** It begins with an empty folder, whatever its code says. */
  readonly emptyCode?: true;
  /**
   * Asked before a start whose own access cannot be narrowed, once for each key and bucket: whether it starts all the same. Without it the start goes
   * on, with the warning.
   */
  readonly onNotNarrowed?: (refused: readonly Problem[]) => Promise<boolean>;
  /** Where a field stands in the job file, `FILE:LINE:COLUMN`: told with what is wrong with it. */
  readonly placeOf?: (field: FieldPath) => string;
}

export interface PreparedJob {
  readonly host: Host;
  readonly plan: JobPlan;
  readonly access: Access;
  /** What the user should know before the start, though nothing stands in its way. */
  readonly warnings: readonly Problem[];
  /** What its keys can do in its buckets beyond what it does there, one sentence each: a quiet note. Of administrators' keys nothing, which are marked. */
  readonly more: readonly string[];
}

/** How long a bucket may take to answer what the input is. Milliseconds. */
const INPUT_TIME = 30_000;

/**
 * Checks everything that can be known before the start, at the same time, and freezes the plan. Writes nothing.
 * Errors, the first in the order of the job file's fields: `input.host-unknown`, `input.code-folder`, `input.input-folder`, `input.key-...`,
 * `host.gpus`, those of `resolveInput`, `access.key-not-confirmed`, those of minting and of the vault.
 */
export async function prepareJob(
  parts: SubmitParts,
  spec: JobSpec,
  options: SubmitOptions,
): Promise<Result<PreparedJob>> {
  const found = parts.hosts.get(spec.host);
  if (!found.ok) return found;
  const host = found.value;
  const signal = options.signal ?? new AbortController().signal;

  const outputKey = spec.output?.key;
  const [gpus, code, input, output, taken, keyFile, ...workers] = await Promise.all([
    checkGpus(host, spec, parts.gpuRules?.() ?? NO_RULES, signal),
    options.emptyCode === true
      ? ok<CodePlan>({ kind: 'empty' })
      : planCode(parts, host, spec, { ...options, signal }),
    planInput(parts, host, spec, { ...options, signal }),
    findAccount(parts.keys, outputKey),
    lookForTakenNames(parts, spec, signal),
    warnOfKeyFile(
      spec,
      options.emptyCode !== true && 'dir' in spec.code && host.name === 'local'
        ? resolve(options.baseFolder, spec.code.dir)
        : null,
      signal,
    ),
    ...spec.workerKeys.map(({ key }) => findAccount(parts.keys, key)),
  ]);
  const mistakes = mistakesIn(
    [
      { result: code, fields: { folder: ['code', 'dir'], key: ['code', 'key'] } },
      { result: input, fields: { folder: ['input', 'dir'], key: ['input', 'key'] } },
      { result: output, fields: { folder: [], key: ['output', 'key'] } },
      ...workers.map((result, index) => ({
        result,
        fields: { folder: [], key: ['workerKeys', index, 'key'] },
      })),
    ],
    options.placeOf,
  );
  if (mistakes !== null) return fail(mistakes);
  if (!gpus.ok) return gpus;
  if (!code.ok) return code;
  if (!input.ok) return input;
  if (!output.ok) return output;
  const workerAccounts: Account[] = [];
  for (const account of workers) {
    if (!account.ok) return account;
    if (account.value !== null) workerAccounts.push(account.value);
  }

  const plan = makePlan(spec, {
    id: newJobId(parts.clock.now()),
    createdAt: isoTime(parts.clock),
    application: parts.version,
    endpoints: { ...parts.endpoints },
    onlyGpus: gpus.value.only,
    code: code.value,
    input: input.value,
    outputAccount: output.value,
    workerAccounts,
  });
  if (!plan.ok) return plan;
  const unconfirmed = refuseUnconfirmed(parts.powers, plan.value);
  if (unconfirmed !== null) return fail(unconfirmed);
  const access = await gatherAccess(parts.keys, plan.value, parts.clock, {
    signal,
    dispensable: tokensNeeded(plan.value).every(({ purpose }) => purpose === 'write'),
  });
  if (!access.ok) return access;
  const { tokens } = access.value.secrets;
  const { narrowing } = access.value;
  const isMarked = ({ keyId }: Account): boolean => parts.powers.read(keyId) !== null;
  const [narrowed, more] = await Promise.all([
    tryNarrowed(plan.value, tokens, signal),
    moreThanJobNeeds(plan.value, narrowing.sources, isMarked, signal),
  ]);
  const variables = warnOfVariables(spec.env);
  const all = [
    ...gpus.value.warnings,
    ...taken,
    keyFile,
    ...variables,
    access.value.missing,
    ...narrowed,
    ...toldOf(narrowing),
  ];
  const told = all.filter((each) => each !== null);
  return ok({ host, plan: plan.value, access: access.value, warnings: told, more });
}

interface Checked {
  readonly result: Result<unknown>;
  readonly fields: { readonly folder: FieldPath; readonly key: FieldPath };
}

const FOLDER_MISTAKES: readonly string[] = ['input.code-folder', 'input.input-folder'];
const KEY_MISTAKES: readonly string[] = ['input.key-unknown', 'input.key-ambiguous'];

/** What only this machine could tell to be wrong with the fields of a job file, all at once, each with its place; null where all is well. Pure. */
function mistakesIn(
  checked: readonly Checked[],
  placeOf: SubmitOptions['placeOf'],
): Problem | null {
  const found = checked.flatMap(({ result, fields }) => {
    if (result.ok) return [];
    const { code } = result.problem;
    const field = FOLDER_MISTAKES.includes(code)
      ? fields.folder
      : KEY_MISTAKES.includes(code)
        ? fields.key
        : null;
    return field === null ? [] : [{ problem: result.problem, field }];
  });
  const [first] = found;
  if (first === undefined || placeOf === undefined) return first?.problem ?? null;
  const told = found.map(({ problem, field }) => `${placeOf(field)}: ${problem.message}`);
  return {
    ...first.problem,
    message: `The job file has ${told.length === 1 ? 'a mistake' : `${told.length} mistakes`}:\n${told.join('\n')}`,
    hint: [...new Set(found.map(({ problem }) => problem.hint))].join('\n'),
  };
}

/** Null where the specification names no key. */
async function findAccount(
  keys: KeyService,
  name: string | undefined,
): Promise<Result<Account | null>> {
  if (name === undefined) return ok(null);
  const card: Result<KeyCard> = await keys.find(name);
  return card.ok ? ok(accountOf(card.value)) : card;
}

type AskOptions = SubmitOptions & { readonly signal: AbortSignal };

async function planCode(
  parts: SubmitParts,
  host: Host,
  spec: JobSpec,
  options: AskOptions,
): Promise<Result<CodePlan>> {
  if ('git' in spec.code && hasSecret(spec.code.git))
    return fail(
      problem({
        code: 'input.git-url',
        op: 'check the job',
        subject: 'code.git',
        message: SECRET_REFUSED,
        hint: SECRET_HINT,
      }),
    );
  if ('git' in spec.code)
    return ok({ kind: 'git', url: spec.code.git, ref: spec.code.ref ?? null });
  if ('gcs' in spec.code) return planObjects(parts, spec.code, options);
  const path = resolve(options.baseFolder, spec.code.dir);
  const there = await checkFolder(host, path, 'input.code-folder', 'code.dir');
  return there.ok ? ok({ kind: 'dir', path }) : there;
}

async function planInput(
  parts: SubmitParts,
  host: Host,
  spec: JobSpec,
  options: AskOptions,
): Promise<Result<InputPlan | null>> {
  const { input } = spec;
  if (input === undefined) return ok(null);
  if ('dir' in input) {
    const path = resolve(options.baseFolder, input.dir);
    const there = await checkFolder(host, path, 'input.input-folder', 'input.dir');
    return there.ok ? ok({ kind: 'dir', path }) : there;
  }
  const planned = await planObjects(parts, input, options);
  return planned.ok && input.keepCompressed === true
    ? ok({ ...planned.value, keepCompressed: true })
    : planned;
}

/** What lies at an address of code or input. */
async function planObjects(
  parts: SubmitParts,
  from: { readonly gcs: string; readonly key?: string | undefined },
  { signal, onRetry }: AskOptions,
): Promise<Result<Extract<InputPlan, { readonly kind: 'gcs' }>>> {
  const address = addressOfText(from.gcs);
  if (!address.ok) return address;
  let card: KeyCard | null = null;
  if (from.key !== undefined) {
    const found = await parts.keys.find(from.key);
    if (!found.ok) return found;
    card = found.value;
  }
  const tokens = card === null ? ok(null) : await parts.keys.tokenSource(card, 'read', 'start');
  if (!tokens.ok) return tokens;
  const target = await resolveInput({
    endpoints: parts.endpoints,
    tokens: tokens.value,
    address: address.value,
    signal,
    deadlineMs: INPUT_TIME,
    ...(onRetry === undefined ? {} : { onRetry }),
  });
  if (!target.ok) return target;
  const { bucket } = address.value;
  const account = card === null ? null : accountOf(card);
  return ok({ kind: 'gcs', address: from.gcs, bucket, target: target.value, account });
}

async function checkFolder(
  host: Host,
  path: string,
  code: 'input.code-folder' | 'input.input-folder',
  field: string,
): Promise<Result<void>> {
  const found = await host.isFolder(path);
  if (!found.ok) return found;
  if (found.value) return ok();
  return fail(
    problem({
      code,
      op: 'check the job',
      subject: path,
      message: `${field}: there is no folder ${path}.`,
      hint: 'Relative paths are taken from the folder of the job file.',
    }),
  );
}

async function checkGpus(
  host: Host,
  spec: JobSpec,
  rules: GpuRules,
  signal: AbortSignal,
): Promise<Result<ChosenGpus>> {
  if (spec.resources.gpus === 0) return ok({ only: null, warnings: [] });
  const probe = await host.probe(signal);
  return probe.ok ? planGpus(spec, probe.value, rules) : probe;
}
