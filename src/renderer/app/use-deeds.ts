import { useQueryClient } from '@tanstack/react-query';
import type { Theme } from '../../shared/ipc/application.ts';
import { ask } from '../client.ts';
import { useView } from '../features/jobs/view-store.ts';
import { receivePicked } from '../features/keys/arrivals.ts';
import { useNewNotebook } from '../features/notebooks/new-notebook-store.ts';
import type { Deed } from './commands.ts';
import { useNavigation } from './navigation.ts';

/** Does what was chosen in the palette. What fails is told where it would be without the palette. */
export function useDeeds(): (deed: Deed) => void {
  const client = useQueryClient();
  const go = useNavigation((navigation) => navigation.go);
  const chooseTheme = async (theme: Theme) => {
    await ask('keep-preferences', { ...(await ask('preferences', {})), theme });
    await client.invalidateQueries({ queryKey: ['preferences'] });
  };
  return (deed) => {
    switch (deed.kind) {
      case 'go':
        go(deed.place);
        break;
      case 'job':
        useView.getState().askFor({ job: deed.job, action: deed.action });
        go({ screen: 'jobs', job: deed.job });
        break;
      case 'add-key':
        go({ screen: 'keys' });
        void receivePicked();
        break;
      case 'new-notebook':
        useNewNotebook.setState({ opened: true });
        go({ screen: 'jobs' });
        break;
      case 'theme':
        // Settings shows what was kept.
        void chooseTheme(deed.theme).catch(() => go({ screen: 'settings' }));
    }
  };
}
