import { randomBytes } from 'node:crypto';
import { jobBoundary } from '../../google/boundary.ts';
import { asPrefix, formatGcsAddress, parseGcsAddress } from '../../shared/address.ts';
import type { GoogleEndpoints } from '../../shared/endpoints.ts';
import { graceSecondsOf, type JobSpec } from '../../shared/job-spec.ts';
import type { Account, AccessPurpose, GrantPurpose, KeyCard } from '../../shared/key.ts';
import {
  RUN_FORMAT,
  type CodePlan,
  type InputPlan,
  type JobPlan,
  type OutputPlan,
  type RunPlan,
} from '../../shared/plan.ts';
import { ok, type Result } from '../../shared/problem.ts';

/** Bytes of a worker's log. */
export const LOG_LIMIT_BYTES = 1024 ** 3;

const ID_LETTERS = '0123456789abcdefghijklmnopqrstuvwxyz';

/**
 * `yyyymmdd-hhmmss-` in UTC, the milliseconds in two digits of base 36, and four random ones: ids sort as the runs were asked for.
 */
export function newJobId(now: number, random: (bytes: number) => Uint8Array = randomBytes): string {
  const time = new Date(now).toISOString();
  const stamp = `${time.slice(0, 10).replaceAll('-', '')}-${time.slice(11, 19).replaceAll(':', '')}`;
  let tail = Number(time.slice(20, 23)).toString(36).padStart(2, '0');
  while (tail.length < 6)
    for (const byte of random(8))
      // 252 is the largest multiple of 36: what is above would favour some letters.
      if (byte < 252 && tail.length < 6) tail += ID_LETTERS.charAt(byte % 36);
  return `${stamp}-${tail}`;
}

/** What was found out about a specification before its plan is made. */
export interface Resolved {
  readonly id: string;
  /** ISO 8601. */
  readonly createdAt: string;
  /** The application's version. */
  readonly application: string;
  readonly endpoints: GoogleEndpoints;
  /** UUIDs of the cards of which it is given some; null or left out: any. */
  readonly onlyGpus?: readonly string[] | null;
  /** With absolute paths. */
  readonly code: CodePlan;
  readonly input: InputPlan | null;
  readonly outputAccount: Account | null;
  readonly workerAccounts: readonly Account[];
}

/** Freezes a specification into a plan. Pure. Errors: `input.address`; those of `jobBoundary` where workers get narrowed tokens. */
export function makePlan(spec: JobSpec, resolved: Resolved): Result<JobPlan> {
  const output = planOutput(spec, resolved);
  if (!output.ok) return output;
  if (spec.workerKeys.some(({ mode }) => mode === 'token')) {
    const boundary = jobBoundary({ input: resolved.input, output: output.value });
    if (!boundary.ok) return boundary;
  }
  return ok({
    format: RUN_FORMAT,
    kind: spec.kind === 'notebook' ? 'notebook' : 'training',
    id: resolved.id,
    name: spec.name,
    host: spec.host,
    createdAt: resolved.createdAt,
    application: resolved.application,
    endpoints: resolved.endpoints,
    gpusPerWorker: spec.resources.gpus,
    ...(resolved.onlyGpus ? { onlyGpus: [...resolved.onlyGpus] } : {}),
    ...(spec.resources.useBusy === true ? { useBusyGpus: true } : {}),
    ...(spec.resources.gpuIds === undefined ? {} : { gpuIds: spec.resources.gpuIds }),
    code: resolved.code,
    setup: spec.setup ?? null,
    workers: spec.workers,
    env: spec.env,
    input: resolved.input,
    output: output.value,
    workerKeys: spec.workerKeys.flatMap(({ mode }, index) => {
      const account = resolved.workerAccounts[index];
      return account === undefined ? [] : [{ account, mode }];
    }),
    unattended: spec.unattended,
    ...(spec.stop === undefined ? {} : { stopSignal: spec.stop.signal }),
    stopGraceSeconds: graceSecondsOf(spec.stop),
    logLimitBytes: LOG_LIMIT_BYTES,
    spec,
  });
}

/** Where a run's objects go: frozen here, so that a retry never moves. Errors: `input.address`. */
function planOutput(spec: JobSpec, resolved: Resolved): Result<OutputPlan | null> {
  if (spec.output === undefined) return ok(null);
  const { gcs, layout, archive, exclude } = spec.output;
  const address = parseGcsAddress(gcs);
  if (!address.ok) return address;
  const base = asPrefix(address.value.path);
  const prefix = layout === 'exact' ? base : `${base}${spec.name}/${resolved.id}/`;
  const manifest =
    layout === 'exact' ? `${base}trainyard-${resolved.id}.manifest.json` : `${prefix}manifest.json`;
  const { bucket } = address.value;
  const account = resolved.outputAccount;
  return ok({
    address: gcs,
    bucket,
    prefix,
    manifest,
    layout,
    archive,
    ...(exclude === undefined ? {} : { exclude }),
    account,
  });
}

export function accountOf(card: KeyCard): Account {
  const { id, name, email, projectId, privateKeyId } = card;
  return { keyId: id, name, email, projectId, privateKeyId };
}

/** The tokens a run needs: `worker` for the workers, until they have all ended. Pure. */
export function tokensNeeded(
  plan: RunPlan,
  /** Whether code and data are in place already. */
  staged = false,
): readonly { readonly account: Account; readonly purpose: GrantPurpose }[] {
  const needed: { account: Account; purpose: GrantPurpose }[] = [];
  if (plan.kind === 'transfer') {
    if (plan.account !== null)
      needed.push({
        account: plan.account,
        purpose: plan.direction === 'upload' ? 'write' : 'read',
      });
    return needed;
  }
  const add = (account: Account, purpose: AccessPurpose): void => {
    const same = (one: (typeof needed)[number]): boolean =>
      one.account.keyId === account.keyId && one.purpose === purpose;
    if (!needed.some(same)) needed.push({ account, purpose });
  };
  for (const from of staged ? [] : [plan.code, plan.input])
    if (from?.kind === 'gcs' && from.account !== null) add(from.account, 'read');
  if (plan.output?.account) needed.push({ account: plan.output.account, purpose: 'write' });
  for (const { account, mode } of plan.workerKeys)
    if (mode !== 'key-file') needed.push({ account, purpose: 'worker' });
  return needed;
}

/** The accounts whose whole key is handed to the agent: the user's choice, per job. Pure. */
export function keysHandedOver(plan: RunPlan): readonly Account[] {
  const accounts = plan.unattended ? tokensNeeded(plan).map(({ account }) => account) : [];
  if (plan.kind !== 'transfer')
    accounts.push(
      ...plan.workerKeys.filter(({ mode }) => mode === 'key-file').map(({ account }) => account),
    );
  return [...new Map(accounts.map((account) => [account.keyId, account])).values()];
}

/** The whole output address, `gs://bucket/prefix/`, or null. Pure. */
export function outputAddress(plan: RunPlan): string | null {
  const to =
    plan.kind === 'transfer'
      ? plan.prefix === null
        ? null
        : { bucket: plan.bucket, path: plan.prefix }
      : plan.output === null
        ? null
        : { bucket: plan.output.bucket, path: plan.output.prefix };
  return to === null ? null : formatGcsAddress(to);
}
