import { Button, Group, Modal, Text, TextInput } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import type { KeyCandidate } from '../../../shared/ipc/keys.ts';
import type { KeyCard } from '../../../shared/key.ts';
import { ask, problemOf } from '../../client.ts';
import { ProblemAlert } from '../../common/problem-alert.tsx';
import { CandidatePower, powerWords, TypedConfirm } from '../access/power.tsx';
import { useArrivals, type Arrival, type Replacing } from './arrivals.ts';
import { Dismiss } from './dismiss.tsx';
import { KeptCard } from './kept-card.tsx';
import { checksOf, freeName, groupDigits } from './key-words.ts';
import { useKeyChange, useKeys } from './use-keys.ts';

/** One file that came in: being read, refused, found to be a key, or kept. */
export function ArrivalCard({ arrival }: { readonly arrival: Arrival }) {
  const { id, name, state } = arrival;
  const dismiss = useArrivals((arrivals) => arrivals.dismiss);
  const close = () => dismiss(id);
  switch (state.kind) {
    case 'reading':
      return (
        <section className="arrival" aria-label={name} aria-busy="true">
          <Text size="md" className="wrap">
            Reading {name}…
          </Text>
        </section>
      );
    case 'refused':
      return (
        <section className="arrival arrival-refused" aria-label={`Refused: ${name}`} role="alert">
          <div className="arrival-head">
            <span className="mark" data-mark="bad" aria-hidden="true" />
            <h2 className="wrap">{name} was not taken</h2>
            <Dismiss onClick={close} />
          </div>
          <Text size="md" className="wrap">
            {state.problem.message}
          </Text>
          {state.problem.hint !== '' && (
            <Text size="md" className="wrap dimmed">
              {state.problem.hint}
            </Text>
          )}
        </section>
      );
    case 'found':
      return <FoundCard id={id} {...state} onDismiss={close} />;
    case 'kept':
      return <KeptCard {...state} onDismiss={close} />;
  }
}

interface FoundCardProps {
  readonly id: number;
  readonly candidate: KeyCandidate;
  readonly replacing: Replacing | null;
  readonly onDismiss: () => void;
}

function FoundCard({ id, candidate, replacing, onDismiss }: FoundCardProps) {
  const { handle, known, email } = candidate;
  const [typed, setTyped] = useState<string | null>(null);
  // Another file that came in with this one may have taken the suggested name meanwhile.
  const taken = useKeys().data?.map((card) => card.name) ?? [];
  const name = typed ?? freeName(candidate.suggestedName, taken);
  const setState = useArrivals((arrivals) => arrivals.set);
  const choose = useArrivals((arrivals) => arrivals.choose);
  const kept = (card: KeyCard) => {
    setState(id, candidate.name, { kind: 'kept', candidate, card });
    choose(card.id);
  };
  const power = useQuery({
    queryKey: ['access', 'candidate', handle],
    enabled: known === null,
    queryFn: () => ask('access-candidate', { handle }),
    staleTime: Infinity,
    retry: false,
  });
  const findings = power.data?.state === 'found' ? power.data.findings : null;
  const take = useKeyChange((acceptAdmin: string | undefined) =>
    ask('keys-take', {
      handle,
      name: name.trim(),
      ...(acceptAdmin === undefined ? {} : { acceptAdmin }),
    }).then(kept),
  );
  const replace = useKeyChange((keyId: string) =>
    ask('keys-replace', { handle, id: keyId }).then(kept),
  );
  const failure = take.error ?? replace.error;
  const isBusy = take.isPending || replace.isPending;
  const isOtherAccount = replacing !== null && replacing.email !== email;
  const target = replacing !== null && !isOtherAccount && known === null ? replacing : null;

  return (
    <section className="arrival" aria-label={`Key found in ${candidate.name}`}>
      <div className="arrival-head">
        <span className="mark" data-mark="good" aria-hidden="true" />
        <h2 className="wrap">{email}</h2>
        <Dismiss onClick={onDismiss}>Discard</Dismiss>
      </div>
      <CandidateFacts
        candidate={candidate}
        power={known === null ? (power.data?.state ?? 'asking') : null}
      />
      {findings !== null && known === null && <CandidatePower findings={findings} />}
      {candidate.readableByOthers && (
        <ProblemAlert
          color="yellow"
          message="Other users of this machine can read the file."
          hint="Take the key in, then move the file to the trash. Where others may have read it, make a new key for the account."
        />
      )}
      {isOtherAccount && (
        <ProblemAlert
          color="yellow"
          message={`This is a key of another account than “${replacing.name}” (${replacing.email}).`}
          hint="Only a key of the same account can take its place. It can be kept as a key of its own."
        />
      )}
      {failure !== null && <ProblemAlert {...problemOf(failure)} />}
      {known !== null ? (
        <Text size="md" className="wrap">
          This very key is here already, as <strong>{known.name}</strong>. There is nothing to do.
        </Text>
      ) : target !== null ? (
        <Button
          size="xs"
          className="arrival-take"
          leftSection={<CheckMark />}
          loading={isBusy}
          onClick={() => replace.mutate(target.id)}
        >
          Put it in the place of “{target.name}”
        </Button>
      ) : (
        <form
          className="arrival-form"
          onSubmit={(event) => {
            event.preventDefault();
            if (findings === null) take.mutate(undefined);
          }}
        >
          <TextInput
            label="Name"
            size="xs"
            value={name}
            maxLength={63}
            onChange={(event) => setTyped(event.currentTarget.value)}
          />
          {findings === null && (
            <Button
              type="submit"
              size="xs"
              leftSection={<CheckMark />}
              loading={isBusy}
              disabled={name.trim() === ''}
            >
              Take in
            </Button>
          )}
          {candidate.sameAccount.slice(0, 3).map((card) => (
            <ReplaceButton
              key={card.id}
              name={card.name}
              busy={isBusy}
              onReplace={() => replace.mutate(card.id)}
            />
          ))}
        </form>
      )}
      {findings !== null && known === null && target === null && (
        <TypedConfirm
          email={email}
          label="Address of its account"
          action="Take in all the same"
          pending={isBusy}
          onConfirm={(typed) => take.mutate(typed)}
        />
      )}
    </section>
  );
}

