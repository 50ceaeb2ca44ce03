import { useEffect, useState } from 'react';
import { flushSync } from 'react-dom';

/** Whether the button of the mouse, a finger or a pen is down; until the click that this makes was heard. */
function useIsPressed(): boolean {
  const [isPressed, setPressed] = useState(false);
  useEffect(() => {
    let timer = 0;
    const press = () => {
      clearTimeout(timer);
      setPressed(true);
    };
    const release = () => {
      clearTimeout(timer);
      // The click comes in the same turn, after this. What it asked for next, such as the first mistake, is to find everything drawn.
      timer = window.setTimeout(() => flushSync(() => setPressed(false)));
    };
    const heard = { capture: true } as const;
    window.addEventListener('pointerdown', press, heard);
    window.addEventListener('pointerup', release, heard);
    window.addEventListener('pointercancel', release, heard);
    window.addEventListener('blur', release);
    return () => {
      clearTimeout(timer);
      window.removeEventListener('pointerdown', press, heard);
      window.removeEventListener('pointerup', release, heard);
      window.removeEventListener('pointercancel', release, heard);
      window.removeEventListener('blur', release);
    };
  }, []);
  return isPressed;
}

/**
 * The value as it was when the mouse was pressed, until it is released: what appears in between would move the button away from under a click
 * that has begun. `value` is compared by what it holds; it is data.
 */
export function useSteady<T>(value: T): T {
  const isPressed = useIsPressed();
  const [kept, setKept] = useState(value);
  const isNews = !isPressed && JSON.stringify(kept) !== JSON.stringify(value);
  if (isNews) setKept(value);
  return isNews ? value : kept;
}
