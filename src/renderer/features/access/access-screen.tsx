import { Button, CopyButton, NativeSelect, SegmentedControl, Text, TextInput } from '@mantine/core';
import { useDebouncedValue } from '@mantine/hooks';
import { keepPreviousData, useMutation, useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import type { AccessReport, AccessUse } from '../../../shared/access-check.ts';
import { moreThanTheJobNeeds } from '../../../shared/more-than-needed.ts';
import {
  GRANT_FORMS,
  GRANT_VARIANTS,
  VARIANT_WORDS,
  type GrantForm,
  type GrantVariant,
} from '../../../shared/grant.ts';
import { useNavigation } from '../../app/navigation.ts';
import { ask, problemOf } from '../../client.ts';
import { keyLabel, keyToBeginWith } from '../../common/key-label.ts';
import { ProblemAlert } from '../../common/problem-alert.tsx';
import './access.css';
import { Findings } from './power.tsx';
import { Rungs } from './rungs.tsx';

const FORM_NAMES: Readonly<Record<GrantForm, string>> = {
  message: 'Message',
  gcloud: 'gcloud script',
  terraform: 'Terraform',
  console: 'Console steps',
};
const FORMS: readonly GrantForm[] = [...GRANT_FORMS].sort((a, b) =>
  a === 'message' ? -1 : b === 'message' ? 1 : 0,
);
const SETTLES = 250;

/** What to ask an administrator for, and whether it works once it was granted. Writing it needs no network. */
export function AccessScreen() {
  const place = useNavigation((navigation) => navigation.place);
  const from = place.screen === 'access' ? place : null;
  // Opened anew with other addresses it begins anew.
  return <AskForAccess key={JSON.stringify(from)} begin={from} />;
}

interface Begin {
  readonly key?: string;
  readonly input?: string;
  readonly output?: string;
}

function AskForAccess({ begin }: { readonly begin: Begin | null }) {
  const keys = useQuery({ queryKey: ['new-job-keys'], queryFn: () => ask('new-job-keys', {}) });
  const [chosen, setChosen] = useState(begin?.key ?? null);
  const [typedAccount, setTypedAccount] = useState('');
  const [input, setInput] = useState(begin?.input ?? '');
  const [output, setOutput] = useState(begin?.output ?? '');
  const [variant, setVariant] = useState<GrantVariant>('custom-role');
  const [project, setProject] = useState('');
  const [form, setForm] = useState<GrantForm>('message');
  const known = keys.data ?? [];
  const key =
    known.find(({ name, email }) => name === chosen || email === chosen) ??
    (chosen === null ? keyToBeginWith(known, ({ admin }) => admin) : undefined);
  const account = key?.email ?? typedAccount;
  const wish = {
    input: input.trim() === '' ? null : input.trim(),
    output: output.trim() === '' ? null : output.trim(),
    account: account.trim(),
    variant,
    project: project.trim() === '' ? null : project.trim(),
    form,
  };
  const isEmpty = wish.account === '' || (wish.input === null && wish.output === null);
  const [settled] = useDebouncedValue(JSON.stringify(wish), SETTLES);
  const grant = useQuery({
    queryKey: ['access-grant', settled],
    enabled: !isEmpty,
    queryFn: () => ask('access-grant', JSON.parse(settled) as typeof wish),
    placeholderData: keepPreviousData,
    retry: false,
  });
  // What was found is of this account and these addresses, and shown with them alone.
  const question = { key: key?.name ?? null, input: wish.input, output: wish.output, variant };
  const check = useMutation({
    mutationFn: async (asked: typeof question): Promise<readonly AccessReport[]> => {
      const sides: readonly (readonly [AccessUse, string | null])[] = [
        ['input', asked.input],
        ['output', asked.output],
      ];
      return Promise.all(
        sides.flatMap(([use, gcs]) =>
          gcs === null || asked.key === null
            ? []
            : [
                ask('new-job-check-access', {
                  question: crypto.randomUUID(),
                  gcs,
                  key: asked.key,
                  for: use,
                }),
              ],
        ),
      );
    },
  });
  const isCurrent = JSON.stringify(check.variables) === JSON.stringify(question);
  const text = grant.data?.text ?? '';
  return (
    <div className="access">
      <header className="detail-head">
        <h1>Ask for access</h1>
        <Text size="sm" className="dimmed">
          The least that an account needs for a job, written down for whoever may grant it
        </Text>
      </header>
      <div className="access-body">
        <form className="access-form" onSubmit={(event) => event.preventDefault()}>
          <NativeSelect
            size="xs"
            label="Account"
            data={[
              ...known.map((each) => ({ value: each.name, label: keyLabel(each) })),
              { value: '', label: 'Another account…' },
            ]}
            value={key?.name ?? ''}
            onChange={(event) => setChosen(event.currentTarget.value)}
          />
          {key === undefined && (
            <TextInput
              size="xs"
              label="E-mail address of the service account"
              value={typedAccount}
              maxLength={512}
              spellCheck={false}
              onChange={(event) => setTypedAccount(event.currentTarget.value)}
            />
          )}
          <TextInput
            size="xs"
            label="It reads"
            placeholder="gs://bucket/data/"
            value={input}
            maxLength={2_048}
            spellCheck={false}
            onChange={(event) => setInput(event.currentTarget.value)}
          />
          <TextInput
            size="xs"
            label="It creates below"
            placeholder="gs://bucket/results/"
            value={output}
            maxLength={2_048}
            spellCheck={false}
            onChange={(event) => setOutput(event.currentTarget.value)}
          />
          <NativeSelect
            size="xs"
            label="Listing is allowed by"
            data={GRANT_VARIANTS.map((value) => ({ value, label: VARIANT_WORDS[value].title }))}
            value={variant}
            onChange={(event) => setVariant(event.currentTarget.value as GrantVariant)}
          />
          <Text size="sm" className="dimmed">
            {VARIANT_WORDS[variant].when}
          </Text>
          <TextInput
            size="xs"
            label="Project that owns the buckets"
            description="May be left out"
            placeholder="my-project"
            value={project}
            maxLength={128}
            spellCheck={false}
            onChange={(event) => setProject(event.currentTarget.value)}
          />
        </form>
        <section className="access-result" aria-label="What to ask for">
          <div className="access-line">
            <SegmentedControl
              size="xs"
              aria-label="Form"
              data={FORMS.map((value) => ({ value, label: FORM_NAMES[value] }))}
              value={form}
              onChange={setForm}
            />
            <CopyButton value={text} timeout={1_500}>
              {({ copied, copy }) => (
                <Button
                  size="xs"
                  variant="default"
                  disabled={text === '' || isEmpty || grant.isError}
                  onClick={copy}
                >
                  {copied ? 'Copied' : 'Copy'}
                </Button>
              )}
            </CopyButton>
            <Button
              size="xs"
              disabled={isEmpty || key === undefined}
              loading={check.isPending && isCurrent}
              onClick={() => check.mutate(question)}
            >
              Check now
            </Button>
          </div>
          {isCurrent && check.error !== null && <ProblemAlert {...problemOf(check.error)} />}
          {isCurrent && check.data !== undefined && <Reports reports={check.data} />}
          {isEmpty ? (
            <Text size="md" className="dimmed">
              Name the account, and what it is to read or where it is to create.
            </Text>
          ) : grant.isError ? (
            <ProblemAlert {...problemOf(grant.error)} />
          ) : (
            <pre className="access-text" tabIndex={0} aria-label="The text to send or to run">
              {text}
            </pre>
          )}
        </section>
      </div>
    </div>
  );
}

const VERDICTS: Readonly<Record<AccessReport['verdict'], string>> = {
  pass: 'works',
  fail: 'does not work yet',
  'could-not-tell': 'nothing was refused; not everything could be tried',
  offline: 'not checked: offline',
};

function Reports({ reports }: { readonly reports: readonly AccessReport[] }) {
  const more = moreThanTheJobNeeds(reports);
  return (
    <div role="status" aria-label="What the check found">
      {reports.map((report) => (
        <div key={report.for}>
          <Text size="md" fw={600} className="wrap">
            {report.address}: {VERDICTS[report.verdict]}
          </Text>
          <Text size="sm" className="dimmed wrap">
            {report.account === null ? 'Asked without a key' : `Asked as ${report.account}`}
          </Text>
          <Rungs report={report} />
          {report.power.state === 'found' && <Findings findings={report.power.findings} />}
          {report.power.state !== 'found' &&
            more.get(report)?.map((line) => (
              <Text key={line} size="sm" className="dimmed">
                {line}
              </Text>
            ))}
        </div>
      ))}
    </div>
  );
}
