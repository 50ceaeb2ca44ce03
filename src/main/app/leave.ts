import { app, dialog, type BrowserWindow, type MessageBoxOptions } from 'electron';
import { goesOn } from '../../shared/job-status.ts';
import type { JobView } from '../../shared/views.ts';
import { needsAccess } from '../jobs/need-access.ts';
import type { Services } from '../services.ts';
import { farewell } from './news.ts';

export interface LeavingOptions {
  readonly window: BrowserWindow;
  readonly services: Services | null;
  /** Whether the application stays while jobs go on, when its window is closed. */
  readonly keepsFollowing: () => boolean;
  /** The window was put away, and jobs are followed without it. */
  readonly onHidden: () => void;
}

/**
 * Says, before the user quits, what goes on without the application. Closing the window while jobs go on puts it away where the application
 * keeps following them, and quits elsewhere. Answers with what quits in the same way.
 */
export function watchLeaving(options: LeavingOptions): () => void {
  const { window, services, keepsFollowing, onHidden } = options;
  let leaves = false;
  let busy = false;

  const mayLeave = async (): Promise<boolean> => {
    if (services === null) return true;
    const jobs = await services.jobs.list();
    const words = farewell(jobs, {
      needAccess: await needingAccess(services, jobs.filter(goesOn)),
      onSample: await services.sample.neededBy(),
    });
    if (words === null) return true;
    const question: MessageBoxOptions = {
      type: 'info',
      title: 'Trainyard',
      ...words,
      buttons: ['Quit', 'Keep it open'],
      defaultId: 0,
      cancelId: 1,
    };
    const answer = await (window.isVisible()
      ? dialog.showMessageBox(window, question)
      : dialog.showMessageBox(question));
    return answer.response === 0;
  };

  const once = (body: () => Promise<void>) => {
    if (busy) return;
    busy = true;
    void body()
      // A question that cannot be asked holds nobody back.
      .catch(() => quit())
      .finally(() => {
        busy = false;
      });
  };
  const quit = () => {
    leaves = true;
    app.quit();
  };
  const leave = () =>
    once(async () => {
      if (await mayLeave()) quit();
    });

  // Whatever else quits, the system's shutdown above all, is not held up.
  app.on('before-quit', () => {
    leaves = true;
  });
  window.on('close', (event) => {
    if (leaves) return;
    event.preventDefault();
    once(async () => {
      const stays =
        services !== null && keepsFollowing() && (await services.jobs.list()).some(goesOn);
      if (stays) {
        window.hide();
        onHidden();
      } else if (await mayLeave()) quit();
    });
  });
  return leave;
}

async function needingAccess(
  { jobs }: Pick<Services, 'jobs'>,
  going: readonly JobView[],
): Promise<readonly JobView[]> {
  const plans = await Promise.all(going.map(({ id }) => jobs.plan(id)));
  return going.filter((job, index) => {
    const plan = plans[index];
    return plan?.ok === true && needsAccess(job, plan.value);
  });
}
