import type { Views } from '../../shared/ipc/views.ts';
import { ask } from '../client.ts';
import { useObjectView } from '../features/buckets/object-view.ts';
import { useView } from '../features/jobs/view-store.ts';

/** Milliseconds after the last change. */
const KEEP_AFTER = 300;

/** Puts the tables as the user left them, and from then on keeps every change. What cannot be read or kept is no reason to bother anyone. */
export async function restoreViews(): Promise<void> {
  const kept = await ask('views', {}).catch(() => null);
  if (kept !== null) {
    useView.setState(kept.jobs);
    useObjectView.setState(kept.buckets);
  }
  let known = JSON.stringify(viewsNow());
  let timer = 0;
  const changed = () => {
    const views = viewsNow();
    const now = JSON.stringify(views);
    if (now === known) return;
    known = now;
    clearTimeout(timer);
    timer = globalThis.setTimeout(
      () => void ask('keep-views', views).catch(() => undefined),
      KEEP_AFTER,
    );
  };
  useView.subscribe(changed);
  useObjectView.subscribe(changed);
}

function viewsNow(): Views {
  const { hidden, order, filter } = useView.getState();
  const { hidden: objectsHidden, order: objectOrder } = useObjectView.getState();
  return {
    jobs: { hidden: [...hidden], order, filter },
    buckets: { hidden: [...objectsHidden], order: objectOrder },
  };
}
