import { useQuery } from '@tanstack/react-query';
import { ask } from '../client.ts';

/** What does not change while the application runs: version, home folder, endpoints. */
export function useAbout() {
  return useQuery({ queryKey: ['about'], queryFn: () => ask('about', {}), staleTime: Infinity });
}
