import { parseGcsAddress } from '../../../shared/address.ts';
import {
  tellCodeState,
  tellHost,
  tellMeasure,
  tellOutputCheck,
  tellProblem,
  tellRepository,
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
    parseGcsAddress(at.gcs).ok ? { gcs: at.gcs, key: key(at.key) } : null;

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
  const outputCheck = useQuestion(
    'new-job-check-output',
    output.type === 'gcs' && parseGcsAddress(output.gcs).ok
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
  const disk = host.state === 'answered' ? host.value.disk : null;

  return [
    ...check('Code', 'code.dir', codeFolder, tellCodeState),
    ...check('Code', 'code.git', codeGit, ({ hasRef }) => tellRepository(code.ref, hasRef)),
    ...check('Code', 'code.gcs', codeObjects, (measure) => tellMeasure(measure, disk)),
    ...check('Input', 'input.dir', inputFolder, () => ({
      state: 'good',
      message: 'The folder is there.',
      hint: '',
    })),
    ...check('Input', 'input.gcs', inputObjects, (measure) => tellMeasure(measure, disk)),
    ...check('Output', 'output.gcs', outputCheck, (answer) => tellOutputCheck(output.key, answer)),
    ...check('Key of the workers', 'workerKey', workerKey, ({ email }) => ({
      state: 'good',
      message: `${email} gets access.`,
      hint: '',
    })),
    ...check('This machine', 'gpus', host, tellHost),
  ];
}

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
