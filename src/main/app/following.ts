import { Notification } from 'electron';
import type { AskedPlace } from '../../shared/ipc/application.ts';
import type { JobView } from '../../shared/views.ts';
import { goesOn } from '../../shared/job-status.ts';
import { openTray, type TrayActions, type TrayIcon } from './tray.ts';

/** The jobs that go on, as the tray shows them, and the tray where one is wanted. */
export interface TrayKeeper {
  /** Opens or closes the tray. */
  readonly want: (wanted: boolean) => void;
  /** Jobs as they are now. */
  readonly update: (jobs: readonly JobView[]) => void;
  readonly forget: (id: string) => void;
  readonly going: () => readonly JobView[];
}

export function keepTray(platform: NodeJS.Platform, actions: TrayActions): TrayKeeper {
  const jobs = new Map<string, JobView>();
  let tray: TrayIcon | null = null;
  const going = () => [...jobs.values()].toSorted((a, b) => (a.id < b.id ? 1 : -1));
  const show = () => tray?.show(going());
  return {
    want(wanted) {
      if (wanted && tray === null) tray = openTray(platform, actions);
      if (!wanted) {
        tray?.close();
        tray = null;
      }
      show();
    },
    update(changed) {
      for (const job of changed)
        if (goesOn(job)) jobs.set(job.id, job);
        else jobs.delete(job.id);
      show();
    },
    forget(id) {
      jobs.delete(id);
      show();
    },
    going,
  };
}

/** Says once that the application is still there. Answers with what says it. */
export function tellOnceOfHiding(hasTray: boolean, go: (place: AskedPlace | null) => void) {
  let told = false;
  return (): void => {
    if (told || !Notification.isSupported()) return;
    told = true;
    const notification = new Notification({
      title: 'Trainyard goes on following jobs',
      body: hasTray
        ? 'Its icon beside the clock opens the window again. Settings has the choice.'
        : 'Start it again to see its window. Settings has the choice.',
    });
    notification.on('click', () => go(null));
    notification.show();
  };
}
