import { Button, Group, Text, TextInput } from '@mantine/core';
import { useMutation } from '@tanstack/react-query';
import { useState } from 'react';
import type { KeyCheckAnswer, KeyJob } from '../../../shared/ipc/keys.ts';
import type { KeyCard } from '../../../shared/key.ts';
import { useNavigation } from '../../app/navigation.ts';
import { ask, problemOf } from '../../client.ts';
import { formatTime } from '../../common/format.ts';
import { ProblemAlert } from '../../common/problem-alert.tsx';
import { KeptPower, usePowers } from '../access/power.tsx';
import { receivePicked } from './arrivals.ts';
import { formatAge, groupDigits, VAULT_NAMES } from './key-words.ts';
import { KeyUses } from './key-uses.tsx';
import { OldKey } from './old-keys.tsx';
import { RemoveKey } from './remove-key.tsx';
import { useCheck, useKeyChange, useKeyJobs } from './use-keys.ts';

interface KeyDetailProps {
  readonly card: KeyCard;
  readonly now: number;
}

/** One key: what is known of it, who uses it, and what can be done with it. Mounted anew for each key. */
export function KeyDetail({ card, now }: KeyDetailProps) {
  const check = useCheck(card.id);
  const jobs = useKeyJobs(card.id);
  const pick = useMutation({ mutationFn: () => receivePicked(card) });
  const power = usePowers().get(card.id);
  const go = useNavigation((navigation) => navigation.go);
  return (
    <article className="key-detail" aria-label={`Key ${card.name}`}>
      <KeyName card={card} used={jobs.data?.length ?? 0} />
      <Group gap="xs">
        <Button size="compact-sm" loading={check.isPending} onClick={() => check.mutate()}>
          Check
        </Button>
        <Button
          size="compact-sm"
          variant="default"
          loading={pick.isPending}
          onClick={() => pick.mutate()}
        >
          Replace…
        </Button>
        <Button
          size="compact-sm"
          variant="default"
          onClick={() => go({ screen: 'access', key: card.name })}
        >
          Ask for access…
        </Button>
        <RemoveKey card={card} jobs={jobs.data ?? []} />
      </Group>
      {power !== undefined && <KeptPower id={card.id} email={card.email} power={power} />}
      {check.data !== undefined && <CheckAnswer answer={check.data} now={now} />}
      {check.error !== null && <ProblemAlert {...problemOf(check.error)} />}
      {pick.error !== null && <ProblemAlert {...problemOf(pick.error)} />}
      <dl className="facts">
        <dt>Account</dt>
        <dd>{card.email}</dd>
        <dt>Project</dt>
        <dd>{card.projectId}</dd>
        <dt>Key id</dt>
        <dd className="code">{card.privateKeyId}</dd>
        <dt>Fingerprint</dt>
        <dd className="code">{groupDigits(card.fingerprint)}</dd>
        <dt>Added</dt>
        <dd>
          {formatTime(card.addedAt, now)}, {age(card, now)}
        </dd>
        <dt>Last used</dt>
        <dd>{card.lastUsedAt === null ? 'never' : formatTime(card.lastUsedAt, now)}</dd>
        <dt>Kept in</dt>
        <dd>the {VAULT_NAMES[card.vault]}</dd>
      </dl>
      <OldKey card={card} now={now} />
      <section aria-label="Jobs that use it">
        <h2>Jobs that use it</h2>
        {jobs.isPending ? (
          <Text size="md" className="dimmed">
            Looking…
          </Text>
        ) : jobs.isError ? (
          <ProblemAlert {...problemOf(jobs.error)} />
        ) : (
          <KeyJobs jobs={jobs.data} now={now} />
        )}
      </section>
      <KeyUses card={card} now={now} />
    </article>
  );
}

function age(card: KeyCard, now: number): string {
  const text = formatAge(now - Date.parse(card.addedAt));
  return text === 'today' ? text : `${text} ago`;
}