function CandidateFacts({
  candidate,
  power,
}: {
  readonly candidate: KeyCandidate;
  readonly power: Parameters<typeof powerWords>[0] | null;
}) {
  return (
    <div className="arrival-facts">
      <dl className="facts">
        <dt>Project</dt>
        <dd>{candidate.projectId}</dd>
        <dt>Key id</dt>
        <dd className="code">{candidate.privateKeyId}</dd>
        <dt>Fingerprint</dt>
        <dd className="code">{groupDigits(candidate.fingerprint)}</dd>
        <dt>From</dt>
        <dd>
          {candidate.folder === null ? 'the clipboard' : `${candidate.name} in ${candidate.folder}`}
        </dd>
      </dl>
      <ul className="checks" aria-label="What was checked">
        {checksOf(candidate).map((check) => (
          <li key={check} data-done="yes">
            {check}
          </li>
        ))}
        <li data-done="no">Whether Google accepts it: not asked yet</li>
        {power !== null && (
          <li data-done={power === 'nothing-found' ? 'yes' : 'no'}>{powerWords(power)}</li>
        )}
      </ul>
    </div>
  );
}

interface ReplaceButtonProps {
  readonly name: string;
  readonly busy: boolean;
  readonly onReplace: () => void;
}

function ReplaceButton({ name, busy, onReplace }: ReplaceButtonProps) {
  const [asks, setAsks] = useState(false);
  return (
    <>
      <Button size="xs" variant="default" disabled={busy} onClick={() => setAsks(true)}>
        Replace “{name}”…
      </Button>
      <Modal
        opened={asks}
        onClose={() => setAsks(false)}
        title={`Replace “${name}”?`}
        closeButtonProps={{ 'aria-label': 'Close' }}
        centered
      >
        <Text size="md" mb="md">
          Jobs that use “{name}” go on with the new key. The earlier key leaves Trainyard; it stays
          valid at Google until you delete it there. A job that was handed the key itself
          (unattended, or as a file) goes on with the earlier one: let it end first.
        </Text>
        <Group justify="flex-end" gap="xs">
          <Button size="xs" variant="default" onClick={() => setAsks(false)}>
            Keep both
          </Button>
          <Button
            size="xs"
            onClick={() => {
              setAsks(false);
              onReplace();
            }}
          >
            Replace
          </Button>
        </Group>
      </Modal>
    </>
  );
}

export function CheckMark() {
  return (
    <svg viewBox="0 0 12 12" width="12" height="12" aria-hidden="true">
      <path d="M1.5 6.5 4.5 9.5 10.5 2.5" fill="none" stroke="currentColor" strokeWidth="2" />
    </svg>
  );
}
