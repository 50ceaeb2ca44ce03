import path from 'node:path';
import { asPrefix } from '../../shared/address.ts';
import { RUN_FORMAT, type InputTarget, type TransferPlan } from '../../shared/plan.ts';
import { fail, ok, problem, type Result } from '../../shared/problem.ts';
import type { Host } from '../hosts/types.ts';
import { isoTime } from '../platform/clock.ts';
import { gatherAccess, type Access } from './access.ts';
import { accountOf, newJobId } from './make-plan.ts';
import type { SubmitParts } from './submit.ts';

/** A transfer asked for outside a job. Local paths are absolute, on the host. */
export type TransferRequest = {
  readonly host: string;
  /** A key's name, id or e-mail address; null sends no credential. */
  readonly key: string | null;
  readonly bucket: string;
} & (
  | {
      readonly direction: 'download';
      readonly target: InputTarget;
      /** Where the files go; made where it is not there. */
      readonly folder: string;
    }
  | {
      readonly direction: 'upload';
      readonly prefix: string;
      readonly folder: string;
      /** Entries of the folder; null for all. */
      readonly names: readonly string[] | null;
    }
);

export interface PreparedTransfer {
  readonly host: Host;
  readonly plan: TransferPlan;
  readonly access: Access;
}

const MAX_NAME = 63;

/** `download-data`, `upload-run-3`: what the run is called, from what is carried. Pure. */
export function transferName(request: TransferRequest): string {
  const what =
    request.direction === 'upload'
      ? request.names?.length === 1
        ? (request.names[0] ?? '')
        : path.basename(request.folder)
      : request.target.kind === 'folder'
        ? path.posix.basename(request.target.prefix) || request.bucket
        : path.posix.basename(request.target.object);
  const plain = what.replaceAll(/[^A-Za-z0-9._-]+/g, '-');
  return `${request.direction}-${plain}`.slice(0, MAX_NAME);
}

/**
 * Checks what can be known before the start and freezes the plan. Writes nothing.
 * Errors: `input.host-unknown`, `input.transfer-folder`, `input.key-...`, those of minting and of the vault.
 */
export async function prepareTransfer(
  parts: SubmitParts,
  request: TransferRequest,
  signal?: AbortSignal,
): Promise<Result<PreparedTransfer>> {
  const host = parts.hosts.get(request.host);
  if (!host.ok) return host;
  if (request.direction === 'upload') {
    const there = await host.value.isFolder(request.folder);
    if (!there.ok) return there;
    if (!there.value) return fail(noFolder(request.folder));
  }
  const card = request.key === null ? ok(null) : await parts.keys.find(request.key);
  if (!card.ok) return card;
  const plan: TransferPlan = {
    format: RUN_FORMAT,
    kind: 'transfer',
    id: newJobId(parts.clock.now()),
    name: transferName(request),
    host: request.host,
    createdAt: isoTime(parts.clock),
    application: parts.version,
    endpoints: { ...parts.endpoints },
    direction: request.direction,
    bucket: request.bucket,
    target: request.direction === 'download' ? request.target : null,
    prefix: request.direction === 'upload' ? asPrefix(request.prefix) : null,
    path: request.folder,
    names: request.direction === 'upload' && request.names !== null ? [...request.names] : null,
    account: card.value === null ? null : accountOf(card.value),
    unattended: false,
  };
  const access = await gatherAccess(parts.keys, plan, parts.clock, {
    ...(signal === undefined ? {} : { signal }),
  });
  return access.ok ? ok({ host: host.value, plan, access: access.value }) : access;
}

function noFolder(folder: string) {
  return problem({
    code: 'input.transfer-folder',
    op: 'upload',
    subject: folder,
    message: `There is no folder ${folder}.`,
    hint: 'Check that it was not moved or removed.',
  });
}
