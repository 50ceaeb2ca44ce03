import { useQuery } from '@tanstack/react-query';
import { useEffect, useRef } from 'react';
import * as z from 'zod';
import { MAX_DRAFT } from '../../../shared/ipc/new-job.ts';
import type { JobSpecInput } from '../../../shared/job-spec.ts';
import { ask } from '../../client.ts';
import { EMPTY_FORM, jobFormSchema } from './form-model.ts';

const isObject = (value: unknown): boolean => typeof value === 'object' && value !== null;

/** What the screen shows: the form, or the job file as it is being written. */
const draftSchema = z.object({
  form: jobFormSchema,
  view: z.enum(['form', 'yaml']),
  yaml: z.string(),
  /** The job file that the form was last filled from, with what it said; null: it was filled by hand. */
  written: z
    .object({ text: z.string(), spec: z.custom<JobSpecInput>(isObject) })
    .nullable()
    .default(null),
});
export type Draft = z.infer<typeof draftSchema>;

const EMPTY: Draft = { form: EMPTY_FORM, view: 'form', yaml: '', written: null };
/** How long a change may wait before it is kept. Milliseconds. */
const KEPT_AFTER = 250;

export function readDraft(text: string | null): Draft {
  if (text === null) return EMPTY;
  try {
    const parsed = draftSchema.safeParse(JSON.parse(text));
    return parsed.success ? parsed.data : EMPTY;
  } catch {
    return EMPTY;
  }
}

/** What was being filled in when the screen was left, or the page went away. */
export function useKeptDraft() {
  return useQuery({
    queryKey: ['new-job-draft'],
    queryFn: async () => readDraft(await ask('new-job-draft', {})),
    staleTime: Infinity,
    // Asked anew each time the screen opens.
    gcTime: 0,
  });
}

/** Keeps the draft in the main process: soon after each change, and at once when the screen or the page goes. */
export function useKeepDraft(draft: Draft): { readonly forget: () => void } {
  const text = JSON.stringify(draft);
  const latest = useRef(text);
  const kept = useRef(text);
  useEffect(() => {
    latest.current = text;
    const timer = setTimeout(() => keepNow(latest, kept), KEPT_AFTER);
    return () => clearTimeout(timer);
  }, [text]);
  useEffect(() => {
    const keep = () => keepNow(latest, kept);
    window.addEventListener('pagehide', keep);
    return () => {
      window.removeEventListener('pagehide', keep);
      keep();
    };
  }, []);
  return {
    forget: () => {
      kept.current = latest.current;
      void ask('new-job-keep-draft', { draft: null });
    },
  };
}

function keepNow(latest: { readonly current: string }, kept: { current: string }): void {
  if (latest.current === kept.current || latest.current.length > MAX_DRAFT) return;
  kept.current = latest.current;
  void ask('new-job-keep-draft', { draft: latest.current });
}
