import type { AccessReport } from '../../../shared/access-check.ts';
import { isDiskTold } from '../../../shared/disk-room.ts';
import type { CodeState } from '../../../shared/events.ts';
import type { HostCheck, Measure } from '../../../shared/ipc/new-job.ts';
import type { WorkerKeyMode } from '../../../shared/job-spec.ts';
import type { KeyFileMention } from '../../../shared/key-file-mention.ts';
import type { Problem } from '../../../shared/problem.ts';
import { formatBytes, formatCount, formatPart, plural } from '../../common/format.ts';
import type { FieldName } from './form-problems.ts';

/** What a check found, in words. Pure. */

export interface Finding {
  readonly state: 'good' | 'warning' | 'problem';
  readonly message: string;
  readonly hint: string;
}

/** A line of the panel, and the field that it speaks of. */
export interface Check {
  readonly topic: string;
  readonly field: FieldName;
  /** Null while it is being asked. */
  readonly finding: Finding | null;
  /** What the ladder found at the address of this line; left out where there is none. */
  readonly access?: AccessReport;
  /** What its key can do there that the job does not need, one sentence each. */
  readonly more?: readonly string[];
}

const good = (message: string): Finding => ({ state: 'good', message, hint: '' });
const warn = (message: string, hint: string): Finding => ({ state: 'warning', message, hint });

export function tellProblem({ message, hint }: Pick<Problem, 'message' | 'hint'>): Finding {
  return { state: 'problem', message, hint };
}

export function tellCodeState(code: CodeState): Finding {
  if (code.commit === null) return good('The folder is there. It is no git checkout.');
  const where = `${code.branch ?? 'a detached commit'} at ${code.commit.slice(0, 8)}`;
  const open = [
    ...(code.dirty === true ? ['changes that no commit has'] : []),
    ...(code.unpushed === true ? ['commits that were not pushed'] : []),
  ];
  if (open.length === 0)
    return good(`${where}, ${code.dirty === null ? 'a git checkout' : 'clean'}.`);
  return warn(
    `${where}, with ${open.join(' and ')}.`,
    'The job takes the folder as it is. Commit and push first if others should be able to find this code.',
  );
}

export function tellRepository(ref: string, hasRef: boolean | null): Finding {
  if (hasRef === true) return good('The repository answers.');
  if (hasRef === null)
    return good('The repository answers. Whether it has this commit shows when it is cloned.');
  return {
    state: 'problem',
    message: `The repository has no branch or tag "${ref}".`,
    hint: 'Check its name, or write the whole commit.',
  };
}

/** `2,001 objects, 8.20 GiB`. */
export function amountOf({ kind, objects, bytes, more, untold = 0, packed = 0 }: Measure): string {
  const least = more ? 'more than ' : '';
  // What is packed takes more once it is fetched, and nobody tells how much.
  const unpacked =
    packed === 0 ? '' : ` (${formatBytes(packed)} of it packed, more once it is there)`;
  const size =
    untold === objects && untold > 0
      ? 'size not told'
      : `${least}${formatBytes(bytes)}${untold === 0 ? '' : ` and ${plural(untold, 'object')} of unknown size`}${unpacked}`;
  if (kind === 'folder')
    return `${least}${formatCount(objects)} ${objects === 1 ? 'object' : 'objects'}, ${size}`;
  return kind === 'archive' ? `one archive, ${size}` : `one object, ${size}`;
}

/** What lies there, and whether it fits on the disk that holds the runs; `disk` null: not known. */
export function tellMeasure(measure: Measure, disk: HostCheck['disk'] | null): Finding {
  const amount = amountOf(measure);
  const found = `${amount.charAt(0).toUpperCase()}${amount.slice(1)}`;
  if (disk === null || !isDiskTold(disk)) return good(`${found}.`);
  const free = `${formatBytes(disk.free)} free on the disk`;
  if (measure.bytes > disk.free)
    return {
      state: 'problem',
      message: `${found}: that does not fit, ${free}.`,
      hint: 'Make room on the disk that holds the runs, or take a smaller part of the input.',
    };
  if (measure.kind === 'archive') return good(`${found}, and more once it is unpacked; ${free}.`);
  if (measure.more) return good(`${found}; counting was stopped there; ${free}.`);
  if ((measure.untold ?? 0) > 0 || (measure.packed ?? 0) > 0) return good(`${found}; ${free}.`);
  return good(`${found}: fits, ${free}.`);
}

