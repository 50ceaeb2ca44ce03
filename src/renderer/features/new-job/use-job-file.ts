import { useDebouncedValue } from '@mantine/hooks';
import { useQuery } from '@tanstack/react-query';
import { useEffect, useState } from 'react';
import type { JobFileMistake } from '../../../shared/ipc/new-job.ts';
import type { JobSpec } from '../../../shared/job-spec.ts';
import { ask, problemOf } from '../../client.ts';
import type { Draft } from './use-draft.ts';

/** A text is read once it rests this long. Milliseconds. */
const SETTLES = 250;

export interface JobFile {
  readonly view: Draft['view'];
  readonly text: string;
  /** Null while the text is being read; none while the form is shown. */
  readonly mistakes: readonly JobFileMistake[] | null;
  /** The user wanted back to the form, which cannot show a text with mistakes. */
  readonly isStuck: boolean;
  readonly open: (text: string) => void;
  readonly write: (text: string) => void;
  /** Back to the form, if it can show the text. */
  readonly leave: () => void;
  /** Back to the form as it is. */
  readonly close: () => void;
}

/** The YAML view of a job: what is written there goes into the form as soon as it is without mistakes. */
export function useJobFile(initial: Draft, onSpec: (spec: JobSpec, text: string) => void): JobFile {
  const [view, setView] = useState(initial.view);
  const [text, setText] = useState(initial.yaml);
  /** As the form wrote it: then there is nothing to lose. */
  const [written, setWritten] = useState<string | null>(null);
  const [wantsBack, setWantsBack] = useState(false);
  const [settled] = useDebouncedValue(text, SETTLES);
  const isRead = settled === text;
  const query = useQuery({
    queryKey: ['new-job-parse', settled],
    queryFn: () => ask('new-job-parse', { text: settled }),
    enabled: view === 'yaml' && isRead,
    staleTime: Infinity,
    gcTime: 10_000,
  });
  const read = view === 'yaml' && isRead ? query.data : undefined;
  const spec = read?.spec ?? null;
  const isChanged = text !== written;
  useEffect(() => {
    if (spec !== null && isChanged) onSpec(spec, settled);
    // The form takes each specification once, not each time it is drawn.
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [spec, isChanged]);

  const close = () => {
    setView('form');
    setWantsBack(false);
  };
  const failure: readonly JobFileMistake[] | null =
    query.error === null ? null : [{ line: 1, column: 1, message: problemOf(query.error).message }];
  const mistakes = view === 'form' ? [] : (read?.mistakes ?? (isRead ? failure : null));
  return {
    view,
    text,
    mistakes,
    isStuck: wantsBack && mistakes !== null && mistakes.length > 0,
    open: (next) => {
      setText(next);
      setWritten(next);
      setWantsBack(false);
      setView('yaml');
    },
    write: setText,
    leave: () => {
      if (!isChanged || spec !== null) close();
      else setWantsBack(true);
    },
    close,
  };
}
