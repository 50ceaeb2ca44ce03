import { Button } from '@mantine/core';
import { useFormContext, useWatch } from 'react-hook-form';
import type { WorkerKeyMode } from '../../../shared/job-spec.ts';
import { STOP_SIGNALS } from '../../../shared/stop-signals.ts';
import { AddressRows, FolderRow, KeyField } from './bucket-fields.tsx';
import { ChoiceField, FlagField, Row, Section, TextField, useRemark } from './fields.tsx';
import type { JobForm } from './form-model.ts';
import { EnvironmentRows, RowText, WorkerRows } from './row-lists.tsx';

const CODE_TYPES = [
  { value: 'dir', label: 'Folder of this machine' },
  { value: 'git', label: 'Git repository' },
  { value: 'gcs', label: 'Google Cloud Storage' },
];
const INPUT_TYPES = [
  { value: 'none', label: 'None' },
  { value: 'gcs', label: 'Google Cloud Storage' },
  { value: 'dir', label: 'Local folder' },
];
const OUTPUT_TYPES = [
  { value: 'none', label: 'None' },
  { value: 'gcs', label: 'Google Cloud Storage' },
];
const LAYOUTS = [
  { value: 'per-run', label: 'A folder for each run' },
  { value: 'exact', label: 'Exactly at the address' },
];

const SIGNALS = STOP_SIGNALS.map((signal) => ({ value: signal, label: signal }));
const GPU_NAMES = [
  { value: 'uuid', label: 'UUID' },
  { value: 'index', label: 'Number' },
];

const KEY_MODES: readonly { readonly value: WorkerKeyMode; readonly label: string }[] = [
  { value: 'token', label: 'Access to this job’s input and output' },
  { value: 'account-token', label: 'Access to all that the account may do' },
  { value: 'key-file', label: 'The whole key, as a file' },
];
const ABOUT_MODES: Readonly<Record<WorkerKeyMode, string>> = {
  token:
    'Short-lived tokens: they read the input and create files below the output, and do nothing else. Google’s libraries and gcloud find them by themselves. The buckets need uniform access.',
  'account-token':
    'Short-lived tokens for everything that the account may do: other buckets, BigQuery and more.',
  'key-file':
    'A key file that GOOGLE_APPLICATION_CREDENTIALS names, removed at the end. Whoever copies the key can use it until it is revoked.',
};

/** Every field of a job, from top to bottom. */
export function JobFormSections() {
  return (
    <>
      <Section title="Job">
        <Row label="Name" field="name">
          <TextField field="name" placeholder="resnet-baseline" width={280} />
        </Row>
        <Row label="GPUs per worker" field="gpus">
          <div className="nj-line">
            <TextField field="gpus" width={64} />
            <span className="nj-about">whole cards; 0 hides them. It runs on this machine.</span>
          </div>
        </Row>
        <GpuRows />
      </Section>
      <CodeSection />
      <Section title="Workers" about="One command for each, run by bash in a copy of the code.">
        <WorkerRows />
        <Row label="Stopped by" field="stop.grace">
          <div className="nj-line">
            <ChoiceField field="stop.signal" label="Signal" choices={SIGNALS} />
            <span className="nj-about">and, after</span>
            <TextField field="stop.grace" label="Time to end" width={72} />
            <span className="nj-about">by force: what they left running, too.</span>
          </div>
        </Row>
      </Section>
      <Section
        title="Environment"
        about="Values are taken as they stand; one may name its own variable, as PATH does in /x:$PATH."
      >
        <EnvironmentRows />
      </Section>
      <Section title="Setup">
        <Row label="Command" field="setup">
          <RowText field="setup" label="Setup" placeholder="pip install -r requirements.txt" />
          <p className="nj-about">
            Runs once, when the input is there, before the workers. May be empty.
          </p>
        </Row>
      </Section>
      <InputSection />
      <OutputSection />
      <AccessSection />
    </>
  );
}

/** What only a job with GPUs says of them; what a job file says without any stays in sight. */
function GpuRows() {
  const { control } = useFormContext<JobForm>();
  const gpus = useWatch({ control, name: 'gpus' });
  const useBusyGpus = useWatch({ control, name: 'useBusyGpus' });
  const gpuIds = useWatch({ control, name: 'gpuIds' });
  if (!(Number(gpus) > 0) && !useBusyGpus && gpuIds !== 'index') return null;
  return (
    <>
      <FlagField
        field="useBusyGpus"
        label="Use busy GPUs"
        about="also cards that others compute on, once no other is free."
      />
      <Row label="GPUs are named by" field="gpuIds">
        <ChoiceField field="gpuIds" choices={GPU_NAMES} />
      </Row>
    </>
  );
}

