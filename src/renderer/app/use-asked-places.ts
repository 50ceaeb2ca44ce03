import { useEffect } from 'react';
import type { AskedPlace } from '../../shared/ipc/application.ts';
import { ask } from '../client.ts';
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
    const stop = window.trainyard.subscribe('go', follow);
    ask('first-place', {}).then(
      (place) => {
        if (place !== null) follow(place);
      },
      // Without services there are no places.
      () => undefined,
    );
    return stop;
  }, [go]);
}
