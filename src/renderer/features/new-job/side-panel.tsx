import { Button, Kbd } from '@mantine/core';
import type { Problem } from '../../../shared/problem.ts';
import { useNavigation } from '../../app/navigation.ts';
import { ProblemAlert } from '../../common/problem-alert.tsx';
import { ConfirmRefused } from '../access/power.tsx';
import { StartAllTheSame } from '../access/start-all-the-same.tsx';
import { Rungs } from '../access/rungs.tsx';
import type { Check, Finding } from './checks.ts';
import type { SummaryLine } from './summary.ts';

interface SidePanelProps {
  readonly summary: readonly SummaryLine[];
  readonly checks: readonly Check[];
  /** How many fields the form itself finds wrong, how many mistakes the file has. */
  readonly wrong: number;
  readonly view: 'form' | 'yaml';
  readonly onFirstWrong: () => void;
  readonly onCheckAgain: () => void;
  readonly failure: Problem | null;
  /** What the start was refused for is confirmed by now. */
  readonly onConfirmed: () => void;
  /** It starts although its access cannot be narrowed to it. */
  readonly onAccepted: () => void;
  readonly starting: boolean;
  readonly onStart: () => void;
}

const MODIFIER = navigator.userAgent.includes('Macintosh') ? '⌘' : 'Ctrl';

const MARKS: Readonly<Record<Finding['state'], string>> = { good: '✓', warning: '!', problem: '✕' };
const WORDS: Readonly<Record<Finding['state'], string>> = {
  good: 'good',
  warning: 'careful',
  problem: 'problem',
};

const URGENCY: Readonly<Record<Finding['state'], number>> = { problem: 0, warning: 1, good: 2 };

/** Problems first, where they are seen without scrolling. */
const byUrgency = (left: Check, right: Check): number =>
  URGENCY[left.finding?.state ?? 'good'] - URGENCY[right.finding?.state ?? 'good'];

/** What will happen and what was found out about it, beside the form. */
export function SidePanel(props: SidePanelProps) {
  const { summary, checks, wrong, failure } = props;
  const problems = checks.filter(({ finding }) => finding?.state === 'problem').length;
  return (
    <aside className="nj-side" aria-label="What will happen">
      <div className="nj-side-body" tabIndex={0} role="group" aria-label="Summary and checks">
        <h2>What will happen</h2>
        <dl className="nj-summary">
          {summary.map(({ topic, text, address }) => (
            <div key={topic}>
              <dt>{topic}</dt>
              <dd>
                {text}
                {address !== null && <code className="nj-address">{address}</code>}
              </dd>
            </div>
          ))}
        </dl>
        <div className="nj-checks-head">
          <h2>Checks</h2>
          <button type="button" className="nj-link" onClick={props.onCheckAgain}>
            Check again
          </button>
        </div>
        <ul className="nj-checks" aria-live="polite">
          {checks.toSorted(byUrgency).map((check) => (
            <CheckLine key={`${check.topic}${check.field}`} check={check} />
          ))}
        </ul>
      </div>
      <div className="nj-side-foot">
        {failure !== null && (
          <div className="nj-refusal">
            <ProblemAlert {...failure} />
            <ConfirmRefused problem={failure} onConfirmed={props.onConfirmed} />
            <StartAllTheSame
              problem={failure}
              pending={props.starting}
              onStart={props.onAccepted}
            />
          </div>
        )}
        {wrong > 0 ? (
          <button type="button" className="nj-wrong" onClick={props.onFirstWrong}>
            {props.view === 'yaml'
              ? `${wrong === 1 ? '1 mistake' : `${wrong} mistakes`} in the file: show`
              : `${wrong === 1 ? '1 field is' : `${wrong} fields are`} not filled yet or wrong: show`}
          </button>
        ) : (
          problems > 0 && (
            <p className="nj-about">
              {problems === 1 ? 'A check found a problem' : `${problems} checks found problems`}:
              the start will say so again.
            </p>
          )
        )}
        <div className="nj-line">
          <Button size="sm" loading={props.starting} onClick={props.onStart}>
            Start job
          </Button>
          <span className="nj-about">
            <Kbd size="sm">{MODIFIER}</Kbd> <Kbd size="sm">Enter</Kbd>
          </span>
        </div>
      </div>
    </aside>
  );
}

function CheckLine({ check: { topic, finding, access, more = [] } }: { readonly check: Check }) {
  const go = useNavigation((navigation) => navigation.go);
  const state = finding?.state ?? 'asking';
  return (
    <li data-state={state}>
      <span className="nj-mark" aria-hidden>
        {finding === null ? '…' : MARKS[finding.state]}
      </span>
      <span>
        <strong>{topic}</strong>{' '}
        <span className="nj-word">{finding === null ? 'checking' : WORDS[finding.state]}</span>
        {finding !== null && (
          <span className="nj-found">
            {finding.message}
            {finding.hint !== '' && access?.verdict !== 'fail' && (
              <span className="nj-hint"> {finding.hint}</span>
            )}
          </span>
        )}
        {access !== undefined && (
          <>
            <Rungs report={access} brief />
            {access.power.state !== 'found' &&
              more.map((line) => (
                <span key={line} className="nj-hint">
                  {' '}
                  {line}
                </span>
              ))}
            {access.verdict === 'fail' && (
              <button
                type="button"
                className="nj-link"
                onClick={() =>
                  go({
                    screen: 'access',
                    [access.for]: access.address,
                    ...(access.account === null ? {} : { key: access.account }),
                  })
                }
              >
                Ask for access…
              </button>
            )}
          </>
        )}
      </span>
    </li>
  );
}
