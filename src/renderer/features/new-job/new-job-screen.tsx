import './new-job.css';
import { Loader } from '@mantine/core';
import { problemOf } from '../../client.ts';
import { ProblemAlert } from '../../common/problem-alert.tsx';
import { NewJobPage } from './new-job-page.tsx';
import { useKeptDraft } from './use-draft.ts';

/** The form of a new job, as it was left. */
export function NewJobScreen() {
  const draft = useKeptDraft();
  if (draft.isPending)
    return (
      <div className="centre">
        <Loader size="sm" aria-label="The form is being read" />
      </div>
    );
  if (draft.isError)
    return (
      <div className="centre">
        <div className="centre-box">
          <ProblemAlert {...problemOf(draft.error)} />
        </div>
      </div>
    );
  return <NewJobPage initial={draft.data} />;
}
