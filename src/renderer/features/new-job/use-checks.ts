import type { AccessReport } from '../../../shared/access-check.ts';
import { addressOfText } from '../../../shared/read-address.ts';
import { mentionInCommands, type KeyFileMention } from '../../../shared/key-file-mention.ts';
import { moreThanTheJobNeeds } from '../../../shared/more-than-needed.ts';
import {
  tellCodeState,
  tellHost,
  tellKeyFile,
  tellMeasure,
  tellOutputCheck,
  tellProblem,
  tellRepository,
  tellWorkerKey,
  withAccess,
  type Check,
  type Finding,
} from './checks.ts';
import type { JobForm } from './form-model.ts';
import type { FieldName } from './form-problems.ts';
import { useQuestion, type Answer } from './questions.ts';

/** Checks the form while it is filled. What the form itself finds wrong is not asked about: `isWrong` says. */
export function useChecks(form: JobForm, isWrong: (field: FieldName) => boolean): readonly Check[] {
  const { code, input, output } = form;
  const key = (name: string): string | null => (name === '' ? null : name);
  const objectsAt = (at: { readonly gcs: string; readonly key: string }) =>
    addressOfText(at.gcs).ok ? { gcs: at.gcs, key: key(at.key) } : null;

  const codeFolder = useQuestion(
    'new-job-check-folder',
    code.type === 'dir' && !isWrong('code.dir') ? { path: code.dir, purpose: 'code' } : null,
  );
  const codeGit = useQuestion(
    'new-job-check-git',
    code.type === 'git' && !isWrong('code.git') && !isWrong('code.ref')
      ? { url: code.git, ref: key(code.ref) }
      : null,
  );
  const codeObjects = useQuestion(
    'new-job-check-objects',
    code.type === 'gcs' ? objectsAt(code) : null,
  );
  const inputFolder = useQuestion(
    'new-job-check-folder',
    input.type === 'dir' && !isWrong('input.dir') ? { path: input.dir, purpose: 'input' } : null,
  );
  const inputObjects = useQuestion(
    'new-job-check-objects',
    input.type === 'gcs' ? objectsAt(input) : null,
  );
  // Code is read as an input is.
  const accessTo = (
    side: 'input' | 'output',
    at: { readonly gcs: string; readonly key: string } | null,
  ) =>
    at === null || at.key === '' || !addressOfText(at.gcs, side === 'output' ? 'write' : 'read').ok
      ? null
      : { gcs: at.gcs, key: at.key, for: side };
  const codeAccess = useQuestion(
    'new-job-check-access',
    accessTo('input', code.type === 'gcs' ? code : null),
  );
  const inputAccess = useQuestion(
    'new-job-check-access',
    accessTo('input', input.type === 'gcs' ? input : null),
  );
  const outputAccess = useQuestion(
    'new-job-check-access',
    accessTo('output', output.type === 'gcs' ? output : null),
  );
  const codeNarrowing = useQuestion(
    'new-job-check-narrowing',
    accessTo('input', code.type === 'gcs' ? code : null),
  );
  const inputNarrowing = useQuestion(
    'new-job-check-narrowing',
    accessTo('input', input.type === 'gcs' ? input : null),
  );
  const outputNarrowing = useQuestion(
    'new-job-check-narrowing',
    accessTo('output', output.type === 'gcs' ? output : null),
  );
  const outputCheck = useQuestion(
    'new-job-check-output',
    output.type === 'gcs' && addressOfText(output.gcs, 'write').ok
      ? {
          gcs: output.gcs,
          key: key(output.key),
          archive: output.archive,
          layout: output.layout,
          workers: Math.max(1, form.workers.length),
        }
      : null,
  );
  const workerKey = useQuestion(
    'new-job-check-key',
    form.workerKey === '' ? null : { key: form.workerKey },
  );
  const host = useQuestion(
    'new-job-check-host',
    isWrong('gpus') ? null : { gpus: Number(form.gpus), workers: Math.max(1, form.workers.length) },
  );
  const codeMention = useQuestion(
    'new-job-check-key-file',
    code.type === 'dir' && !isWrong('code.dir') ? { path: code.dir } : null,
  );
  const keyFile = tellKeyFile(
    form.workerKey,
    form.workerKeyMode,
    mentionInCommands({ setup: form.setup, workers: form.workers.map(({ command }) => command) }) ??
      mentionOf(codeMention),
  );
  const disk = host.state === 'answered' ? host.value.disk : null;

  const checks: readonly Check[] = [
    ...check('Code', 'code.dir', codeFolder, tellCodeState),
    ...check('Code', 'code.git', codeGit, ({ hasRef }) => tellRepository(code.ref, hasRef)),
    ...check('Code', 'code.gcs', codeObjects, (measure) => tellMeasure(measure, disk)).map((one) =>
      withAccess(one, reportOf(codeAccess)),
    ),
    ...check('Input', 'input.dir', inputFolder, () => ({
      state: 'good',
      message: 'The folder is there.',
      hint: '',
    })),
    ...check('Input', 'input.gcs', inputObjects, (measure) => tellMeasure(measure, disk)).map(
      (one) => withAccess(one, reportOf(inputAccess)),
    ),
    ...check('Output', 'output.gcs', outputCheck, (answer) =>
      tellOutputCheck(output.key, answer, reportOf(outputAccess)),
    ).map((one) => withAccess(one, reportOf(outputAccess))),
    ...check('Key of the workers', 'workerKey', workerKey, (answer) =>
      tellWorkerKey(answer, form.workerKeyMode),
    ),
    ...(keyFile === null
      ? []
      : [
          {
            topic: 'Key of the workers',
            field: form.workerKey === '' ? 'workerKey' : 'workerKeyMode',
            finding: keyFile,
          },
        ]),
    ...narrowing('code.gcs', codeNarrowing),
    ...narrowing('input.gcs', inputNarrowing),
    ...narrowing('output.gcs', outputNarrowing),
    ...check('This machine', 'gpus', host, tellHost),
  ];
  const more = moreThanTheJobNeeds(checks.flatMap(({ access }) => access ?? []));
  return checks.map((one) =>
    one.access === undefined ? one : { ...one, more: more.get(one.access) ?? [] },
  );
}

function mentionOf(
  answer: Answer<{ readonly where: string | null; readonly word: string | null }>,
): KeyFileMention | null {
  if (answer.state !== 'answered') return null;
  const { where, word } = answer.value;
  return where === null || word === null ? null : { where, word };
}

/** A line where the job's access cannot be narrowed to what it needs. That it can is the rule, and nothing is said while it is asked. */
function narrowing(
  field: FieldName,
  answer: Answer<{
    readonly refused: { readonly message: string; readonly hint: string } | null;
  }>,
): readonly Check[] {
  if (answer.state !== 'answered' || answer.value.refused === null) return [];
  const finding: Finding = { state: 'warning', ...answer.value.refused };
  return [{ topic: 'Access of the job', field, finding }];
}

const reportOf = (answer: Answer<AccessReport>): AccessReport | null =>
  answer.state === 'answered' ? answer.value : null;

function check<T>(
  topic: string,
  field: FieldName,
  answer: Answer<T>,
  tell: (value: T) => Finding,
): readonly Check[] {
  switch (answer.state) {
    case 'nothing':
      return [];
    case 'asking':
      return [{ topic, field, finding: null }];
    case 'answered':
      return [{ topic, field, finding: tell(answer.value) }];
    case 'refused':
      return [{ topic, field, finding: tellProblem(answer.problem) }];
  }
}
