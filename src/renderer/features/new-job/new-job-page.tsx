import { Alert, Button, SegmentedControl } from '@mantine/core';
import { useMutation } from '@tanstack/react-query';
import { useState, type KeyboardEvent } from 'react';
import { FormProvider, get, useForm, useFormState, useWatch } from 'react-hook-form';
import type { JobSpec } from '../../../shared/job-spec.ts';
import { useNavigation } from '../../app/navigation.ts';
import { ask, problemOf } from '../../client.ts';
import type { Finding } from './checks.ts';
import { editJobFile, type WrittenFile } from './edit-job-file.ts';
import { Remarks } from './fields.tsx';
import { EMPTY_FORM, formOf, specOf, type JobForm } from './form-model.ts';
import { checkForm, type FieldName } from './form-problems.ts';
import { JobFormSections } from './job-form-sections.tsx';
import { useAskAgain } from './questions.ts';
import { SidePanel } from './side-panel.tsx';
import { knownRefusal, StartAnyway } from './start-anyway.tsx';
import { tellJob } from './summary.ts';
import { TemplatesDialog } from './templates-dialog.tsx';
import { useChecks } from './use-checks.ts';
import { useJobFile } from './use-job-file.ts';
import { useKeepDraft, type Draft } from './use-draft.ts';
import { usePlace } from './use-place.ts';
import { useSteady } from './use-steady.ts';
import { YamlView } from './yaml-view.tsx';

/** What was put in place of what the form held. */
interface Notice {
  readonly text: string;
  readonly before: { readonly form: JobForm; readonly written: WrittenFile | null };
}

/** Once React has drawn what is wrong. */
const focusFirstWrong = () =>
  setTimeout(() => {
    const wrong = document.querySelector<HTMLElement>('.nj-main [aria-invalid="true"]');
    wrong?.focus();
    wrong?.scrollIntoView({ block: 'center' });
  });

