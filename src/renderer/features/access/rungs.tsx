import type { AccessReport, Rung, RungName, RungState } from '../../../shared/access-check.ts';
import './access.css';

const MARKS: Readonly<Record<RungState, string>> = {
  pass: '✓',
  fail: '✕',
  'could-not-tell': '?',
  'not-checked': '–',
};
const STATES: Readonly<Record<RungState, string>> = {
  pass: 'pass',
  fail: 'fail',
  'could-not-tell': 'could not tell',
  'not-checked': 'not checked',
};
const NAMES: Readonly<Record<RungName, string>> = {
  address: 'Address',
  token: 'Key',
  permissions: 'What Google says',
  list: 'Listing',
  read: 'Reading',
  create: 'Creating',
};

/**
 * The steps of a check of access, each by shape and word. `brief`: what passed is its word alone, and what could not be told stays away where the
 * deed itself was tried and passed.
 */
export function Rungs({
  report,
  brief = false,
}: {
  readonly report: AccessReport;
  readonly brief?: boolean;
}) {
  return (
    <div className="rungs" role="list" aria-label={`Steps for the ${report.for}`}>
      {report.rungs
        .filter(({ name, state }) => !(brief && (name === 'address' || isSettled(state, report))))
        .map((rung) => (
          <RungLine key={rung.name} rung={rung} brief={brief} />
        ))}
    </div>
  );
}

const isSettled = (state: RungState, { verdict }: AccessReport): boolean =>
  state === 'could-not-tell' && verdict === 'pass';

function RungLine({ rung, brief }: { readonly rung: Rung; readonly brief: boolean }) {
  const { name, state, message, hint } = rung;
  return (
    <div className="rung" role="listitem" data-state={state} title={brief ? message : undefined}>
      <span className="rung-mark" aria-hidden>
        {MARKS[state]}
      </span>
      <span>
        {NAMES[name]}: {STATES[state]}
        {!(brief && state === 'pass') && !(brief && state === 'not-checked') && <>. {message}</>}
        {hint !== '' && !(brief && state === 'pass') && <span className="rung-hint">{hint}</span>}
      </span>
    </div>
  );
}
