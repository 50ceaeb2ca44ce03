import { Button, Text, TextInput } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import type { PowerFinding } from '../../../shared/access-check.ts';
import type { KeyCard } from '../../../shared/key.ts';
import type { KeyPower } from '../../../shared/key-power.ts';
import type { Problem } from '../../../shared/problem.ts';
import { ask, problemOf } from '../../client.ts';
import { keyToBeginWith } from '../../common/key-label.ts';
import { ProblemAlert } from '../../common/problem-alert.tsx';
import { useKeys } from '../keys/use-keys.ts';
import './access.css';

const POWERS = ['access', 'powers'] as const;

/** The kept keys that were found to be administrators', by id. */
export function usePowers(): ReadonlyMap<string, KeyPower> {
  const powers = useQuery({
    queryKey: POWERS,
    queryFn: () => ask('access-powers', {}),
    staleTime: 0,
  });
  return new Map(powers.data?.map(({ id, power }) => [id, power]) ?? []);
}

/** The key that a screen begins with; undefined: there is none, or it is not known yet which ones are administrators'. */
export function useFirstKey(keys: readonly KeyCard[]): KeyCard | undefined {
  const powers = useQuery({ queryKey: POWERS, queryFn: () => ask('access-powers', {}) });
  return powers.isPending
    ? undefined
    : keyToBeginWith(keys, (key) => powers.data?.some(({ id }) => id === key.id) ?? false);
}

export function useForgetPowers(): () => void {
  const client = useQueryClient();
  return () => void client.invalidateQueries({ queryKey: ['access'] });
}

export function Findings({ findings }: { readonly findings: readonly PowerFinding[] }) {
  return (
    <ul className="power-list">
      {findings.map(({ permission, on, what }) => (
        <li key={`${permission} ${on}`}>
          <code>{permission}</code> on {on}: whoever has the key can {what}.
        </li>
      ))}
    </ul>
  );
}

interface ConfirmProps {
  readonly email: string;
  readonly label: string;
  readonly action: string;
  readonly pending: boolean;
  readonly onConfirm: (typed: string) => void;
}

/** A button that works once the account's address was typed. */
export function TypedConfirm({ email, label, action, pending, onConfirm }: ConfirmProps) {
  const [typed, setTyped] = useState('');
  const matches = typed.trim().toLowerCase() === email.toLowerCase();
  return (
    <form
      className="power-confirm"
      onSubmit={(event) => {
        event.preventDefault();
        if (matches) onConfirm(typed);
      }}
    >
      <TextInput
        size="xs"
        label={label}
        description={email}
        value={typed}
        maxLength={512}
        autoComplete="off"
        spellCheck={false}
        onChange={(event) => setTyped(event.currentTarget.value)}
      />
      <Button
        size="xs"
        type="submit"
        color="red"
        variant="outline"
        disabled={!matches}
        loading={pending}
      >
        {action}
      </Button>
    </form>
  );
}

/** What a kept key can do that makes it an administrator's; asks for the typed address until it was given. */
export function KeptPower({
  id,
  email,
  power,
}: {
  readonly id: string;
  readonly email: string;
  readonly power: KeyPower;
}) {
  const forget = useForgetPowers();
  const accept = useMutation({
    mutationFn: (typed: string) => ask('access-accept', { id, typed }),
    onSettled: forget,
  });
  return (
    <section className="power" aria-label="An administrator’s key">
      <ProblemAlert
        color={power.acceptedAt === null ? 'red' : 'yellow'}
        message="This is an administrator’s key: it can do far more than a job needs."
        hint="Better: make a service account of its own for training, and grant it only what the job needs."
      />
      <Findings findings={power.findings} />
      {accept.error !== null && <ProblemAlert {...problemOf(accept.error)} />}
      {power.acceptedAt === null && (
        <TypedConfirm
          email={email}
          label="To keep it all the same, type the address of its account"
          action="I know"
          pending={accept.isPending}
          onConfirm={(typed) => accept.mutate(typed)}
        />
      )}
    </section>
  );
}

/** Where a start was refused because nobody confirmed what its key can do: confirms it in place. Not inside a form. */
export function ConfirmRefused({
  problem,
  onConfirmed,
}: {
  readonly problem: Problem;
  readonly onConfirmed: () => void;
}) {
  const isRefused = problem.code === 'access.key-not-confirmed';
  const card = useKeys().data?.find(({ name }) => isRefused && name === problem.subject);
  const forget = useForgetPowers();
  const accept = useMutation({
    mutationFn: (given: { readonly id: string; readonly typed: string }) =>
      ask('access-accept', given),
    onSuccess: onConfirmed,
    onSettled: forget,
  });
  if (card === undefined) return null;
  return (
    <>
      {accept.error !== null && <ProblemAlert {...problemOf(accept.error)} />}
      <TypedConfirm
        email={card.email}
        label="To use it all the same, type the address of its account"
        action="I know"
        pending={accept.isPending}
        onConfirm={(typed) => accept.mutate({ id: card.id, typed })}
      />
    </>
  );
}

/** The standing mark of a job that uses such a key. */
export function JobPower({ job }: { readonly job: string }) {
  const marks = useQuery({
    queryKey: ['access', 'job', job],
    queryFn: () => ask('access-job', { job }),
    staleTime: 0,
  });
  return (
    <>
      {marks.data?.map(({ name, email, power }) => (
        <div className="power-mark" key={email}>
          <ProblemAlert
            color="yellow"
            message={`${name} is an administrator’s key${power.acceptedAt === null ? ', and nobody has confirmed it' : ''}.`}
            hint={`${email} can do more than this job needs: ${[...new Set(power.findings.map(({ permission }) => permission))].join(', ')}.`}
          />
        </div>
      ))}
    </>
  );
}

/** Of a key that came in: being asked, nothing found, or not to be had. Null where there is something to confirm. */
export function powerWords(
  state: 'asking' | 'found' | 'nothing-found' | 'could-not-tell' | 'not-checked',
): string {
  switch (state) {
    case 'asking':
      return 'Whether it can administer: being asked';
    case 'found':
      return 'It can administer: see below';
    case 'nothing-found':
      return 'No administration rights were found on its project';
    case 'could-not-tell':
      return 'Whether it can administer: its project does not say';
    case 'not-checked':
      return 'Whether it can administer: not checked: offline';
  }
}

export function CandidatePower({ findings }: { readonly findings: readonly PowerFinding[] }) {
  return (
    <section className="power" aria-label="An administrator’s key">
      <ProblemAlert
        message="This is an administrator’s key: it can do far more than a job needs."
        hint="Better: make a service account of its own for training, and grant it only what the job needs."
      />
      <Findings findings={findings} />
      <Text size="sm" className="dimmed">
        To take it in all the same, type the address of its account below.
      </Text>
    </section>
  );
}