function CheckAnswer({ answer, now }: { readonly answer: KeyCheckAnswer; readonly now: number }) {
  if (answer.result !== 'works')
    return (
      <ProblemAlert
        color="gray"
        message={answer.result === 'offline' ? 'Not checked: offline' : 'Could not tell'}
        hint={`${answer.problem.message} The key itself is as good as it was.`}
      />
    );
  return (
    <div className="check-answer" role="status">
      <span className="mark" data-mark="good" aria-hidden="true" />
      <span>
        Works: Google gave an access token, good until{' '}
        {formatTime(new Date(answer.expiresAt).toISOString(), now)}.
      </span>
    </div>
  );
}

/** How many finished jobs are listed at once. */
const FINISHED_SHOWN = 5;

/** Those that still need it first; the finished ones counted, and listed by a press. */
function KeyJobs({ jobs, now }: { readonly jobs: readonly KeyJob[]; readonly now: number }) {
  const [showsAll, setShowsAll] = useState(false);
  if (jobs.length === 0)
    return (
      <Text size="md" className="dimmed">
        None.
      </Text>
    );
  const open = jobs.filter(({ state }) => state !== 'finished');
  const finished = jobs.filter(({ state }) => state === 'finished');
  const shown = showsAll ? finished : finished.slice(0, FINISHED_SHOWN);
  return (
    <>
      {open.length > 0 && <JobList name="Not finished" jobs={open} now={now} />}
      {finished.length > 0 && (
        <>
          <JobList
            name={finished.length === 1 ? '1 finished' : `${finished.length} finished`}
            jobs={shown}
            now={now}
          />
          {shown.length < finished.length && (
            <Button size="compact-xs" variant="subtle" onClick={() => setShowsAll(true)}>
              Show all {finished.length}
            </Button>
          )}
        </>
      )}
    </>
  );
}

interface JobListProps {
  readonly name: string;
  readonly jobs: readonly KeyJob[];
  readonly now: number;
}

function JobList({ name, jobs, now }: JobListProps) {
  const go = useNavigation((navigation) => navigation.go);
  return (
    <>
      <Text size="sm" className="dimmed" mt={4}>
        {name}
      </Text>
      <ul className="key-jobs" aria-label={name}>
        {jobs.map((job) => (
          <li key={job.id}>
            <button
              type="button"
              className="key-job"
              title={job.name}
              onClick={() => go({ screen: 'jobs', job: job.id })}
            >
              <span>{job.name}</span>
              <span className="dimmed">
                {job.state} · {formatTime(job.createdAt, now)}
              </span>
            </button>
          </li>
        ))}
      </ul>
    </>
  );
}

/** The name; a press on Rename makes it a field. Enter keeps, Escape leaves it. */
function KeyName({ card, used }: { readonly card: KeyCard; readonly used: number }) {
  const [name, setName] = useState<string | null>(null);
  const rename = useKeyChange((to: string) => ask('keys-rename', { id: card.id, name: to }));
  if (name === null)
    return (
      <div className="key-name">
        <h1 className="wrap">{card.name}</h1>
        <Button size="compact-sm" variant="subtle" onClick={() => setName(card.name)}>
          Rename
        </Button>
      </div>
    );
  const leave = () => {
    setName(null);
    rename.reset();
  };
  return (
    <form
      className="key-name"
      onSubmit={(event) => {
        event.preventDefault();
        rename.mutate(name.trim(), { onSuccess: () => setName(null) });
      }}
      onKeyDown={(event) => {
        if (event.key === 'Escape') leave();
      }}
    >
      <TextInput
        size="xs"
        aria-label="Name of the key"
        data-autofocus
        autoFocus
        value={name}
        maxLength={63}
        onFocus={(event) => event.currentTarget.select()}
        onChange={(event) => setName(event.currentTarget.value)}
        error={rename.error === null ? null : problemText(rename.error)}
        description={
          used === 0
            ? null
            : 'Jobs that were started go on with it. Job files and templates that name it must be changed.'
        }
      />
      <Button size="xs" type="submit" loading={rename.isPending} disabled={name.trim() === ''}>
        Rename
      </Button>
      <Button size="xs" variant="default" onClick={leave}>
        Cancel
      </Button>
    </form>
  );
}

function problemText(error: unknown): string {
  const { message, hint } = problemOf(error);
  return `${message} ${hint}`.trim();
}