export function NewJobPage({ initial }: { readonly initial: Draft }) {
  const go = useNavigation((navigation) => navigation.go);
  const methods = useForm<JobForm>({ defaultValues: initial.form });
  const { control, reset, getValues } = methods;
  const form = useWatch({ control }) as JobForm;
  const { touchedFields } = useFormState({ control });
  const [attempted, setAttempted] = useState(false);
  const [notice, setNotice] = useState<Notice | null>(null);
  const [showsTemplates, setShowsTemplates] = useState(false);
  const [asks, setAsks] = useState(false);
  const [written, setWritten] = useState<WrittenFile | null>(initial.written);
  /** Fills the form with what a job file says. */
  const fill = (spec: JobSpec, text: string) => {
    const filled = formOf(spec);
    reset(filled);
    setWritten({ text, spec: specOf(filled) });
  };
  const file = useJobFile(initial, fill);
  const fileNow = () => editJobFile(written, specOf(getValues()));
  const draft = useKeepDraft({
    form,
    view: file.view,
    yaml: file.view === 'yaml' ? file.text : '',
    written,
  });

  const { spec, problems } = checkForm(form);
  const isWrong = (field: FieldName): boolean => problems?.has(field) ?? false;
  const checks = useChecks(form, isWrong);
  const checkAgain = useAskAgain();
  const remarks = new Map<FieldName, Finding>();
  for (const { field, finding } of checks.toReversed())
    if (finding !== null && finding.state !== 'good') remarks.set(field, finding);
    else remarks.delete(field);
  for (const [field, message] of problems ?? [])
    if (attempted || get(touchedFields, field) === true)
      remarks.set(field, { state: 'problem', message, hint: '' });
    else remarks.delete(field);
  const shown = useSteady([...remarks]);
  const remarkOf = (field: FieldName): Finding | null =>
    shown.find(([each]) => each === field)?.[1] ?? null;

  const replace = (text: string, put: () => void) => {
    setNotice({ text, before: { form: getValues(), written } });
    setAttempted(false);
    put();
    file.close();
  };
  const take = useMutation({
    mutationFn: ({ text }: { readonly text: string; readonly from: string }) =>
      ask('new-job-parse', { text }),
    onSuccess: (read, { text, from }) => {
      if (read.spec === null) file.open(text);
      else {
        const { spec: said } = read;
        replace(`The form was filled from ${from}.`, () => fill(said, text));
      }
    },
  });
  usePlace((text) => take.mutate({ text, from: 'the job' }), methods.setValue);

  const start = useMutation({
    mutationFn: ({
      acceptWhole = false,
      ...job
    }: {
      readonly spec: NonNullable<typeof spec>;
      readonly acceptWhole?: boolean;
    }) => ask('new-job-start', { ...job, acceptWhole }),
    onSuccess: ({ id }) => {
      draft.forget();
      go({ screen: 'jobs', job: id });
    },
  });
  const submit = (acceptWhole = false) => {
    if (start.isPending) return;
    setAttempted(true);
    if (spec === null || file.mistakes === null || file.mistakes.length > 0) focusFirstWrong();
    // What is accepted now was asked about before.
    else if (acceptWhole || knownRefusal(checks) === null) start.mutate({ spec, acceptWhole });
    else setAsks(true);
  };
  const press = (event: KeyboardEvent) => {
    if (event.key !== 'Enter' || !(event.ctrlKey || event.metaKey)) return;
    event.preventDefault();
    submit();
  };
  // A refusal speaks of the job as it was then.
  const isRefused = start.isError && JSON.stringify(start.variables.spec) === JSON.stringify(spec);
  const failure = isRefused ? start.error : take.error;

  return (
    <FormProvider {...methods}>
      <Remarks value={remarkOf}>
        <div className="nj" onKeyDown={press}>
          <header className="nj-head">
            <h1>New job</h1>
            <SegmentedControl
              size="xs"
              aria-label="View"
              data={[
                { value: 'form', label: 'Form' },
                { value: 'yaml', label: 'YAML' },
              ]}
              value={file.view}
              onChange={(view) => (view === 'yaml' ? file.open(fileNow()) : file.leave())}
            />
            <Button
              size="compact-sm"
              variant="default"
              className="nj-push"
              onClick={() => setShowsTemplates(true)}
            >
              Templates…
            </Button>
            <Button
              size="compact-sm"
              variant="default"
              onClick={() =>
                replace('The form was emptied.', () => {
                  reset(EMPTY_FORM);
                  setWritten(null);
                })
              }
            >
              Clear
            </Button>
          </header>
          <div className="nj-body">
            <div className="nj-main">
              {notice !== null && (
                <NoticeBar
                  text={notice.text}
                  onUndo={() => {
                    reset(notice.before.form);
                    setWritten(notice.before.written);
                    setNotice(null);
                  }}
                  onClose={() => setNotice(null)}
                />
              )}
              {file.isStuck && (
                <Alert color="yellow" p="xs" role="alert" className="nj-stuck">
                  The form cannot show this file while it has mistakes. Mend them, or{' '}
                  <button type="button" className="nj-link" onClick={file.close}>
                    go back to the form as it was
                  </button>
                  .
                </Alert>
              )}
              {file.view === 'form' ? (
                <form onSubmit={(event) => event.preventDefault()}>
                  <JobFormSections />
                </form>
              ) : (
                <YamlView text={file.text} onText={file.write} mistakes={file.mistakes} />
              )}
            </div>
            <SidePanel
              summary={tellJob(form)}
              checks={checks}
              view={file.view}
              wrong={file.view === 'form' ? (problems?.size ?? 0) : (file.mistakes?.length ?? 0)}
              onCheckAgain={checkAgain}
              onFirstWrong={() => {
                setAttempted(true);
                focusFirstWrong();
              }}
              failure={failure === null ? null : problemOf(failure)}
              onConfirmed={() => start.reset()}
              starting={start.isPending}
              onAccepted={() => submit(true)}
              onStart={() => submit()}
            />
          </div>
        </div>
        <StartAnyway
          refused={asks ? knownRefusal(checks) : null}
          onClose={() => setAsks(false)}
          onStart={() => {
            setAsks(false);
            if (spec !== null) start.mutate({ spec });
          }}
        />
        <TemplatesDialog
          opened={showsTemplates}
          onClose={() => setShowsTemplates(false)}
          current={{
            name: form.name,
            text: file.view === 'yaml' ? file.text : editJobFile(written, specOf(form)),
          }}
          onUse={(name, text) => take.mutate({ text, from: `the template ${name}` })}
        />
      </Remarks>
    </FormProvider>
  );
}

interface NoticeBarProps {
  readonly text: string;
  readonly onUndo: () => void;
  readonly onClose: () => void;
}

function NoticeBar({ text, onUndo, onClose }: NoticeBarProps) {
  return (
    <p className="nj-notice" role="status">
      <span>{text}</span>
      <button type="button" className="nj-link" onClick={onUndo}>
        Bring back what was there
      </button>
      <button type="button" className="nj-link" onClick={onClose}>
        Dismiss
      </button>
    </p>
  );
}
