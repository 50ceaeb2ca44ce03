import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useEffect } from 'react';
import { ask } from '../../client.ts';

const KEYS = ['keys'] as const;
const LIST = [...KEYS, 'list'] as const;
const VAULT = [...KEYS, 'vault'] as const;
const OFFERED = [...KEYS, 'offered'] as const;

/** The keys by name. Another program may change them, so they are read again when the window is looked at. */
export function useKeys() {
  const client = useQueryClient();
  useEffect(() => {
    const again = () => void client.invalidateQueries({ queryKey: LIST });
    window.addEventListener('focus', again);
    return () => window.removeEventListener('focus', again);
  }, [client]);
  return useQuery({ queryKey: LIST, queryFn: () => ask('keys-list', {}) });
}

/** Not asked again by itself: a locked keychain may answer with a dialog of its own. */
export function useVault() {
  return useQuery({ queryKey: VAULT, queryFn: () => ask('keys-vault', {}), staleTime: Infinity });
}

export function useOffered() {
  return useQuery({ queryKey: OFFERED, queryFn: () => ask('keys-offered', {}) });
}

/** Jobs that name the key, newest first. */
export function useKeyJobs(id: string) {
  return useQuery({
    queryKey: [...KEYS, 'jobs', id],
    queryFn: () => ask('keys-jobs', { id }),
    staleTime: 0,
  });
}

/** What else would break without the key; asked when somebody is about to remove it. */
export function useKeyDependents(id: string, enabled: boolean) {
  return useQuery({
    queryKey: [...KEYS, 'dependents', id],
    queryFn: () => ask('keys-dependents', { id }),
    enabled,
    staleTime: 0,
  });
}

/** What the key was used for, the newest first. */
export function useKeyUses(id: string, enabled: boolean) {
  return useQuery({
    queryKey: [...KEYS, 'uses', id],
    queryFn: () => ask('keys-uses', { id }),
    enabled,
    staleTime: 0,
  });
}

/** Something that changes keys or their vault; what is shown of them is read again afterwards. */
export function useKeyChange<Arguments, Value>(change: (given: Arguments) => Promise<Value>) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: change,
    onSettled: () => client.invalidateQueries({ queryKey: KEYS }),
  });
}

/** Asks Google for a token with the key; its last use is then now. */
export function useCheck(id: string) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: () => ask('keys-check', { id }),
    onSettled: async () => {
      await client.invalidateQueries({ queryKey: ['access'] });
      await client.invalidateQueries({ queryKey: LIST });
    },
  });
}
