import type { CodeState } from '../../../shared/events.ts';
import type { WorkerKeyMode } from '../../../shared/job-spec.ts';
import { pythonText } from '../../../shared/terminal-environment.ts';
import type { JobView, TransferPlaces } from '../../../shared/views.ts';
import { CopiedText } from '../../common/copied-text.tsx';
import { formatBytes, formatTime, plural } from '../../common/format.ts';

interface JobFactsProps {
  readonly job: JobView;
  readonly now: number;
}

const MODES: Readonly<Record<WorkerKeyMode, string>> = {
  token: 'access to the input and output of this job',
  'account-token': 'access to all that its account may do',
  'key-file': 'the whole key, as a file',
};

/** Addresses, folders and numbers of a job. Addresses and folders are copied by a click. */
export function JobFacts({ job, now }: JobFactsProps) {
  const { code, uploaded, attempt, environment } = job.status;
  return (
    <dl className="facts">
      {job.transfer === undefined ? (
        <Fact name="Output">{job.output === null ? 'none' : <CopiedText text={job.output} />}</Fact>
      ) : (
        <TransferFacts {...job.transfer} />
      )}
      {uploaded !== null && (
        <Fact name="Uploaded">
          {plural(uploaded.objects, 'object')}, {formatBytes(uploaded.bytes)}
        </Fact>
      )}
      {(job.workerKeys ?? []).map(({ name, mode }) => (
        <Fact key={name} name="Workers get">
          {name}: {MODES[mode]}
        </Fact>
      ))}
      <Fact name="Run directory">
        <CopiedText text={job.runDirectory} />
      </Fact>
      {code !== null && code.commit !== null && <Fact name="Code">{codeOf(code)}</Fact>}
      {environment !== undefined && environment.python !== null && (
        <Fact name="Python">{pythonText(environment).replace(/^python /, '')}</Fact>
      )}
      <Fact name="ID">
        <CopiedText text={job.id} />
      </Fact>
      <Fact name="Created">
        <span title={job.createdAt}>{formatTime(job.createdAt, now)}</span>
      </Fact>
      {attempt > 1 && <Fact name="Attempt">{attempt}</Fact>}
    </dl>
  );
}

function Fact({ name, children }: { readonly name: string; readonly children: React.ReactNode }) {
  return (
    <>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </>
  );
}

function TransferFacts({ direction, address, local }: TransferPlaces) {
  const [from, to] = direction === 'download' ? [address, local] : [local, address];
  return (
    <>
      <Fact name="From">
        <CopiedText text={from} />
      </Fact>
      <Fact name="To">
        <CopiedText text={to} />
      </Fact>
    </>
  );
}

function codeOf(code: CodeState): string {
  const marks = [
    code.branch === null ? '' : `on ${code.branch}`,
    code.dirty === true ? 'with uncommitted changes' : '',
    code.unpushed === true ? 'not pushed' : '',
  ].filter((mark) => mark !== '');
  return [code.commit?.slice(0, 10), ...marks].join(', ');
}
