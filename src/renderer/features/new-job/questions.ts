import { useDebouncedValue } from '@mantine/hooks';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useCallback, useEffect } from 'react';
import type { CallArguments, CallName, CallValue } from '../../../shared/ipc.ts';
import type { Problem } from '../../../shared/problem.ts';
import { ask, problemOf } from '../../client.ts';

/** After this long without a change a question is asked; an older answer is shown that long while it is asked again. Milliseconds. */
const SETTLES = 400;
const SHOWN_FOR = 20_000;

type QuestionName = {
  [Name in CallName]: CallArguments<Name> extends { readonly question: string }
    ? Name extends 'new-job-cancel'
      ? never
      : Name
    : never;
}[CallName];

/** What is known of a question: nothing to ask, not yet answered, or the answer. */
export type Answer<T> =
  | { readonly state: 'nothing' }
  | { readonly state: 'asking' }
  | { readonly state: 'answered'; readonly value: T }
  | { readonly state: 'refused'; readonly problem: Problem };

/**
 * Asks the main process while the user types: once the arguments rest, and taken back when they change. Null: there is nothing to ask.
 */
export function useQuestion<Name extends QuestionName>(
  name: Name,
  args: Omit<CallArguments<Name>, 'question'> | null,
): Answer<CallValue<Name>> {
  const text = args === null ? null : JSON.stringify(args);
  const [settled] = useDebouncedValue(text, SETTLES);
  const rests = settled === text;
  const query = useQuery({
    queryKey: [name, text],
    enabled: text !== null && rests,
    queryFn: async ({ signal }) => {
      const question = crypto.randomUUID();
      const takeBack = () => void ask('new-job-cancel', { question });
      signal.addEventListener('abort', takeBack, { once: true });
      try {
        return await ask(name, { ...args, question } as CallArguments<Name>);
      } finally {
        signal.removeEventListener('abort', takeBack);
      }
    },
    // What is out there changes without this window.
    staleTime: 0,
    gcTime: SHOWN_FOR,
  });
  if (text === null) return { state: 'nothing' };
  if (query.isSuccess) return { state: 'answered', value: query.data };
  if (query.isError && !query.isFetching)
    return { state: 'refused', problem: problemOf(query.error) };
  return { state: 'asking' };
}

/** Asks everything that is shown anew; what lies in a folder also whenever the window gets the focus. Answers with the former. */
export function useAskAgain(): () => void {
  const client = useQueryClient();
  useEffect(() => {
    const look = () =>
      void client.invalidateQueries({
        queryKey: ['new-job-check-folder' satisfies QuestionName],
      });
    window.addEventListener('focus', look);
    return () => window.removeEventListener('focus', look);
  }, [client]);
  return useCallback(() => {
    void client.invalidateQueries({
      predicate: ({ queryKey: [name] }) => String(name).startsWith('new-job-check-'),
    });
  }, [client]);
}
