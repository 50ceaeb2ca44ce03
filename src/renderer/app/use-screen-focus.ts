import { useEffect, useRef } from 'react';
import { useNavigation } from './navigation.ts';

/** For so many frames after a move the focus is looked after: a screen's code may still be on its way, a dialog still closing. */
const FRAMES = 60;

/** What takes the keyboard when a screen opens: its list where it says which, its heading otherwise. */
export function focusTarget(main: Element): HTMLElement | null {
  const list = main.querySelector<HTMLElement>('[data-screen-focus]');
  if (list !== null) return list;
  const heading = main.querySelector<HTMLElement>('h1');
  if (heading !== null && !heading.hasAttribute('tabindex')) heading.tabIndex = -1;
  return heading;
}

/** After a move to another place nobody has the focus where what had it is gone: then the new screen gets it. */
export function useScreenFocus(): void {
  const place = useNavigation((navigation) => navigation.place);
  const first = useRef(place);
  useEffect(() => {
    if (place === first.current) return undefined;
    let left = FRAMES;
    let frame = 0;
    const look = () => {
      const main = document.querySelector('main');
      if (document.activeElement === document.body && main !== null)
        focusTarget(main)?.focus({ preventScroll: true });
      left -= 1;
      if (left > 0) frame = requestAnimationFrame(look);
    };
    frame = requestAnimationFrame(look);
    return () => cancelAnimationFrame(frame);
  }, [place]);
}