/** What a check of access adds to what was found at an address: a refusal wins over what is good. Pure. */
export function withAccess(check: Check, report: AccessReport | null): Check {
  if (report === null) return check;
  const refused = report.rungs.find(({ state }) => state === 'fail');
  const { finding } = check;
  if (refused !== undefined && (finding === null || finding.state !== 'problem'))
    return { ...check, access: report, finding: tellProblem(refused) };
  if (report.power.state === 'found' && finding?.state === 'good')
    return {
      ...check,
      access: report,
      finding: warn(
        `${finding.message} This is an administrator’s key: it can do far more than this job needs.`,
        'Keys tells what. A key of its own for training, with the least grants, is safer.',
      ),
    };
  return { ...check, access: report };
}

export function tellOutputCheck(
  key: string,
  answer: {
    readonly email: string | null;
    readonly taken: Pick<Problem, 'message' | 'hint'> | null;
  },
  report: AccessReport | null = null,
): Finding {
  if (answer.taken !== null) return warn(answer.taken.message, answer.taken.hint);
  if (answer.email === null)
    return warn(
      'No credential is sent: that serves a bucket that everyone may write to.',
      'Choose a key.',
    );
  return good(
    report?.rungs.some(({ name, state }) => name === 'create' && state === 'pass') === true
      ? `The key ${key} gets access. It may create objects there: that was tried, and nothing was left behind.`
      : `The key ${key} gets access. Nothing is written there before the job ends.`,
  );
}

/** Whether the workers' key gets access, and how much a worker could do with it. */
export function tellWorkerKey(
  { email, admin }: { readonly email: string; readonly admin: boolean },
  mode: WorkerKeyMode,
): Finding {
  if (!admin) return good(`${email} gets access.`);
  const handed: Readonly<Record<WorkerKeyMode, string>> = {
    token: 'The workers get access to this job’s buckets alone.',
    'account-token': 'The workers can do all that this account may.',
    'key-file':
      'The workers get the whole key, and whoever copies it can do all that this account may.',
  };
  return warn(
    `${email} gets access. This is an administrator’s key. ${handed[mode]}`,
    'Give the workers a key of its own for training, with the least grants.',
  );
}

/** Null: there is nothing to suggest. */
export function tellKeyFile(
  key: string,
  mode: WorkerKeyMode,
  mention: KeyFileMention | null,
): Finding | null {
  if (mention === null || (key !== '' && mode === 'key-file')) return null;
  const said = `${mention.where} mentions ${mention.word}`;
  return key === ''
    ? warn(
        `${said}: it wants a key file, and the workers get none.`,
        'Add a key to the workers, as a file.',
      )
    : warn(`${said}: it wants a key file, and finds none this way.`, '');
}

export function tellHost(host: HostCheck): Finding {
  if (host.refusal !== null) return tellProblem(host.refusal);
  const disk = isDiskTold(host.disk)
    ? `${formatPart(host.disk.free, host.disk.total)} free on its disk`
    : 'its disk does not tell how much is free';
  if (host.gpus.length === 0) return good(`No GPU here, none is asked for; ${disk}.`);
  const free = host.gpus.filter(({ busy }) => !busy).length;
  const names = [...new Set(host.gpus.map(({ name }) => name))].join(', ');
  return good(
    `${host.gpus.length === 1 ? '1 GPU' : `${host.gpus.length} GPUs`} (${names}), ${free} idle now; ${disk}.`,
  );
}
