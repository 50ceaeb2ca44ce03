import { useEffect } from 'react';
import type { AskedPlace } from '../../shared/ipc/application.ts';
import { ask } from '../client.ts';
import { useView } from '../features/jobs/view-store.ts';
import { useNavigation } from './navigation.ts';

/** Goes where the menu, a link or a notification leads. */
export function useAskedPlaces(): void {
  const go = useNavigation((navigation) => navigation.go);
  useEffect(() => {
    const follow = ({ screen, job }: AskedPlace) => {
      if (!useNavigation.getState().screens.has(screen)) return;
      if (screen === 'jobs') go(job === undefined ? { screen } : { screen, job });
      else go({ screen });
    };
    let ended = false;
    let stopKeeping: (() => void) | null = null;
    const stop = window.trainyard.subscribe('go', follow);
    ask('first-place', {}).then(
      (place) => {
        if (place !== null) follow(place);
        if (!ended) stopKeeping = keepPlace();
      },
      // Without services there are no places.
      () => undefined,
    );
    return () => {
      ended = true;
      stop();
      stopKeeping?.();
    };
  }, [go]);
}

/** Tells the main process where the window is, from now on: there a page that crashed comes back. Answers with the disposer. */
function keepPlace(): () => void {
  let kept = '';
  const keep = () => {
    const { screen } = useNavigation.getState().place;
    const { selected } = useView.getState();
    // What an administrator is asked for is filled in from elsewhere: its screen would come back empty.
    if (screen === 'access') return;
    const place: AskedPlace =
      screen === 'jobs' && selected !== null ? { screen, job: selected } : { screen };
    const now = JSON.stringify(place);
    if (now === kept) return;
    kept = now;
    void ask('keep-place', place).catch(() => undefined);
  };
  keep();
  const stops = [useNavigation.subscribe(keep), useView.subscribe(keep)];
  return () => stops.forEach((stop) => stop());
}