function CodeSection() {
  const { control } = useFormContext<JobForm>();
  const code = useWatch({ control, name: 'code' });
  return (
    <Section title="Model code">
      <Row label="Code type" field="code.type">
        <ChoiceField field="code.type" choices={CODE_TYPES} />
      </Row>
      {code.type === 'dir' && <FolderRow side="code" />}
      {code.type === 'git' && (
        <>
          <Row label="Repository" field="code.git">
            <TextField field="code.git" placeholder="https://github.com/me/project.git" code />
          </Row>
          <Row label="Branch, tag or commit" field="code.ref">
            <TextField field="code.ref" placeholder="the default branch" code width={280} />
          </Row>
        </>
      )}
      {code.type === 'gcs' && (
        <AddressRows side="code" placeholder="gs://bucket/code.tar.gz" chosenKey={code.key} />
      )}
    </Section>
  );
}

function InputSection() {
  const { control } = useFormContext<JobForm>();
  const input = useWatch({ control, name: 'input' });
  return (
    <Section title="Input" about="Workers find it at $TRAINYARD_DATA_PATH.">
      <Row label="Input type" field="input.type">
        <ChoiceField field="input.type" choices={INPUT_TYPES} />
      </Row>
      {input.type === 'gcs' && (
        <>
          <AddressRows side="input" placeholder="gs://bucket/data/" chosenKey={input.key} />
          <FlagField
            field="input.keepCompressed"
            label="Keep packed objects packed"
            about="leave objects that are stored with Content-Encoding: gzip as they are stored, instead of unpacking them."
          />
        </>
      )}
      {input.type === 'dir' && <FolderRow side="input" />}
    </Section>
  );
}

function OutputSection() {
  const { control } = useFormContext<JobForm>();
  const output = useWatch({ control, name: 'output' });
  return (
    <Section title="Output" about="What workers write to $TRAINYARD_OUTPUT_PATH.">
      <Row label="Output type" field="output.type">
        <ChoiceField field="output.type" choices={OUTPUT_TYPES} />
      </Row>
      {output.type === 'gcs' && (
        <>
          <AddressRows side="output" placeholder="gs://bucket/results" chosenKey={output.key} />
          <Row label="Layout" field="output.layout">
            <ChoiceField field="output.layout" choices={LAYOUTS} />
          </Row>
          <FlagField
            field="output.archive"
            label="As archives"
            about="one worker-<n>.tar.gz for each worker instead of single files."
          />
          <Row label="Leave out" field="output.exclude">
            <RowText field="output.exclude" label="Leave out of the output" placeholder="wandb/" />
            <p className="nj-about">
              Patterns as .gitignore has them, one in each line. May be empty.
            </p>
          </Row>
        </>
      )}
    </Section>
  );
}

function AccessSection() {
  const { control, setValue } = useFormContext<JobForm>();
  const workerKey = useWatch({ control, name: 'workerKey' });
  const mode = useWatch({ control, name: 'workerKeyMode' });
  const { remark } = useRemark('workerKeyMode');
  return (
    <Section title="Access">
      <Row label="Add keys to workers" field="workerKey">
        <KeyField field="workerKey" none="None" chosen={workerKey} />
        <p className="nj-about">
          Needed only where their own program calls Google; input and output work without.
        </p>
      </Row>
      {workerKey !== '' && (
        <Row label="They get" field="workerKeyMode">
          <ChoiceField field="workerKeyMode" choices={KEY_MODES} />
          <p className="nj-about">{ABOUT_MODES[mode]}</p>
        </Row>
      )}
      {workerKey !== '' && remark !== null && mode !== 'key-file' && (
        <div className="nj-row nj-after">
          <Button
            size="compact-sm"
            variant="default"
            onClick={() => setValue('workerKeyMode', 'key-file', { shouldDirty: true })}
          >
            Hand the key over as a file
          </Button>
        </div>
      )}
      <FlagField
        field="unattended"
        label="Unattended"
        about="hand the keys to the job, in memory alone, so that it never waits for this application."
      />
    </Section>
  );
}
